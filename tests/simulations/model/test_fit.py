"""Fits: an epidemic is found again from the curves that it made, and what it says elsewhere is compared there."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.main import root
from p2pnoise.folder.fault import Fault
from simulations import Outcome
from simulations.model.epidemic import Epidemic
from simulations.model.fit import courses_of, fit
from simulations.model.flood import Flood
from simulations.model.modelling import MARGIN, modelled, predicted

HIDDEN = Flood(nodes=500, evenness=0.33, begin=5)  # between two of those that are tried
PERIOD = 0.25


def outcomes(nodes, seeds=range(8), hidden=HIDDEN):
    """What an event world might find whose nodes did as the hidden one does, whose news five nodes have at first."""
    for seed in seeds:
        shares = replace(hidden, nodes=nodes).together(1000 + seed, rounds=99).mean(axis=0) / nodes
        times = [PERIOD * at / hidden.ticks for at in range(len(shares))]
        one = modelled(Epidemic(nodes=nodes), seed=seed, rounds=99, period=PERIOD)
        curve = tuple(zip(times, map(float, shares), strict=True))
        told = {"begin": hidden.begin}
        yield replace(one, fidelity="messages", curves={"informed": curve}, parameters=told)


@pytest.fixture(scope="module")
def fitted():
    (course,) = courses_of(outcomes(500))
    return fit(course)


def test_what_a_hidden_epidemic_did_is_found_again(fitted):
    assert fitted.difference.share < 0.01
    assert isinstance(fitted.model, Flood)
    assert fitted.model.evenness in (0.3, 0.4)
    assert fitted.period == pytest.approx(PERIOD, rel=0.05)


@pytest.mark.parametrize(("nodes", "seeds"), [(2500, 8), pytest.param(10_000, 2, marks=pytest.mark.long)])
def test_what_it_says_of_larger_networks_holds_there(fitted, nodes, seeds):
    (course,) = courses_of(outcomes(nodes, range(seeds)))
    assert fitted.compare(course).share < MARGIN
    told = fitted.predict(course.nodes)
    assert (told.low <= told.high).all()


def test_a_network_that_does_something_else_at_another_size_is_seen_to(fitted):
    (course,) = courses_of(outcomes(2500, hidden=Epidemic(nodes=2500, begin=5)))
    difference = fitted.compare(course)
    assert difference.share > 0.1
    outcome = predicted(fitted, fitted.predict(10_000), [difference], seed=1)
    assert [check.holds for check in outcome.checks] == [True, False]
    assert outcome.checks[1].at == pytest.approx(difference.at, abs=1e-5)


def test_runs_that_end_early_go_on_with_what_they_ended_with():
    short, long = outcomes(500, [1]), outcomes(500, [2], Epidemic(nodes=500, loss=0.8, begin=5))
    (course,) = courses_of([*short, *long])
    assert course.shares[-1] == 1.0
    assert (course.shares[1:] >= course.shares[:-1] - 1e-12).all()


@pytest.mark.parametrize("curves", [{}, {"informed": ((0.0, 1.0),)}, {"informed": ((0.0, 0.1), (5.0, 0.5))}])
def test_nothing_that_spreads_is_nothing_to_fit(curves):
    with pytest.raises(Fault, match="no spreading to fit"):
        courses_of([replace(next(outcomes(500)), curves=curves)])


def _model(*words):
    result = CliRunner().invoke(root, ["simulate", "model", *map(str, words)])
    assert "Traceback" not in result.output
    return result


def test_the_command_models_an_epidemic_that_is_an_outcome_like_any_other(tmp_path):
    found = _model("--nodes", "1e5", "--loss", 0.1, "--dead", 0.1, "--period", 2, "--json", "--out", tmp_path / "one")
    assert found.exit_code == 0
    outcome = Outcome.from_json(json.loads(found.stdout))
    assert (outcome.fidelity, outcome.nodes, outcome.ok) == ("model", 100_000, True)
    assert outcome.metrics["all_know_after"] == outcome.virtual_seconds == 2 * outcome.metrics["rounds"]
    assert outcome.metrics["half_know_after"] < outcome.metrics["99_in_100_know_after"]
    assert outcome.curves["informed"][-1] == (outcome.virtual_seconds, 1.0)
    assert (tmp_path / "one").read_text() == outcome.line() + "\n"
    assert "99 in 100 know after" in _model("--nodes", "1e5").stdout


def test_an_epidemic_that_does_not_end_in_time_says_how_many_do_not_know():
    found = _model("--nodes", "1e5", "--rounds", 9)
    assert found.exit_code == 1
    assert "of 100,000 live nodes do not" in found.stdout


def test_the_command_fits_compares_and_says_what_a_larger_network_would_do(tmp_path):
    file = tmp_path / "outcomes.jsonl"
    file.write_text("".join(one.line() + "\n" for one in [*outcomes(500), *outcomes(1000, range(3))]))
    found = _model("--fit", file, "--nodes", 20_000, "--json")
    assert found.exit_code == 0
    outcome = Outcome.from_json(json.loads(found.stdout))
    assert (outcome.nodes, outcome.parameters["fitted_at_nodes"]) == (20_000, 500)
    assert [check.name.split(":")[0] for check in outcome.checks] == ["500 nodes", "1,000 nodes"]
    early, mean, late = (outcome.metrics[f"half_know_after_{which}"] for which in ("early", "mean", "late"))
    assert 0.5 < early <= mean <= late < 15
    assert {"informed", "informed_low", "informed_high"} <= set(outcome.curves)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--nodes", "1"), 2),
        (("--nodes", "1.5"), 2),
        (("--nodes", "1e9"), 2),
        (("--nodes", "nan"), 2),
        (("--nodes", "inf"), 2),
        (("--loss", "1"), 2),
        (("--loss", "nan"), 2),
        (("--dead", "-0.1"), 2),
        (("--graph", "ring"), 2),
        (("--contacts", "9"), 2),
        (("--period", "0"), 2),
        (("--fit", "/nothing/of/the/kind"), 1),
    ],
)
def test_what_cannot_be_modelled_is_a_sentence_and_the_next_step(words, code):
    found = _model(*words)
    assert found.exit_code == code
    assert found.stderr.splitlines()[1].startswith("fix: ")
