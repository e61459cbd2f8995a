"""`p2pnoise bench node`: what it compares, with and without another library. What it measures is nobody's test."""

import json
import sys
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from cli.bench.stage import OURS
from cli.main import root

SHORT = ("node", "--seconds", "0.01", "--peers", "2")
ROWS = 9  # of loads, and one of memory


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch):
    """What is measured is nobody's test."""
    monkeypatch.setattr("cli.bench.rounds._MIN_ROUNDS", 1)


def _bench(*words):
    result = CliRunner().invoke(root, ["bench", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _lines(*words):
    result = _bench(*SHORT, "--json", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def _compared(lines, what):
    return [line for line in lines if line["case"].endswith(what)]


def test_every_row_reports_and_is_compared_where_there_is_something_to_compare():
    lines = _lines()
    assert len({line["case"].partition(" / ")[0] for line in lines}) == ROWS + 1
    assert all(line["ours"] > 0 for line in lines if "memory" not in line["case"])
    assert [line["case"] for line in lines if line["other"] is None] == ["streams opened", "bulk, ten streams"]
    assert len(_compared(lines, " / NoiseStream")) == 4
    (services,) = _compared(lines, " / bulk, one stream")
    (bulk,) = _compared(lines, "bulk, one stream / NoiseStream")
    assert services["other"] == bulk["ours"]
    limits = [line for line in lines if line["target"] is not None]
    assert [(line["other"], line["unit"]) for line in limits] == [(5, "ms"), (5, "ms"), (0.3, "ms"), (0.05, "MB")]


class _Quick:
    """Two processes that answer at once, and one of them is the better the more often it is asked."""

    def __init__(self):
        self.asked = 0

    def load(self, command, _side, **_how):
        return [0.001] if command in ("connects", "echoes") else 1e6

    def cpu(self):
        self.asked += 1
        return float(self.asked)

    server_memory = cpu


def test_another_library_beside_is_compared_in_every_row(monkeypatch):
    commands = []

    def stage(_sides, command):
        commands.append(command)
        return nullcontext(_Quick())

    monkeypatch.setattr("cli.bench.node.stage", stage)
    monkeypatch.setattr("cli.bench.node._libp2p", lambda python: (python, "libp2p_side.py"))
    lines = _lines("--beside", "some-python")
    beside = _compared(lines, " / py-libp2p")
    assert len(beside) == ROWS  # py-libp2p forwards nothing
    assert [line["case"] for line in beside if line["target"]] == [
        "bulk, one stream / py-libp2p",
        "bulk, ten streams / py-libp2p",
    ]
    assert not [line for line in lines if line["other"] is None]
    assert commands[:4] == [OURS, ("some-python", "libp2p_side.py")] * 2


@pytest.mark.parametrize(
    ("python", "why"), [(sys.executable, "No module named 'libp2p'"), ("/no/such/python", "No such file or directory")]
)
def test_an_interpreter_without_py_libp2p_is_a_sentence_and_the_next_step(python, why):
    result = _bench(*SHORT, "--beside", python)
    assert result.exit_code == 1
    sentence, fix = result.stderr.splitlines()
    assert f"{python} does not run py-libp2p: " in sentence
    assert why in sentence
    assert "make bench-peers" in fix
    assert result.stdout == ""
