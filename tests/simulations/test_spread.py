"""The scenario spread, and what the model makes of it."""

import pytest

from simulations import ScenarioError, run
from simulations.model.fit import courses_of, fit
from simulations.model.modelling import MARGIN


def test_news_begins_where_it_is_given_and_comes_to_all():
    outcome = run("spread", nodes=80, parameters={"things": 2, "begin": 8})
    assert outcome.ok
    shares = [share for _, share in outcome.curves["informed"]]
    assert shares[0] == 0.1
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    first_full = next(at for at, share in outcome.curves["informed"] if share == 1.0)
    assert outcome.metrics["everywhere_after"] == first_full


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    one, again, other = (run("spread", nodes=30, seed=seed, parameters={"things": 1}).line() for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("parameters", [{"things": 0}, {"begin": 0}, {"begin": -1}, {"speed": 1}])
def test_what_cannot_spread_is_refused(parameters):
    with pytest.raises(ScenarioError):
        run("spread", nodes=30, parameters=parameters)


@pytest.mark.long
def test_the_model_that_is_fitted_at_a_thousand_nodes_holds_at_five_thousand():
    smaller, larger = courses_of(run("spread", nodes=nodes, seed=seed) for nodes in (1000, 5000) for seed in (1, 2))
    found = fit(smaller)
    assert found.difference.share <= MARGIN
    assert found.compare(larger).share <= MARGIN
