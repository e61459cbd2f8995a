"""Fit: which epidemic, and how many seconds a round of it, looks most like what an event world found.

Compared is the share that is informed, over time. Each epidemic of a grid (graph, contacts, loss) is run at the size of
the outcomes, and its rounds are laid over their seconds by a straight line: `start`, before anybody tells anything, and
`period`, the seconds of a round. First so that a tenth and nine tenths are informed when they are there, then by what
around it differs least where it differs most. The epidemic that differs least so is taken; what it says of
other sizes has been fitted to nothing there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from p2pnoise.folder.fault import Fault
from simulations.outcome import Outcome

from .epidemic import DEGREE, Epidemic, Graph

__all__ = ["Course", "Difference", "Fit", "Prediction", "courses_of", "fit"]

Floats = NDArray[np.floating[Any]]

_CONTACTS = (1, 2, 4, DEGREE)
_LOSSES = (0.0, 0.2, 0.4, 0.6, 0.8)
_PASSES = 16  # of `RUMOURS` things each: enough that their mean is known to a tenth of a round; a guess
_LARGE, _HUGE = 20_000, 2_000_000  # nodes from which on one pass does, and nodes from which on one thing at a time
_RUNS_OF_HUGE = 12
_ROUNDS = 400
_MOST = 0.99  # of all must come to know, or there is no course to fit


@dataclass(frozen=True, slots=True)
class Course:
    """A share over time: what all runs of one size found, as a mean."""

    nodes: int
    times: Floats
    """Those at which anybody looked."""
    shares: Floats


@dataclass(frozen=True, slots=True)
class Prediction:
    """The share over time at a size, with the band that nine in ten epidemics lie in."""

    nodes: int
    times: Floats
    low: Floats
    mean: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much two shares differ at most, and when: 0.03 are three percentage points."""

    nodes: int
    share: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """An epidemic that looks like a network; its `nodes` are those at which it was fitted."""

    epidemic: Epidemic
    start: float
    """Virtual seconds before its first round."""
    period: float
    """Virtual seconds of a round."""
    difference: Difference
    """At the size that was fitted."""

    def predict(self, nodes: int, *, seed: int = 1) -> Prediction:
        """What the share would be with so many nodes."""
        shares = _shares(replace(self.epidemic, nodes=nodes), seed)
        times = self.start + self.period * np.arange(shares.shape[1])
        low, high = np.quantile(shares, (0.05, 0.95), axis=0)
        return Prediction(nodes, times, low, shares.mean(axis=0), high)

    def compare(self, course: Course, *, seed: int = 1) -> Difference:
        """With what an event world found at its size."""
        told = self.predict(course.nodes, seed=seed)
        return _difference(course, told.times, told.mean)


def courses_of(outcomes: Iterable[Outcome]) -> list[Course]:
    """The mean of the curve `informed` at each size, the smallest first. Raises `Fault` where nothing spreads."""
    by_size: dict[int, list[Floats]] = {}
    for outcome in outcomes:
        if outcome.fidelity != "model" and len(outcome.curves.get("informed", ())) > 1:
            by_size.setdefault(outcome.nodes, []).append(np.asarray(outcome.curves["informed"], float))
    courses = []
    for nodes, curves in sorted(by_size.items()):
        times = np.unique(np.concatenate([curve[:, 0] for curve in curves]))
        # A run ends when all know all; what a curve ends with goes on.
        shares = np.mean([np.interp(times, curve[:, 0], curve[:, 1]) for curve in curves], axis=0)
        courses.append(Course(nodes, times, shares))
    if not courses or any(course.shares.max() < _MOST or course.nodes < 2 for course in courses):
        raise Fault(
            "there is no spreading to fit: no curve `informed` that begins low and comes to 99 %",
            "give outcomes of a scenario in which all come to know all, such as cold-start",
        )
    return courses


def fit(course: Course, *, seed: int = 1) -> Fit:
    """The epidemic that looks most like this course."""
    found: list[Fit] = []
    for graph, contacts, loss in product(get_args(Graph), _CONTACTS, _LOSSES):
        epidemic = Epidemic(nodes=course.nodes, graph=graph, contacts=contacts, loss=loss)
        shares = _shares(epidemic, seed).mean(axis=0)
        if shares[-1] > _MOST:
            start, period, difference = _laid_over(course, shares)
            found.append(Fit(epidemic=epidemic, start=start, period=period, difference=difference))
    return min(found, key=lambda one: one.difference.share)


def _laid_over(course: Course, shares: Floats) -> tuple[float, float, Difference]:
    """The start and the period with which the largest difference is the smallest, and that."""
    rounds = np.arange(len(shares))
    tenth, most = _first(course.times, course.shares, 0.1), _first(course.times, course.shares, 0.9)
    round_of_tenth, round_of_most = _first(rounds, shares, 0.1), _first(rounds, shares, 0.9)
    period = max(most - tenth, 1e-9) / max(round_of_most - round_of_tenth, 1e-9)
    best = (tenth - period * round_of_tenth, period, Difference(course.nodes, np.inf, 0.0))
    for width in (1.0, 0.2, 0.04):  # each search ends within the next one's
        middle, beat, _ = best
        for wider in np.linspace(1 - 0.3 * width, 1 + 0.3 * width, 13):
            for later in np.linspace(-width, width, 13) * (most - tenth) * 0.3:
                # Turned about its middle: the curve stays where it is when it becomes steeper.
                at = middle + later + (beat - beat * wider) * (round_of_tenth + round_of_most) / 2
                difference = _difference(course, at + beat * wider * rounds, shares)
                best = min(best, (float(at), float(beat * wider), difference), key=lambda one: one[2].share)
    return best


def _shares(epidemic: Epidemic, seed: int) -> Floats:
    """The share that knows, a line for each thing that is told and a column for each round; who is done stays so."""
    if epidemic.nodes <= _HUGE:
        passes = _PASSES if epidemic.nodes <= _LARGE else 1
        found = [epidemic.together(seed + number, rounds=_ROUNDS) for number in range(passes)]
    else:
        found = [np.array([epidemic.run(seed + number, rounds=_ROUNDS)]) for number in range(_RUNS_OF_HUGE)]
    longest = max(counts.shape[1] for counts in found)
    padded = [np.pad(counts, ((0, 0), (0, longest - counts.shape[1])), mode="edge") for counts in found]
    shares: Floats = np.concatenate(padded) / epidemic.live
    return shares


def _first(times: NDArray[Any], shares: Floats, level: float) -> float:
    """When a level is first reached, between two points by a straight line."""
    after = int(np.argmax(shares >= level))
    before = max(0, after - 1)
    return float(np.interp(level, shares[[before, after]], times[[before, after]]))


def _difference(course: Course, times: Floats, shares: Floats) -> Difference:
    """At the moments at which the course was looked at; after the last one it stays as it is."""
    grid = np.concatenate([course.times, times[times > course.times[-1]]])
    found = np.interp(grid, course.times, course.shares)
    between = np.abs(found - _between_rounds(grid, times, shares))
    worst = int(np.argmax(between))
    return Difference(course.nodes, float(between[worst]), float(grid[worst]))


def _between_rounds(grid: Floats, times: Floats, shares: Floats) -> Floats:
    """Shares at any time. A network has no rounds: between two, the odds grow by a constant factor, as epidemics do."""
    share = np.clip(shares, 1e-9, 1 - 1e-9)
    odds = np.interp(grid, times, np.log(share / (1 - share)))
    told: Floats = 1 / (1 + np.exp(-odds))
    return told
