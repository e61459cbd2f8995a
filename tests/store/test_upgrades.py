"""A database of an earlier schema is upgraded in place, after a copy of it was laid beside it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cards import Mark, Pin
from p2pnoise.store import StoreError, read_table
from p2pnoise.store.peer_store import Anchors, Score
from p2pnoise.store.schema import VERSION
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]

BACK_TO_3 = "DROP TABLE scores; DROP INDEX idx_peers_ceased; PRAGMA user_version = 3;"
BACK_TO_2 = f"{BACK_TO_3} DROP TABLE anchors; PRAGMA user_version = 2;"
BACK_TO_1 = f"""
{BACK_TO_2}
DROP TABLE statements; DROP TABLE pins; ALTER TABLE marks DROP COLUMN next_key_digest; PRAGMA user_version = 1;
"""


def make_old(path, script=BACK_TO_1):
    """Make a closed database what version 1 was, or another one."""
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()


@pytest.fixture
def old(shelf):
    shelf.filled(3)
    make_old(shelf.path)
    return shelf


def backup(shelf, number=1):
    return shelf.path.with_name(f"node.db.v{number}")


def version(path):
    database = sqlite3.connect(path)
    (found,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return found


def test_an_old_database_is_upgraded_and_keeps_all_that_it_had(old):
    store = old.open()
    assert len(store.marks()) == len(list(store.rows())) == 3
    assert store.marks()[old.card("peer-0").identity] == Mark(1, old.card("peer-0").card_id)
    assert len(store.lists()) == 2
    assert store.statements() == ()
    store.commit([Pin("ada", old.card("ada").identity)])
    assert "ada" in store.pins()
    store.close()
    assert version(old.path) == VERSION


def test_a_database_of_version_2_keeps_its_statements_and_pins(shelf):
    shelf.filled(3)
    store = shelf.open()
    store.commit([Pin("ada", shelf.card("ada").identity)])
    store.close()
    make_old(shelf.path, BACK_TO_2)
    assert "ada" in read_table(shelf.path).pins
    store = shelf.open()
    assert len(store) == 3
    assert "ada" in store.pins()
    assert store.anchors() == ()
    store.close()
    assert version(shelf.path) == VERSION
    assert version(backup(shelf, 2)) == 2


def test_a_database_of_version_3_keeps_its_anchors(shelf):
    shelf.filled(3)
    store = shelf.open()
    anchor = shelf.card("peer-1").node_id
    store.commit([Anchors((anchor,))])
    store.close()
    make_old(shelf.path, BACK_TO_3)
    store = shelf.open()
    assert store.anchors() == (anchor,)
    assert store.scores() == {}
    store.commit([Score(anchor, 1.5, shelf.NOW)])
    assert store.scores() == {anchor: (1.5, shelf.NOW)}
    store.close()
    assert version(shelf.path) == VERSION


def test_the_file_as_it_was_stays_beside_it_and_is_whole(old):
    old.open().close()
    assert version(backup(old)) == 1
    assert backup(old).stat().st_mode & 0o777 == 0o600
    kept = read_table(backup(old))
    assert len(kept.rows) == 3
    assert [one.sequence for one in kept.lists] == [1, 2]


def test_a_second_start_makes_no_second_copy(old):
    old.open().close()
    before = backup(old).stat().st_mtime_ns
    old.open().close()
    assert backup(old).stat().st_mtime_ns == before
    assert sorted(path.name for path in old.path.parent.iterdir()) == ["node.db", "node.db.v1"]


def test_an_old_database_is_read_without_upgrading_it(old):
    before = old.path.read_bytes()
    table = read_table(old.path)
    assert len(table.rows) == 3
    assert table.statements == ()
    assert table.pins == {}
    assert old.path.read_bytes() == before
    assert not backup(old).exists()


def test_without_room_for_a_copy_nothing_is_changed(old, monkeypatch):
    def full(**_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(StoreError, match="No space left") as refused:
        old.open()
    assert "make room" in refused.value.hint
    assert version(old.path) == 1


# Forks once for every statement of an upgrade; that child ends unasked just before it.
DYING = """
import os, shutil, sqlite3, sys
import p2pnoise.store.tables  # once, and not in each child
from pathlib import Path
sys.path.insert(0, "tests/store")
from conftest import Shelf

real, folder = sqlite3.connect, Path(sys.argv[1])

def die(step):
    steps = iter(range(step, -1, -1))

    class Connection(sqlite3.Connection):
        def execute(self, *given):
            if next(steps, 0) == 0:
                os._exit(9)
            return super().execute(*given)

    sqlite3.connect = lambda *given, **options: real(*given, **options, factory=Connection)
    (folder / str(step)).mkdir()
    shutil.copy(folder / "old.db", folder / str(step) / "node.db")
    Shelf(folder / str(step) / "node.db").open()
    os._exit(0)

for step in range(100):
    child = os.fork() or die(step)
    if os.waitpid(child, 0)[1] == 0:
        print(step)
        break
"""


def test_an_upgrade_killed_at_each_statement_loses_nothing(make_shelf, tmp_path):
    first = make_shelf(tmp_path / "old.db")
    first.filled(2)
    make_old(first.path)
    died = subprocess.run(
        [sys.executable, "-c", DYING, tmp_path], check=True, cwd=ROOT, timeout=PATIENCE, capture_output=True, text=True
    )
    steps = int(died.stdout)
    assert steps > 10  # they were really taken one by one
    for step in range(steps):
        shelf = make_shelf(tmp_path / str(step) / "node.db")
        marks, lists, rows = shelf.read()
        assert len(marks) == len(rows) == len(lists) == 2
        assert version(shelf.path) == VERSION
        if backup(shelf).exists():
            assert len(read_table(backup(shelf)).rows) == 2
