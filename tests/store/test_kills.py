"""kill -9 at any moment: what was acknowledged is there, and no mark is lower."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]

WRITER = """
import random, sys
from pathlib import Path
sys.path.insert(0, "tests/store")
from conftest import Shelf

shelf, start, seed = Shelf(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
identities = [f"peer-{number}" for number in range(5)]
changes = {(name, n): shelf.peer(name, n) for name in identities for n in range(start + 1, start + 30)}
lists = {n: shelf.revocations(shelf.list(n)) for n in range(start + 1, start + 30)}
print("ready", flush=True)
store = shelf.open()
for sequence in range(start + 1, start + 30):
    batch = [changes[name, sequence] for name in identities] + [lists[sequence]]
    rng.shuffle(batch)
    store.commit(batch)
    sys.stdout.write(f"{sequence}\\n")
    sys.stdout.flush()
store.close()
"""


def _killed_writer(shelf, start, rng, least=0):
    """Start a writer, kill it somewhere between its first statement and its last; the last number that it told.

    It is killed a moment after it has told so many numbers, `least` or more: how fast it is does not matter.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(shelf.path), str(start), str(rng.randrange(1000))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout.readline() == "ready\n"
    told = [process.stdout.readline() for _ in range(rng.randrange(least, 20))]
    time.sleep(rng.uniform(0, 0.02))  # the moment of death, which is what this test varies
    process.send_signal(signal.SIGKILL)
    told += process.stdout
    process.wait()
    process.stdout.close()
    whole = [line for line in told if line.endswith("\n")]
    return int(whole[-1]) if whole else start


def _campaign(shelf, rounds, seed):
    rng = random.Random(seed)
    last = kept = 0
    died_writing = 0
    for _ in range(rounds):
        acknowledged = _killed_writer(shelf, last, rng)
        marks, lists, rows = shelf.read() if shelf.path.exists() else ({}, (), [])
        numbers = {mark.sequence for mark in marks.values()}
        assert len(numbers) <= 1  # a batch holds all five peers
        kept = max(numbers, default=0)
        assert kept >= acknowledged >= last
        assert {row.card.sequence for row in rows} == numbers
        assert [one.sequence for one in lists] == [kept] * bool(kept)
        died_writing += last < kept
        last = kept
    return died_writing


@pytest.mark.parametrize("seed", [1])
def test_a_writer_killed_at_random_moments_loses_nothing_that_it_acknowledged(shelf, seed):
    assert _campaign(shelf, 12, seed) > 6  # most died at work


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_writer_killed_a_hundred_times_loses_nothing_that_it_acknowledged(shelf, seed):
    assert _campaign(shelf, 100, seed) > 30


def test_a_log_left_by_a_killed_writer_is_taken_in(shelf):
    last = _killed_writer(shelf, 0, random.Random(4), 3)
    assert last > 0
    log = shelf.path.with_name("node.db-wal")
    if last < 29:
        assert log.stat().st_size > 0
    marks, _, _ = shelf.read()
    assert min(mark.sequence for mark in marks.values()) >= last
    assert not log.exists()


# Forks once for every statement of a first start; that child ends unasked just before it.
DYING = """
import os, sqlite3, sys
import p2pnoise.store.tables  # once, and not in each child
from pathlib import Path
sys.path.insert(0, "tests/store")
from conftest import Shelf

real = sqlite3.connect

def die(step):
    steps = iter(range(step, -1, -1))

    class Connection(sqlite3.Connection):
        def execute(self, *given):
            if next(steps, 0) == 0:
                os._exit(9)
            return super().execute(*given)

    sqlite3.connect = lambda *given, **options: real(*given, **options, factory=Connection)
    Shelf(Path(sys.argv[1]) / f"{step}.db").open()
    os._exit(0)

for step in range(100):
    child = os.fork() or die(step)
    if os.waitpid(child, 0)[1] == 0:
        print(step)
        break
"""


def test_a_first_start_killed_at_each_statement_leaves_a_file_that_opens(make_shelf, tmp_path):
    died = subprocess.run(
        [sys.executable, "-c", DYING, tmp_path], check=True, cwd=ROOT, timeout=PATIENCE, capture_output=True, text=True
    )
    steps = int(died.stdout)
    assert steps > 10  # they were really taken one by one
    for step in range(steps):
        assert make_shelf(tmp_path / f"{step}.db").read() == ({}, (), [])


def test_two_first_starts_at_once_make_one_database(shelf):
    code = """
import sys
from pathlib import Path
sys.path.insert(0, "tests/store")
from conftest import Shelf
shelf = Shelf(Path(sys.argv[1]))
shelf.open().commit([shelf.peer(sys.argv[2])])
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(shelf.path), f"peer-{number}"], cwd=ROOT)
        for number in range(4)
    ]
    assert [process.wait(PATIENCE) for process in running] == [0] * 4
    assert len(shelf.read()[2]) == 4
    assert [path.name for path in shelf.path.parent.iterdir()] == ["node.db"]
