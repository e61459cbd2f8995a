"""`p2pnoise bench`: every subcommand answers people and programs. What it measures is nobody's test."""

import json
import sys

import pytest
from click.testing import CliRunner

from cli.main import root

SHORT = {
    "handshake": ("--seconds", "0.01"),
    "rps": ("--seconds", "0.01"),
    "bulk": ("--seconds", "0.01"),
    "messages": ("--seconds", "0.01"),
    "memory": ("--seconds", "0.01", "--connections", "50"),
    "cards": ("--seconds", "0.01", "--cards", "60"),
    "store": ("--seconds", "0.01", "--cards", "60"),
}
CASES = {"handshake": 5, "rps": 5, "bulk": 4, "messages": 2, "memory": 2, "cards": 10, "store": 3}
FIELDS = {"bench", "case", "ours", "other", "unit", "ratio", "target", "better", "met", "rounds"}


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch):
    """What is measured is nobody's test, and each round of some benches starts processes."""
    monkeypatch.setattr("cli.bench.rounds._MIN_ROUNDS", 2)


def _bench(*words):
    result = CliRunner().invoke(root, ["bench", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("name", SHORT)
def test_a_line_of_json_for_each_case_and_not_a_word_beside(name):
    result = _bench(name, *SHORT[name], "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == CASES[name]
    for line in lines:
        assert line.keys() >= FIELDS
        assert line["bench"] == name
        assert line["ours"] > 0
        assert line["ratio"] == pytest.approx(line["ours"] / line["other"])
        assert line["met"] in ((True, False) if line["target"] is not None else (None,))


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in ("handshake", "bulk") else pytest.mark.long) for one in SHORT]
)
def test_a_table_for_people(name):
    result = _bench(name, *SHORT[name])
    assert (result.exit_code, result.stderr) == (0, "")
    header, *rows = result.stdout.split("\n\n")[0].splitlines()
    assert header.split() == ["case", "unit", "ours", "other", "ratio", "target", "met"]
    assert len(rows) == CASES[name]


def test_a_library_that_is_not_installed_is_named_and_left_out(monkeypatch):
    for module in ("noise.connection", "dissononce.extras.meta.protocol.factory"):
        monkeypatch.setitem(sys.modules, module, None)
    lines = [json.loads(line) for line in _bench("handshake", *SHORT["handshake"], "--json").stdout.splitlines()]
    missing = [line for line in lines if line["note"] == "not installed"]
    assert [line["case"] for line in missing] == ["XX / noiseprotocol XX", "XX / dissononce XX"]
    assert all(line["other"] is line["ratio"] is line["met"] is None for line in missing)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("speed",), "no such command 'speed'"),
        (("rps", "--seconds", "0"), "invalid value for '--seconds'"),
        (("rps", "--seconds", "nan"), "not a number"),
        (("rps", "--seconds", "long"), "invalid value for '--seconds'"),
        (("rps", "8"), "unexpected extra argument (8)"),
        (("memory", "--connections", "0"), "invalid value for '--connections'"),
        (("memory", "--connections", "1000000"), "invalid value for '--connections'"),
    ],
)
def test_wrong_words_are_answered_with_a_sentence_and_the_next_step(words, says):
    result = _bench(*words)
    assert result.exit_code == 2
    sentence, fix = result.stderr.splitlines()
    assert says in sentence
    assert fix.startswith("fix: ")
