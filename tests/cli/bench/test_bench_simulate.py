"""`p2pnoise bench simulate`: every line answers, or says why it does not. How fast it is is nobody's test."""

import json

import pytest
from click.testing import CliRunner

from cli.bench import simulate
from cli.main import root


def _bench(*words):
    result = CliRunner().invoke(root, ["bench", "simulate", *words])
    assert "Traceback" not in result.output
    return result


def test_quick_lines_have_figures_and_no_targets():
    found = _bench("--quick", "--only", "bytes", "--only", "model", "--json")
    assert (found.exit_code, found.stderr) == (0, "")
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["case"] for line in lines] == [
        "bytes, 12 nodes: until all know",
        "bytes, 12 nodes: memory",
        "model, 10,000 nodes: one epidemic",
        "model, 10,000 nodes: memory",
    ]
    for line in lines:
        assert line["ours"] > 0
        assert line["target"] is line["met"] is line["other"] is None


def test_full_size_is_measured_against_its_targets():
    found = _bench("--only", "model", "--json")
    epidemic, memory = (json.loads(line) for line in found.stdout.splitlines())
    assert epidemic["case"] == "model, 1,000,000 nodes: one epidemic / 1 s"
    assert (epidemic["other"], epidemic["target"], epidemic["better"]) == (1, 1.0, "lower")
    assert epidemic["met"] == (epidemic["ours"] <= 1)
    assert memory["target"] is None


def test_a_network_at_rest_is_measured_in_node_seconds(monkeypatch):
    job = simulate._Job(name="rest", fidelity="bytes", nodes=4, quick=4, seconds=60, steady=2, rate=20_000)
    monkeypatch.setattr(simulate, "_JOBS", (job,))
    results = simulate.run(quick=False, only=(), progress=lambda _done: None)
    (rest,) = (one for one in results if one.case.unit == "node-s/s")
    assert rest.ours.median > 0
    assert rest.other.median == 20_000
    assert rest.case.target.better == "higher"


def test_what_cannot_be_run_is_said_and_the_others_are_measured(monkeypatch, capsys):
    never = simulate._Job(name="never", scenario="nothing-of-the-kind", nodes=4, quick=4, seconds=1)
    model = simulate._Job(name="model", fidelity="model", nodes=9, quick=9, seconds=1)
    monkeypatch.setattr(simulate, "_JOBS", (never, model))
    found = simulate.run(quick=True, only=(), progress=lambda _done: None)
    assert {result.case.ours for result in found} == {"model"}
    assert "never: ScenarioError: there is no scenario nothing-of-the-kind" in capsys.readouterr().err


def test_a_table_for_people():
    found = _bench("--quick", "--only", "model")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[1].startswith("model, 10,000 nodes: one epidemic  s ")


@pytest.mark.parametrize("words", [("--only", "speed"), ("--seconds", "1"), ("7",)])
def test_wrong_words_are_answered_with_a_sentence_and_the_next_step(words):
    found = _bench(*words)
    assert found.exit_code == 2
    assert found.stderr.splitlines()[1].startswith("fix: ")
