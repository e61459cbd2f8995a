"""Clocks: a node that asks to be called at a time is called at the first nanosecond at which its own clock shows it."""

from hypothesis import given
from hypothesis import strategies as some

from p2pnoise.instant import SECOND
from simulations import ClockLaw, World
from simulations.clocks import START, Clock
from simulations.population import settle
from simulations.scenario import Scenario

YEARS = 10 * 365 * 86_400 * SECOND
DRIFTS = some.integers(-100_000, 100_000)


@given(drift=DRIFTS, local=some.integers(0, YEARS))
def test_the_time_of_the_world_is_the_first_at_which_the_clock_shows_it(drift, local):
    clock = Clock(0, drift)
    then = clock.world_time(local)
    assert clock.instant(then).monotonic >= local
    assert then == 0 or clock.instant(then - 1).monotonic < local


@given(drift=DRIFTS, now=some.integers(0, YEARS), more=some.integers(0, YEARS))
def test_no_clock_goes_back_whatever_it_drifts(drift, now, more):
    clock = Clock(0, drift)
    assert clock.instant(now).monotonic <= clock.instant(now + more).monotonic


def test_a_step_moves_the_wall_clock_and_no_interval():
    clock = Clock()
    before = clock.instant(5 * SECOND)
    clock.skew -= 3600
    after = clock.instant(5 * SECOND)
    assert after.monotonic == before.monotonic
    assert (before.unix, after.unix) == (START + 5, START + 5 - 3600)


def test_a_law_of_clocks_bounds_how_wrong_they_are_in_both_directions():
    scenario = Scenario(clocks=ClockLaw(skew=100, drift=50))
    places = settle(scenario, 200, World(1).chance)
    for figures, most in (([one.skew for one in places], 100), ([one.drift for one in places], 50)):
        assert -most <= min(figures) < -most / 2
        assert most / 2 < max(figures) <= most
