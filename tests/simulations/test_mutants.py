"""Checks that can fail: each guard of the node is taken away once, and the scenario that is to notice does."""

import pytest

from simulations.mutants import MUTANTS, hunt
from simulations.mutations import applied, keep_sessions
from simulations.running import run

SEEDS = 10  # all are caught by the first one or two; `p2pnoise simulate mutants` tries 200


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=pytest.mark.long if one.nodes > 12 else ()) for one in MUTANTS],
    ids=lambda one: f"{one.name} in {one.scenario}",
)
def test_a_node_without_one_of_its_guards_is_caught(mutant):
    caught = hunt(mutant, seeds=SEEDS)
    assert caught is not None
    assert caught.healthy


def test_a_rule_that_was_broken_is_whole_again():
    before = run("revocation", nodes=5, seed=1)
    with applied(keep_sessions):
        assert not run("revocation", nodes=5, seed=1).ok
    assert run("revocation", nodes=5, seed=1) == before
