"""Checks that can fail: each guard of the node is taken away once, and the scenario that is to notice does."""

import pytest

from simulations.mutants import MUTANTS, hunt
from simulations.mutations import applied, keep_sessions
from simulations.running import run

SEEDS = 10  # most are caught by the first; `p2pnoise simulate mutants` tries 200
EVERY_DAY = (
    "skip-signatures",
    "forget-numbers",
    "keep-sessions",
    "never-expire",
    "forget-teardown",
    "dial-again-at-once",
)


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=() if one.name in EVERY_DAY else pytest.mark.long) for one in MUTANTS],
    ids=lambda one: f"{one.name} in {one.scenario}",
)
def test_a_node_without_one_of_its_guards_is_caught(mutant):
    caught = hunt(mutant, seeds=SEEDS)
    assert caught is not None
    assert caught.healthy


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.name} in {one.scenario}")
def test_what_a_mutant_takes_away_is_there(mutant):
    """Or it is found to be gone by the long campaigns alone."""
    with applied(mutant.mutation):
        pass


def test_a_rule_that_was_broken_is_whole_again():
    before = run("revocation", nodes=5, seed=1)
    with applied(keep_sessions):
        assert not run("revocation", nodes=5, seed=1).ok
    assert run("revocation", nodes=5, seed=1) == before
