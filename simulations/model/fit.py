"""Fit: which epidemic, and how many seconds a round of it, looks most like what an event world found.

Compared is the share that is informed, over the time since somebody was; `begin` of the outcomes' parameters says how
many that were. Each epidemic of a grid (graph, contacts, loss) and each flood of a few (how even its delays are) is run
at the size of the outcomes. There is one thing to be fitted of each, `period`, the seconds of a round: first so that
half are informed when they are there, then what around it differs least where it differs most. What differs least so
is taken; what it says of other sizes has been fitted to nothing there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from p2pnoise.folder.fault import Fault
from simulations.outcome import Outcome

from .epidemic import DEGREE, Epidemic, Graph
from .flood import Flood

__all__ = ["Course", "Difference", "Fit", "Prediction", "courses_of", "fit"]

Floats = NDArray[np.floating[Any]]
Model: TypeAlias = Epidemic | Flood

_CONTACTS = (1, 2, 4, DEGREE)
_LOSSES = (0.0, 0.2, 0.4, 0.6, 0.8)
_EVENNESS = tuple(tenths / 10 for tenths in range(11))
_PASSES = 16  # of many things each: enough that their mean is known to a tenth of a round; a guess
_TOGETHER = 40_000  # nodes of all passes: where there are more in one, chance matters less
_HUGE = 2_000_000  # nodes from which on an epidemic is run for one thing at a time
_RUNS_OF_HUGE = 12
_ROUNDS = 400
_MOST = 0.99  # of all must come to know, or there is no course to fit


@dataclass(frozen=True, slots=True)
class Course:
    """A share over time: what all runs of one size found, as a mean."""

    nodes: int
    begin: int
    """How many are informed at first."""
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
    """What looks like a network; its `nodes` are those at which it was fitted."""

    model: Model
    period: float
    """Virtual seconds of a round."""
    difference: Difference
    """At the size that was fitted."""

    def predict(self, nodes: int, *, seed: int = 1) -> Prediction:
        """What the share would be with so many nodes."""
        shares = _shares(replace(self.model, nodes=nodes), seed)
        times = self.period * _rounds_of(self.model, shares)
        low, high = np.quantile(shares, (0.05, 0.95), axis=0)
        return Prediction(nodes, times, low, shares.mean(axis=0), high)

    def compare(self, course: Course, *, seed: int = 1) -> Difference:
        """With what an event world found at its size."""
        told = self.predict(course.nodes, seed=seed)
        return _difference(course, told.times, told.mean)


def courses_of(outcomes: Iterable[Outcome]) -> list[Course]:
    """The mean of the curve `informed` at each size, the smallest first. Raises `Fault` where nothing spreads."""
    by_size: dict[tuple[int, int], list[Floats]] = {}
    for outcome in outcomes:
        begin = outcome.parameters.get("begin", 1)
        if outcome.fidelity != "model" and isinstance(begin, int) and len(outcome.curves.get("informed", ())) > 1:
            by_size.setdefault((outcome.nodes, begin), []).append(np.asarray(outcome.curves["informed"], float))
    courses = []
    for (nodes, begin), curves in sorted(by_size.items()):
        times = np.unique(np.concatenate([curve[:, 0] for curve in curves]))
        # A run ends when all know all; what a curve ends with goes on.
        shares = np.mean([np.interp(times, curve[:, 0], curve[:, 1]) for curve in curves], axis=0)
        courses.append(Course(nodes, begin, times, shares))
    if not courses or any(course.shares.max() < _MOST or course.nodes < 2 for course in courses):
        raise Fault(
            "there is no spreading to fit: no curve `informed` that comes to 99 %",
            "give outcomes of the scenario spread, at several sizes",
        )
    return courses


def fit(course: Course, *, seed: int = 1) -> Fit:
    """What looks most like this course."""
    models: list[Model] = [
        Epidemic(nodes=course.nodes, begin=course.begin, graph=graph, contacts=contacts, loss=loss)
        for graph, contacts, loss in product(get_args(Graph), _CONTACTS, _LOSSES)
    ]
    models += [Flood(nodes=course.nodes, begin=course.begin, evenness=evenness) for evenness in _EVENNESS]
    found: list[Fit] = []
    for model in models:
        shares = _shares(model, seed)
        mean = shares.mean(axis=0)
        if mean[-1] > _MOST:
            period, difference = _laid_over(course, _rounds_of(model, shares), mean)
            found.append(Fit(model=model, period=period, difference=difference))
    return min(found, key=lambda one: one.difference.share)


def _laid_over(course: Course, rounds: Floats, shares: Floats) -> tuple[float, Difference]:
    """The period with which the largest difference is the smallest, and that."""
    middle = _first(course.times, course.shares, 0.5) / max(_first(rounds, shares, 0.5), 1e-9)
    periods = np.linspace(0.8 * middle, 1.2 * middle, 201)
    found = [(float(period), _difference(course, period * rounds, shares)) for period in periods]
    return min(found, key=lambda one: one[1].share)


def _shares(model: Model, seed: int) -> Floats:
    """The share that knows, a line for each thing that is told and a column for each tick; who is done stays so."""
    if isinstance(model, Flood) or model.nodes <= _HUGE:
        passes = max(1, min(_PASSES, _TOGETHER // model.nodes))
        found = [model.together(seed + number, rounds=_ROUNDS) for number in range(passes)]
    else:
        found = [np.array([model.run(seed + number, rounds=_ROUNDS)]) for number in range(_RUNS_OF_HUGE)]
    longest = max(counts.shape[1] for counts in found)
    padded = [np.pad(counts, ((0, 0), (0, longest - counts.shape[1])), mode="edge") for counts in found]
    shares: Floats = np.concatenate(padded) / model.live
    return shares


def _rounds_of(model: Model, shares: Floats) -> Floats:
    return np.arange(shares.shape[1]) / model.ticks


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
