"""Two runs or sweeps side by side: how far apart, whether further than seeds are, and what cannot be compared."""

import json

import pytest
from click.testing import CliRunner

from cli.main import root
from p2pnoise.folder.fault import Fault
from simulations.outcome import Check
from simulations.report import compare
from simulations.report.page import comparison_page
from tests.simulations.report.made import HOSTILE, VERSIONS, hostile_outcome, outcome, sweep

NAMES = ("before", "after")


def metric(pair, name):
    (found,) = (one for one in pair.metrics if one.name == name)
    return found


def valued(*values, **given):
    return [outcome(seed, metrics={"x": value}, **given) for seed, value in enumerate(values, 1)]


def test_the_change_is_that_of_the_medians_in_the_direction_from_a_to_b():
    (pair,) = compare(valued(1, 2, 9), valued(1, 3, 4), names=NAMES).pairs
    assert metric(pair, "x").change == pytest.approx(0.5)
    assert metric(pair, "x").change_text == "+50.0 %"


@pytest.mark.parametrize(
    ("one", "other", "change"), [((0,), (0,), 0.0), ((0,), (1,), None), ((-2,), (-1,), 0.5), ((4,), (3,), -0.25)]
)
def test_a_change_from_nothing_has_no_percentage(one, other, change):
    (pair,) = compare(valued(*one), valued(*other), names=NAMES).pairs
    assert metric(pair, "x").change == change


def test_bands_that_share_no_figure_are_apart():
    (pair,) = compare(valued(1, 2, 3), valued(7, 8, 9), names=NAMES).pairs
    assert not metric(pair, "x").overlap
    (pair,) = compare(valued(1, 2, 8), valued(7, 8, 9), names=NAMES).pairs
    assert metric(pair, "x").overlap


def test_of_one_run_on_either_side_nobody_knows_what_is_between_seeds(files):
    for name, value in (("one", 1), ("other", 7)):
        (files / f"{name}.jsonl").write_text(valued(value)[0].line() + "\n")
    compared = compare(valued(1), valued(7), names=NAMES)
    assert metric(compared.pairs[0], "x").overlap is None
    text = comparison_page(compared)
    assert "one run each" in text
    assert "bands apart" not in text
    said = simulate(files / "one.jsonl", files / "other.jsonl").stdout
    assert "one run each" in said
    assert "apart" not in said


def test_what_only_one_of_them_measured_is_not_compared():
    (pair,) = compare([outcome(metrics={"x": 1, "y": 1})], [outcome(metrics={"x": 1, "z": 1})], names=NAMES).pairs
    assert [one.name for one in pair.metrics] == ["x"]


def test_groups_are_matched_by_size_and_parameters_and_then_by_scenario():
    one = [outcome(nodes=10), outcome(nodes=20), outcome(scenario="other")]
    other = [outcome(nodes=20), outcome(nodes=30)]
    found = compare(one, other, names=NAMES)
    assert [(pair.one.one.nodes, pair.other.one.nodes) for pair in found.pairs] == [(10, 30), (20, 20)]
    assert found.only == (("other, bytes, 24 nodes",), ())


def test_what_was_told_differently_is_named():
    newer = {**VERSIONS, "p2pnoise": "0.8.0"}
    (pair,) = compare([outcome()], [outcome(nodes=30, versions=newer)], names=NAMES).pairs
    assert pair.differences == [("nodes", "24", "30"), ("version of p2pnoise", "0.7.0", "0.8.0")]


def test_a_check_that_broke_on_one_side_is_named():
    (pair,) = compare(sweep(5, broken=()), sweep(5, broken=(2,)), names=NAMES).pairs
    assert pair.checks == [("all know all after the cut has healed", "held in 5 of 5", "held in 4 of 5")]


def test_a_check_that_held_is_not_listed_among_those_that_did_not():
    more = Check(name="checked on one side alone", holds=True)
    one, other = outcome(), outcome(checks=(*outcome().checks, more))
    assert compare([one], [other], names=NAMES).pairs[0].checks == []
    broken = outcome(checks=(*outcome().checks, Check(name=more.name, holds=False)))
    assert compare([one], [broken], names=NAMES).pairs[0].checks == [(more.name, "not checked", "held in 0 of 1")]


def test_two_questions_are_not_compared_unless_somebody_insists():
    one, other = [outcome()], [outcome(question="Something else?")]
    with pytest.raises(Fault, match="two different questions") as refused:
        compare(one, other, names=NAMES)
    assert "--anyway" in refused.value.hint
    assert len(compare(one, other, names=NAMES, anyway=True).pairs) == 1


def test_two_scenarios_are_not_compared_unless_somebody_insists():
    one, other = [outcome()], [outcome(scenario="other", question="Something else?")]
    with pytest.raises(Fault, match="nothing to compare: before is of half-partition, after of other"):
        compare(one, other, names=NAMES)
    assert len(compare(one, other, names=NAMES, anyway=True).pairs) == 1


def test_nothing_is_not_compared():
    with pytest.raises(Fault, match="after holds no outcome"):
        compare([outcome()], [], names=NAMES)


def test_a_page_lays_the_curves_over_each_other():
    text = comparison_page(compare(sweep(8), sweep(8, slow=1.5), names=("runs/before/x.jsonl", "runs/after/x.jsonl")))
    picture = text[text.index("<svg viewBox") : text.index("</svg>")]
    assert ">A before</text>" in picture
    assert ">B after</text>" in picture
    assert "var(--main)" in picture
    assert "var(--other)" in picture
    assert "stroke-dasharray" in picture  # told apart without colours too


def test_hostile_text_is_text_in_a_comparison():
    text = comparison_page(compare([hostile_outcome()], [hostile_outcome(2)], names=(HOSTILE, f"{HOSTILE}2")))
    assert text.count("<script") == 2
    assert "<img" not in text


@pytest.fixture
def files(tmp_path):
    for name, given in (("a", sweep(6)), ("b", sweep(6, slow=2.0)), ("c", [outcome(question="Why?")])):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{one.line()}\n" for one in given))
    return tmp_path


def simulate(*words):
    result = CliRunner().invoke(root, ["simulate", "compare", *map(str, words)])
    assert "Traceback" not in result.output
    assert "unexpected" not in result.output
    return result


def test_the_command_prints_a_table_for_people(files):
    result = simulate(files / "a.jsonl", files / "b.jsonl")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("bytes sent by the median node")]
    assert line.rstrip().endswith("apart")
    assert "+" in line


def test_the_command_prints_json_for_programs(files):
    said = json.loads(simulate(files / "a.jsonl", files / "b.jsonl", "--json").stdout)
    (pair,) = said["pairs"]
    assert said["ok"] is True
    assert pair["a"]["runs"] == 6
    assert {"metric", "a", "b", "change", "bands_overlap"} == set(pair["metrics"][0])


def test_the_command_writes_a_page(files):
    assert simulate(files / "a.jsonl", files / "b.jsonl", "--html", files / "x.html").exit_code == 0
    assert (files / "x.html").read_text().startswith("<!doctype html>")
    again = simulate(files / "a.jsonl", files / "b.jsonl", "--html", files / "x.html")
    assert "--force" in again.stderr
    assert simulate(files / "a.jsonl", files / "b.jsonl", "--html", files / "x.html", "--force").exit_code == 0


def test_the_command_refuses_with_a_next_step(files):
    for words in ((files / "a.jsonl", files / "c.jsonl"), (files / "a.jsonl", files / "nothing")):
        result = simulate(*words)
        assert result.exit_code == 1
        assert "fix: " in result.stderr
    assert simulate(files / "a.jsonl", files / "c.jsonl", "--anyway").exit_code == 0


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(files):
    result = simulate(files / "nothing", files / "nothing", "--html", files / "a.jsonl")
    assert "exists already" in result.stderr
