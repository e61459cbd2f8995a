"""The bars of `p2pnoise simulate`: on a terminal they are shown from the first word on, elsewhere there is nothing."""

import io
import sys

import pytest

from cli.simulate import run, sweep, validate

BARS = {
    "run": (run.progress_bar, (1.5, 60.0), "1.50 s of at most 60"),
    "sweep": (lambda: sweep._progress_bar(7), (3, 1), "1 broken"),
    "validate": (validate._progress, ("real runs", 2, 9), "2 of 9"),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("bar", "told", "shown"), BARS.values(), ids=BARS)
def test_a_bar_on_a_terminal_shows_how_far_it_is(monkeypatch, bar, told, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with bar() as progress:
        progress(*told)
    assert shown in sys.stderr.getvalue()


@pytest.mark.parametrize(("bar", "told"), [one[:2] for one in BARS.values()], ids=BARS)
def test_elsewhere_there_is_no_bar(capsys, bar, told):
    with bar() as progress:
        progress(*told)
    assert capsys.readouterr().err == ""
