"""Rounds: every side in turn, warmed up once."""

import os
import pty
import subprocess
import sys

import pytest

from cli.bench.rounds import interleave, progress_bar
from tests.patience import PATIENCE


def _run(**how):
    order = []

    def side(name):
        def sample():
            order.append(name)
            return float(len(order))

        return sample

    return order, interleave({"a": side("a"), "b": side("b")}, seconds=1e-9, progress=lambda _done: None, **how)


def test_the_sides_take_turns_for_three_rounds_after_one_that_is_not_counted():
    order, samples = _run()
    assert "".join(order) == "ab" * 4
    assert samples == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}


def test_what_cannot_be_warm_is_counted_from_the_start():
    order, samples = _run(warm_up=False)
    assert "".join(order) == "ab" * 3
    assert samples["a"][0] == 1.0


def test_progress_comes_to_the_end():
    told = []
    interleave({"a": lambda: 1.0}, seconds=1e-9, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_there_is_no_bar_where_stderr_is_no_terminal(capsys):
    with progress_bar("some", as_json=False) as progress:
        progress(0.5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("more", "bar"), [((), True), (("--json",), False)])
def test_there_is_a_bar_on_a_terminal_unless_a_program_reads(more, bar):
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-m", "cli", "bench", "handshake", "--seconds", "0.01", *more]
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, timeout=PATIENCE, check=True)
        os.set_blocking(terminal, False)
        shown = screen.read(65536) or b""
        os.close(stderr)
    assert (b"handshake" in shown) is bar
    assert done.stdout
