"""`p2pnoise demo`: the whole story, each step proven; however it ends, it leaves no process behind."""

import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from cli import demo_view
from tests.cli.processes import Telling
from tests.patience import PATIENCE
from tests.transcripts import blocks, commands, matches

COMMAND = [sys.executable, "-m", "cli", "demo"]
LONGEST = 3 * PATIENCE  # seconds that a demo may take on a busy machine
STEPS = 7
README = Path(__file__).parents[2] / "README.md"
FACTS = 43  # lines that a demo tells with --json, about
NODES_RUN = 13  # so many, and three nodes run

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")


def _left(folder):
    """The processes whose command line names this folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # gone in the meantime
        if any(os.fsencode(folder) in word for word in words):
            found[int(path.parent.name)] = words
    return found


def _wait_until_gone(folder, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while left := _left(folder):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def _demo(folder, *options, **more):
    return subprocess.run(
        [*COMMAND, "--dir", folder, *options], capture_output=True, text=True, check=False, timeout=LONGEST, **more
    )


@pytest.mark.long
def test_every_step_does_what_it_says(tmp_path):
    done = _demo(tmp_path / "a demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [fact["step"] for fact in told if "step" in fact] == list(range(1, STEPS + 1))
    assert [fact["done"] for fact in told if "done" in fact] == list(range(1, STEPS + 1))
    assert told[-1]["summary"]["ok"] is True
    assert told[-1]["summary"]["folder"] == str(tmp_path / "a demo")


def test_a_program_reads_each_step_and_the_summary(capsys):
    view = demo_view.choose(None, as_json=True)
    view.step(1, "keys")
    view.tell("an issuer", issuer="issuer1")
    view.done(1, 0.25)
    view.summary(["every step did what it says"], {"ok": True})
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(fact.pop("at") >= 0 for fact in told)
    assert told == [
        {"step": 1, "title": "keys"},
        {"tell": "an issuer", "issuer": "issuer1"},
        {"done": 1, "seconds": 0.25},
        {"summary": {"ok": True}},
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The folder of a demo that has ended, and what it said in plain lines."""
    folder = tmp_path_factory.mktemp("plain") / "a demo; echo"
    done = _demo(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_the_demo_of_the_readme_is_what_a_newcomer_sees(plain):
    (told,) = [
        command
        for block in blocks(README.read_text(encoding="utf-8"), "console")
        for command in commands(block)
        if command.line == "p2pnoise demo"
    ]
    matches(told.expected, plain[1])


def test_plain_lines_tell_the_same_story_and_can_be_pasted(plain):
    folder, said = plain
    lines = said.splitlines()
    assert [line[0] for line in lines if re.match(r"\d\. ", line)] == [str(number) for number in range(1, STEPS + 1)]
    assert sum(line.startswith("   done in ") for line in lines) == STEPS
    assert "every step did what it says" in lines
    assert all(line.isprintable() for line in lines)
    assert lines[-1] == f"and remove it with: rm -r '{folder}'"
    (look,) = [line for line in lines if line.startswith("  cat ")]
    shown = subprocess.run(["/bin/sh", "-c", look], capture_output=True, check=False)
    assert shown.stdout == (folder / "node-1" / "events.jsonl").read_bytes()


def test_its_nodes_are_real_and_leave_no_process(plain):
    folder, _ = plain
    events = [json.loads(line) for line in (folder / "node-2" / "events.jsonl").read_text().splitlines()]
    assert any(event["event"] == "dialling" and event["source"] == "table" for event in events)
    assert all((folder / f"node-{number}" / "node.db").exists() for number in range(1, 8))
    assert _left(folder) == {}


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine").write_text("kept")
    done = _demo(tmp_path)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert "fix: " in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_instead_of_a_folder_is_refused(tmp_path):
    (tmp_path / "mine").write_text("kept")
    done = _demo(tmp_path / "mine")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "fix: " in done.stderr


class Demo(Telling):
    """A demo that runs, with the facts it has told."""

    def __init__(self, folder):
        self.folder = folder
        command = [*COMMAND, "--dir", folder, "--json"]
        super().__init__(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()  # what it owns ends by itself

    def wait(self, condition):
        assert self.wait_until(lambda: condition(self.facts), LONGEST), (self.facts, self.process.stderr.read())


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_node_that_ends_from_outside_ends_the_demo_with_a_sentence(tmp_path, number):
    with Demo(tmp_path / "demo") as demo:
        demo.wait(lambda facts: any("pid" in fact and fact["name"] == "node-3" for fact in facts))
        (pid,) = [fact["pid"] for fact in demo.facts if fact.get("name") == "node-3" and "pid" in fact]
        os.kill(pid, number)
        code, errors = demo.end()
    assert code == 1
    assert "Traceback" not in errors
    error = demo.facts[-1]["error"]
    assert "node-3" in error
    assert "\n" not in error
    _wait_until_gone(demo.folder)


def _stopped_at(folder, facts, delay, number):
    """Start a demo, send this signal a little after it has told so many facts; what it left is gone in time."""
    with Demo(folder) as demo:
        demo.wait(lambda told: len(told) >= facts)
        time.sleep(delay)  # the moment is what this test varies
        demo.process.send_signal(number)
        code, errors = demo.end()
    _wait_until_gone(folder)
    # Once the story is over and nothing is left to be cleared, Python's own end gives signals back to the system.
    over = any(fact.get("done") == STEPS for fact in demo.facts)
    assert code in ({0, -number} if over or number == signal.SIGKILL else {130}), (code, errors)
    assert "Traceback" not in errors
    return code


KINDS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP]


def _stop_at_moments(tmp_path, seed, moments):
    """Two at a time, each after so many facts that a demo tells, and a little later."""
    rng = random.Random(seed)
    plan = [(facts, rng.uniform(0, 0.5), kind) for facts, kind in moments]
    rng.shuffle(plan)
    failures, stopped = [], []

    def work(number):
        for turn, moment in enumerate(plan[number::2]):
            try:
                stopped.append(_stopped_at(tmp_path / f"demo-{number}-{turn}", *moment))
            except Exception as error:  # noqa: BLE001 - told below
                failures.append((moment, error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return stopped


@pytest.mark.parametrize("seed", [1])
def test_a_demo_stopped_while_it_begins_leaves_no_process(tmp_path, seed):
    """By each signal once: while its verbs run, or, by the one that it cannot hear, while nodes do. A long test has
    each signal at all moments."""
    stopped = _stop_at_moments(tmp_path, seed, [(NODES_RUN if kind == signal.SIGKILL else 2, kind) for kind in KINDS])
    assert all(code != 0 for code in stopped)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2])
def test_a_demo_stopped_at_any_of_many_moments_leaves_no_process(tmp_path, seed):
    stopped = _stop_at_moments(tmp_path, seed, [(1 + FACTS * n // 60, KINDS[n % 4]) for n in range(60)])
    assert sum(code != 0 for code in stopped) >= 40


@pytest.mark.long
def test_twenty_demos_in_a_row_succeed(tmp_path):
    for number in range(20):
        done = _demo(tmp_path / f"demo-{number}", "--json")
        assert done.returncode == 0, (number, done.stdout[-500:], done.stderr)


def _in_a_terminal(folder, act=None):
    """Run a demo in a pseudo-terminal of 100 columns; its exit code and everything that the terminal got."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    before = termios.tcgetattr(other)
    process = subprocess.Popen(
        [*COMMAND, "--dir", folder],
        stdin=other, stdout=other, stderr=other, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )  # fmt: skip
    shown, end = b"", time.monotonic() + LONGEST
    while time.monotonic() < end:
        ready, _, _ = select.select([main], [], [], 0.1)
        if ready:
            shown += os.read(main, 65_536)
            if act is not None and act(process, shown):
                act = None
        elif process.poll() is not None:
            break
    assert termios.tcgetattr(other) == before
    os.close(other)
    os.close(main)
    return process.wait(PATIENCE), shown.decode()


def _sane(shown):
    """The cursor is visible at the end, and no colour or other screen is left on."""
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0
    assert "\x1b[?1049h" not in shown
    colours = re.findall(r"\x1b\[([\d;]*)m", shown)
    assert not colours or colours[-1] in ("", "0")


@pytest.mark.long
def test_a_terminal_shows_the_table_and_is_left_sane_at_the_end_of_the_story(tmp_path):
    code, shown = _in_a_terminal(tmp_path / "demo")
    assert code == 0
    assert "cards it verified" in shown
    assert "●" in shown
    assert "every step did what it says" in shown
    _sane(shown)


def test_a_terminal_shows_the_table_and_ctrl_c_leaves_it_sane_and_nothing_running(tmp_path):
    def press(process, shown):
        if b"\xe2\x97\x8f" not in shown:
            return False
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody in it
        return True

    code, shown = _in_a_terminal(tmp_path / "demo", press)
    assert code == 130
    assert "cards it verified" in shown
    assert "Traceback" not in shown
    _sane(shown)
    _wait_until_gone(tmp_path / "demo")
