"""Bands say of many runs what numpy would, and stay small whatever they are given."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.report.bands import LARGEST, POINTS, Band, CurveBand, finite, thinned

FIGURES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


@given(FIGURES)
def test_a_band_is_what_numpy_says(values):
    band = Band.of(values)
    assert [band.low, band.median, band.high] == pytest.approx(list(np.quantile(values, [0.05, 0.5, 0.95])), abs=1e-6)
    assert (band.least, band.most, band.count) == (min(values), max(values), len(values))


@given(FIGURES, FIGURES)
def test_bands_overlap_where_they_share_a_figure(one, other):
    a, b = Band.of(one), Band.of(other)
    assert a.overlaps(b) is b.overlaps(a) is (max(a.low, b.low) <= min(a.high, b.high))


@pytest.mark.parametrize("value", [None, "7", float("nan"), float("inf"), -float("inf"), 1e300, 10**400, LARGEST])
def test_what_cannot_be_drawn_is_no_figure(value):
    assert finite([value, 1]) == [1.0]
    assert Band.of([value]) is None


def test_a_curve_is_the_same_whether_its_runs_looked_at_the_same_times_or_not():
    line = [(t / 10, t / 10) for t in range(101)]
    band = CurveBand.of([line, line[::2], line[::5]])
    assert band.low == pytest.approx(band.times)
    assert band.high == pytest.approx(band.times)


def test_a_run_that_has_ended_counts_with_its_last_value():
    band = CurveBand.of([[(0, 0), (1, 1)], [(0, 0), (1, 1), (4, 1)]])
    assert band.times[-1] == 4
    assert (band.low[-1], band.high[-1], band.ends.most) == (1, 1, 4)


def test_a_curve_of_many_long_runs_has_few_points():
    chance = random.Random(1)
    runs = [[(t + chance.random(), chance.random()) for t in range(3000)] for _ in range(20)]
    assert len(CurveBand.of(runs).times) == POINTS


def test_no_curve_is_no_band():
    assert CurveBand.of([]) is None
    assert CurveBand.of([(), ((float("nan"), 1.0),)]) is None


@given(st.integers(0, 2000), st.integers(2, 300))
def test_thinning_keeps_the_ends_the_order_and_the_limit(length, limit):
    kept = thinned(range(length), limit)
    assert len(kept) == min(length, limit)
    assert kept == sorted(set(kept))
    assert kept[:1] == list(range(length))[:1]
    assert kept[-1:] == list(range(length))[-1:]
