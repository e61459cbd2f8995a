"""A scenario file of somebody's own: what goes wrong in it is named by file and line, and never taken for our fault."""

import pytest
from click.testing import CliRunner

from cli.main import root
from simulations import ScenarioError, World, find, run

HEAD = '''"""Does it hold?"""
from __future__ import annotations
import random, sys
from dataclasses import dataclass
from time import time
from simulations import Converged, Crash, Scenario, Watch
'''
PLAIN = "Scenario(nodes=4, smoke=4, seconds=9, expects=[Converged(within=5)])"
WATCH = """
class Mine(Watch):
    name = "mine"
    def {method}:
        {does}

@dataclass
class Expected:
    least: int = 3
    def watch(self, view, schedule):
        return Mine(view, schedule)

def scenario():
    return Scenario(nodes=4, smoke=4, seconds=9, expects=[Converged(within=5), Expected()])
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "mine.py").write_text(HEAD + text)
        return "mine.py"

    return write


def refused(verb, *options):
    result = CliRunner().invoke(root, ["simulate", verb, "mine.py", *options])
    assert result.exit_code == 2, result.output
    assert "unexpected: " not in result.stderr
    assert "fix: " in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sys.exit(3)", "mine.py:7: SystemExit: 3"),
        ("1 / 0", "mine.py:7: ZeroDivisionError"),
        ("x = ]", "line 7"),
        ("def scenario(): return 3", "`scenario` returns 3"),
        ("def scenario(): sys.exit(3)", "mine.py:7: SystemExit: 3"),
        ("def scenario(): raise RuntimeError('no')", "mine.py:7: RuntimeError: no"),
        ("def scenario(): return Scenario(nods=3)", "mine.py:7: TypeError"),
        ("def scenario(): return Scenario(nodes='4')", "mine.py:7: ValueError: nodes = '4' is not a whole number"),
        ("def scenario(): return Scenario(faults=[Crash(at=1, nodes=(1,))])", "mine.py:7: ValueError: faults"),
        ("def scenario(): return Scenario(expects=['x'])", "mine.py:7: ValueError: expects: 'x' has no method `watch`"),
        ("def scenario(): return Scenario(expects=[Converged])", "has no method `watch`"),
        ("def scenario(): return Scenario(expects=[Converged(within='x')])", "Converged: within = 'x' is not a number"),
        ("def scenario(): return Scenario(faults=lambda _: 3)", "faults are 3"),
        ("def scenario(): return Scenario(faults=lambda _: [1 / 0])", "mine.py:7: ZeroDivisionError"),
        ("def scenario(): return Scenario(faults=lambda _: [random.random()])", "mine.py:7: RealWorldError"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "show", "sweep", "replay"])
def test_what_a_file_does_wrong_before_a_run_is_named(written, verb, text, words):
    written(text)
    assert words in refused(verb)


@pytest.mark.parametrize(
    ("method", "does", "words"),
    [
        ("look(self)", "self.view.nodes[99]", "mine.py:11: IndexError"),
        ("look(self)", "sys.exit(4)", "mine.py:11: SystemExit: 4"),
        ("look(self)", "time()", "mine.py:11: RealWorldError: time.time"),
        ("told(self, node, event)", "1 / 0", "mine.py:11: ZeroDivisionError"),
        ("stored(self, node, change)", "1 / 0", "mine.py:11: ZeroDivisionError"),
        ("finish(self)", "{}['x']", "mine.py:11: KeyError: 'x'"),
    ],
)
@pytest.mark.parametrize("fidelity", ["bytes", "virtual"])
def test_what_a_check_of_ones_own_raises_in_a_run_is_named(written, fidelity, method, does, words):
    written(WATCH.format(method=method, does=does))
    assert words in refused("run", "--fidelity", fidelity)
    if method != "finish(self)":  # a run that is held at a moment has not come to it
        assert words in refused("replay", "--fidelity", fidelity, "--until", "8")


def test_a_sweep_says_where_a_file_goes_wrong(written):
    written(WATCH.format(method="look(self)", does="self.view.nodes[99]"))
    result = CliRunner().invoke(root, ["simulate", "sweep", "mine.py", "--seeds", "1", "--engine", "serial"])
    assert result.exit_code == 1
    assert "\n    mine.py:11: IndexError: list index out of range\n" in result.stdout


def test_what_is_wrong_in_our_own_code_is_not_taken_for_theirs(written, monkeypatch):
    file = written(f"def scenario(): return {PLAIN}")

    def broken(*_given, **_named):
        raise RuntimeError("ours")

    monkeypatch.setattr(World, "run", broken)
    with pytest.raises(RuntimeError, match="ours"):
        run(file)


def test_the_time_of_day_is_refused_before_anything_runs(written):
    file = written("import datetime\nx = datetime.datetime.now()\n")
    with pytest.raises(ScenarioError, match=r"mine\.py:8: datetime\.now is decided by no seed"):
        find(file)


def test_a_file_that_was_changed_is_guarded_as_it_is_now(written):
    written(WATCH.format(method="look(self)", does="pass"))
    assert run("mine.py").broken == ()
    written(WATCH.format(method="look(self)", does="time()"))
    assert "RealWorldError" in refused("run")


@pytest.mark.parametrize(("name", "least"), [("partition", 2), ("cloned-key", 3)])
def test_of_too_few_nodes_it_is_said_how_many_are_enough(name, least):
    with pytest.raises(ScenarioError, match=f"{name} cannot be asked of 1 node: it needs at least {least}"):
        run(name, nodes=1)
