"""Watching: a run is not over before it has shown anything, and lasts where nobody waits for anything."""

from dataclasses import dataclass

import pytest

from simulations import Excluded, FirstNodeCarries, Included, LiesCost, OldKeysGone, Scenario, Watch, run
from simulations.scenario import ScenarioFile


def play(**scenario):
    made = Scenario(nodes=4, **{"seconds": 8, "start": 3.0, **scenario})
    file = ScenarioFile(name="own", question="?", number=None, recorded="", parameters={}, make=lambda: made)
    return run(file)


@pytest.mark.parametrize(
    "expected",
    [
        Excluded(kinds=("liar",)),
        OldKeysGone(within=1),
        FirstNodeCarries(bytes_a_node=1e6),
        LiesCost(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_where_nothing_is_waited_for_a_run_lasts_its_whole_time(expected):
    outcome = play(expects=[expected], adversaries={"liar": 1})
    assert outcome.virtual_seconds == 8
    assert outcome.metrics["deliveries"] > 0


def test_a_run_is_not_over_before_all_have_started():
    outcome = play(expects=[Included(kinds=("newer",))])  # of whom there is none: it is settled at the first look
    assert 2 < outcome.virtual_seconds < 8


@dataclass(frozen=True)
class Late:
    """Something of a user's own that is wrong from the fifth second on."""

    def watch(self, view, schedule):
        return _Late(view, schedule)


class _Late(Watch):
    name = "nothing after the fifth second"

    def look(self):
        if self.view.now > 5e9:
            self.broken("there is")


def test_a_check_of_ones_own_that_says_nothing_of_when_it_is_settled_sees_the_whole_run():
    assert [check.name for check in play(expects=[Late()]).broken] == [_Late.name]
