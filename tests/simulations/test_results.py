"""Outcomes are read from wherever they were left, and laid out flat for whoever has a table of data."""

import csv
import io
import json

import pytest

from p2pnoise.folder.fault import Fault
from simulations import Outcome, results
from tests.simulations.report.made import hostile_outcome, outcome, sweep


def lines(outcomes):
    return "".join(f"{one.line()}\n" for one in outcomes)


def test_a_file_of_lines_gives_the_outcomes_that_were_written(tmp_path):
    file = tmp_path / "some.jsonl"
    given = [*sweep(4), hostile_outcome()]
    file.write_text(lines(given))
    assert results.read(file) == given


def test_a_sweep_is_read_by_the_name_of_its_folder(tmp_path):
    (tmp_path / results.LINES).write_text(lines(sweep(3)))
    assert [one.seed for one in results.read(str(tmp_path))] == [1, 2, 3]


def test_a_sweep_is_read_in_the_order_of_its_tasks_whichever_was_done_first(tmp_path):
    numbered = [f'{{"task":{task},{one.line()[1:]}\n' for task, one in enumerate(sweep(3))]
    (tmp_path / results.LINES).write_text("".join(reversed(numbered)))
    assert [one.seed for one in results.read(tmp_path)] == [1, 2, 3]


def test_runs_without_an_outcome_are_read_beside_the_others(tmp_path):
    (tmp_path / results.LINES).write_text(lines(sweep(1)))
    assert results.failures(tmp_path) == []
    task = {"scenario": "loss", "nodes": 9, "seed": 4, "fidelity": "bytes", "parameters": {"loss": 0.1}}
    (tmp_path / "failures.jsonl").write_text(
        json.dumps({"task": 7, **task, "failure": "KeyError: 3", "trace": ""}) + "\n"
    )
    assert results.failures(tmp_path) == [results.Failure(**task, failure="KeyError: 3")]
    assert results.failures(tmp_path / results.LINES) == []


def test_one_run_may_be_indented_for_people(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(outcome().to_json(), indent=2))
    assert results.read(file) == [outcome()]


@pytest.mark.parametrize("cut", [1, 7, 400])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path, cut):
    file = tmp_path / "some.jsonl"
    text = lines(sweep(3))
    file.write_text(text[:-cut] if cut > 1 else text[:-2])
    assert [one.seed for one in results.read(file)] == [1, 2]


@pytest.mark.parametrize("bad", ["{", "[]", "7", "null", '{"task": "x"}', '{"ok": true}', '"text"', "[" * 100_000])
def test_what_is_no_outcome_is_refused_with_its_line(tmp_path, bad):
    file = tmp_path / "some.jsonl"
    file.write_text(f"{outcome().line()}\n{bad}\n")
    with pytest.raises(Fault, match="line 2: no outcome") as refused:
        results.read(file)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nodes", "x"),
        ("nodes", -1),
        ("nodes", True),
        ("seed", "a"),
        ("scenario", 3),
        ("fidelity", None),
        ("virtual_seconds", float("nan")),
        ("checks", [{"name": "S1"}]),
        ("checks", [{"name": 3, "holds": True}]),
        ("checks", [{"name": "S1", "holds": False, "at": "x"}]),
        ("checks", 3),
        ("parameters", []),
        ("parameters", {"share": []}),
        ("metrics", {"bytes": "many"}),
        ("metrics", 3),
        ("curves", {"informed": [[0, "x"]]}),
        ("curves", {"informed": [0]}),
        ("samples", {"links": ["x"]}),
        ("edges", [[0, "x"]]),
        ("edges", [[0]]),
        ("kinds", []),
        ("events", {"peer-lost": "x"}),
        ("versions", {"python": 3}),
        ("schedule", ["crash"]),
        ("notes", {"links": []}),
    ],
)
def test_an_outcome_with_a_field_that_no_run_has_is_none(name, value):
    with pytest.raises(ValueError, match=r"\S"):
        Outcome.from_json(outcome().to_json() | {name: value})


@pytest.mark.parametrize("name", Outcome.__dataclass_fields__)
def test_an_outcome_that_lacks_a_field_is_none(name):
    told = outcome().to_json()
    del told[name]
    with pytest.raises(ValueError, match=f"it has no {name}"):
        Outcome.from_json(told)


def test_what_is_not_there_or_no_text_is_refused_with_a_next_step(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for path, says in (
        (tmp_path / "nothing", "does not exist"),
        (tmp_path, "holds no"),
        (tmp_path / "bytes", "no text"),
    ):
        with pytest.raises(Fault, match=says) as refused:
            results.read(path)
        assert refused.value.hint


def test_all_rows_have_the_same_columns_so_that_csv_and_pandas_take_them():
    found = results.rows([outcome(1), outcome(2, metrics={"other": 1.0}, events={})])
    assert [list(row) for row in found] == [list(found[0])] * 2
    assert found[0]["metrics.converged_after"] == outcome(1).metrics["converged_after"]
    assert (found[0]["metrics.other"], found[1]["metrics.other"]) == (None, 1.0)
    assert found[0]["checks.a sequence number never goes back"] is True
    file = io.StringIO()
    writer = csv.DictWriter(file, found[0])
    writer.writeheader()
    writer.writerows(found)
    assert len(file.getvalue().splitlines()) == 3


def test_a_row_holds_single_figures_alone():
    for row in results.rows(sweep(3)):
        assert all(value is None or isinstance(value, bool | int | float | str) for value in row.values())


def test_curves_and_samples_are_long_and_can_be_chosen_by_name():
    found = results.curves(sweep(2), "informed")
    assert {row["curve"] for row in found} == {"informed"}
    assert len(found) == sum(len(one.curves["informed"]) for one in sweep(2))
    assert (found[0]["t"], found[0]["value"]) == outcome(1).curves["informed"][0]
    sent = [row["value"] for row in results.samples(sweep(2), "bytes_sent") if row["seed"] == 2]
    assert tuple(sent) == sweep(2)[1].samples["bytes_sent"]
