"""Statistics of a validation: known values, and what they must not mistake for one another."""

import random

import pytest

from simulations.real.statistics import Margins, compare, holm, kolmogorov_smirnov, quantile


def draws(seed, count, mean=0.0):
    chance = random.Random(seed)
    return [chance.gauss(mean, 1) for _ in range(count)]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.0),
        ([1, 2], [3, 4], 1.0),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5),
        ([1, 1, 1, 2], [1, 2, 2, 2], 0.5),  # ties are one step
        ([5], [1, 2, 3, 9], 0.75),
    ],
)
def test_the_distance_is_the_largest_between_the_two_distributions(one, other, distance):
    assert kolmogorov_smirnov(one, other)[0] == distance
    assert kolmogorov_smirnov(other, one)[0] == distance


@pytest.mark.parametrize(("x", "probability"), [(1.224, 0.10), (1.358, 0.05), (1.628, 0.01), (1.949, 0.001)])
def test_the_tail_is_the_one_in_the_tables_of_kolmogorov(x, probability):
    """Critical values as printed since Smirnov (1948): a distance that is so large by chance so seldom."""
    from simulations.real.statistics import _tail  # noqa: PLC0415

    assert _tail(x) == pytest.approx(probability, rel=0.01)


def test_one_law_is_taken_for_another_as_seldom_as_the_level_says():
    mistakes = sum(kolmogorov_smirnov(draws(seed, 60), draws(seed + 10_000, 200))[1] < 0.05 for seed in range(400))
    assert mistakes <= 32  # 20 are expected; more than 32 in one case of 200


def test_another_law_is_noticed():
    assert kolmogorov_smirnov(draws(1, 200), draws(2, 600, mean=0.5))[1] < 0.001


def test_two_samples_of_which_one_is_empty_are_of_no_one_law():
    assert kolmogorov_smirnov([], [1.0]) == (1.0, 0.0)


def test_holm_multiplies_the_least_probability_most_and_never_turns_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_quantiles_are_those_of_numpy():
    numpy = pytest.importorskip("numpy")
    figures = draws(3, 37)
    for share in (0, 0.1, 0.5, 0.95, 1):
        assert quantile(figures, share) == pytest.approx(float(numpy.quantile(figures, share)))
    assert quantile([], 0.5) == 0.0


def test_a_figure_is_near_within_its_margins_and_not_beyond():
    margins = Margins(median=0.10, p95=0.15)
    real = [100.0] * 50
    near, far = compare(
        [("a", "", real, [109.0] * 50, margins), ("b", "", real, [112.0] * 50, margins)],
    )
    assert near.near
    assert not far.near
    assert far.off(0.5) == pytest.approx(0.12)
    assert not near.one_law  # it is another law, and near enough


def test_below_a_least_difference_nobody_asks():
    (one,) = compare([("a", "s", [0.001] * 9, [0.004] * 9, Margins(median=0.1, p95=0.1, least=0.005))])
    assert one.near


def test_a_real_figure_of_nothing_is_near_nothing_but_nothing():
    other, same = compare(
        [("a", "", [0.0], [1.0], Margins(median=1, p95=1)), ("b", "", [0.0], [0.0], Margins(median=1, p95=1))]
    )
    assert not other.near
    assert same.near
