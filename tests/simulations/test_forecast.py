"""Forecast: what a run may cost is what it did cost where that was measured, and worth a word where it is much."""

import pytest

from simulations import Scenario
from simulations.forecast import Forecast, forecast


@pytest.mark.parametrize(
    ("fidelity", "nodes", "seconds", "gib"),
    [
        ("messages", 3_000, 60, 0.4),
        ("messages", 10_000, 450, 2.3),
        ("bytes", 100, 5.8, 0.086),
        ("bytes", 200, 15, 0.157),
        ("virtual", 60, 4.9, 0.085),
        ("virtual", 120, 10.9, 0.125),
    ],
)
def test_a_forecast_is_what_was_measured(fidelity, nodes, seconds, gib):
    found = forecast(Scenario(), nodes, fidelity)
    assert found.seconds == pytest.approx(seconds, rel=0.2)
    assert found.gib == pytest.approx(gib, rel=0.2)


def test_time_and_memory_grow_with_the_square():
    one, ten = (forecast(Scenario(), nodes, "messages") for nodes in (100_000, 1_000_000))
    assert ten.seconds == pytest.approx(100 * one.seconds, rel=0.1)
    assert ten.gib == pytest.approx(100 * one.gib, rel=0.1)


def test_few_cards_are_little_work():
    many, few = (forecast(Scenario(publishers=count), 100_000, "messages") for count in (None, 100))
    assert few.seconds < many.seconds / 30
    assert few.gib < many.gib / 10


@pytest.mark.parametrize(
    ("seconds", "gib", "worth"), [(59, 0.9, False), (61, 0.1, True), (5, 1.1, True), (36_000, 150, True)]
)
def test_more_than_a_minute_or_a_gib_is_worth_a_word(seconds, gib, worth):
    assert Forecast(seconds, gib).worth_a_word is worth
