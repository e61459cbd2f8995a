"""The form in which every bench reports."""

import json

import pytest

from cli.bench.report import Case, at_least, at_most, compare, print_results

FASTER = Case(name="ours / theirs", ours="a", other="b", unit="requests/s", target=at_least(2.0))
SMALLER = Case(name="ours / theirs", ours="a", other="b", unit="KiB", target=at_most(0.5))
FOR_INFORMATION = Case(name="ours / theirs", ours="a", other="b", unit="us")


def _one(case, ours, other):
    (result,) = compare("some", [case], {"a": ours, "b": other})
    return result


def test_the_ratio_is_that_of_the_medians():
    assert _one(FASTER, [10.0, 30.0, 1000.0], [1.0, 10.0, 12.0]).ratio == 3.0


def test_the_quartiles_stand_around_the_median():
    quartiles = _one(FASTER, [1.0, 2.0, 3.0, 4.0, 5.0], [1.0]).ours
    assert (quartiles.low, quartiles.median, quartiles.high) == (2.0, 3.0, 4.0)


@pytest.mark.parametrize(("ours", "met"), [(3.9, False), (4.0, True), (4.1, True)])
def test_what_should_be_higher_meets_its_target_from_there_on(ours, met):
    assert _one(FASTER, [ours], [2.0]).met is met


@pytest.mark.parametrize(("ours", "met"), [(0.9, True), (1.0, True), (1.1, False)])
def test_what_should_be_lower_meets_its_target_up_to_there(ours, met):
    assert _one(SMALLER, [ours], [2.0]).met is met


def test_a_line_of_json_says_it_all(capsys):
    print_results([_one(FASTER, [6.0, 6.0], [2.0, 2.0])], as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "bench": "some",
        "case": "ours / theirs",
        "ours": 6.0,
        "other": 2.0,
        "unit": "requests/s",
        "ratio": 3.0,
        "target": 2.0,
        "better": "higher",
        "met": True,
        "ours_quartiles": [6.0, 6.0],
        "other_quartiles": [2.0, 2.0],
        "ratio_quartiles": [3.0, 3.0],
        "rounds": 2,
        "note": None,
    }


def test_what_has_no_target_neither_meets_nor_misses_it():
    fields = _one(FOR_INFORMATION, [1.0], [1.0]).to_json()
    assert (fields["target"], fields["better"], fields["met"]) == (None, None, None)


def test_what_was_not_measured_is_no_number_and_says_why(capsys):
    results = compare("some", [FASTER], {"a": [1.0]}, {"b": "not installed"})
    fields = results[0].to_json()
    assert (fields["other"], fields["ratio"], fields["met"], fields["note"]) == (None, None, None, "not installed")
    print_results(results, as_json=False)
    assert "not installed" in capsys.readouterr().out


def test_the_table_says_what_is_met_and_what_is_not(capsys):
    print_results([_one(FASTER, [6.0], [2.0]), _one(SMALLER, [6.0], [2.0])], as_json=False)
    _, faster, smaller, *_ = capsys.readouterr().out.splitlines()
    assert faster.split()[-5:] == ["3", "(3-3)", ">=", "2", "yes"]
    assert smaller.split()[-5:] == ["3", "(3-3)", "<=", "0.5", "no"]


def test_the_spread_of_the_ratio_is_that_over_the_rounds():
    result = _one(FASTER, [2.0, 4.0, 12.0], [1.0, 1.0, 2.0])
    assert (result.ratio, result.ratios.low, result.ratios.high) == (4.0, 3.0, 5.0)


def test_sides_that_were_not_measured_in_the_same_rounds_have_no_such_spread():
    assert _one(FASTER, [2.0, 4.0, 12.0], [1.0]).ratios is None


def test_nothing_is_divided_by_nothing():
    result = _one(FASTER, [1.0], [0.0])
    assert (result.ratio, result.met) == (None, None)


def test_a_ratio_that_most_rounds_do_not_show_is_called_unsteady(capsys):
    result = _one(FASTER, [1.0, 1.0, 8.0, 8.0, 8.0], [1.0, 1.0, 1.0, 8.0, 8.0])
    assert result.ratio == 8.0
    assert result.ratios.high == 1.0
    assert result.to_json()["note"].startswith("unsteady")
    print_results([result], as_json=False)
    assert "ours / theirs: unsteady" in capsys.readouterr().out
