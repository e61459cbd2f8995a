"""Fit: which epidemic, and how many seconds a round of it, looks most like what an event world found.

Compared is the share that is informed, over time. Each epidemic of a grid (graph, contacts, loss) is run at the size of
the outcomes, and its rounds are laid over their seconds by a straight line: `start`, before anybody tells anything, and
`period`, the seconds of a round. First so that a tenth and nine tenths are informed when they are there, then by what
around it has the smallest largest error. The epidemic whose largest error is the smallest is taken; what it says of
other sizes has been fitted to nothing there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from p2pnoise.folder.fault import Fault
from simulations.outcome import Outcome

from .epidemic import DEGREE, Epidemic, Graph

__all__ = ["Course", "Fit", "Prediction", "course_of", "fit"]

Floats = NDArray[np.float64]

_CONTACTS = (1, 2, 4, DEGREE)
_LOSSES = (0.0, 0.2, 0.4, 0.6, 0.8)
_RUNS = 40  # epidemics whose mean is fitted; a guess: at 1,000 nodes their mean is known to half a percentage point
_ROUNDS = 400
_MOST = 0.99  # of all must come to know, or there is no course to fit
_GRID = 400  # points of time at which shares are compared


@dataclass(frozen=True, slots=True)
class Course:
    """A share over time: what all runs of one size found, as a mean."""

    nodes: int
    times: Floats
    shares: Floats

    def at(self, times: Floats) -> Floats:
        return np.interp(times, self.times, self.shares)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The share over time at a size, with the band that nine in ten epidemics lie in."""

    nodes: int
    times: Floats
    low: Floats
    mean: Floats
    high: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """An epidemic that looks like a network; its `nodes` are those at which it was fitted."""

    epidemic: Epidemic
    start: float
    """Virtual seconds before its first round."""
    period: float
    """Virtual seconds of a round."""
    error: float
    """By how much the share differs at most, at the size that was fitted; 0.03 are three percentage points."""

    def predict(self, nodes: int, *, seed: int = 1, runs: int = _RUNS) -> Prediction:
        """What the share would be with so many nodes."""
        shares = _shares(replace(self.epidemic, nodes=nodes), seed, runs)
        times = self.start + self.period * np.arange(shares.shape[1], dtype=np.float64)
        low, high = np.quantile(shares, (0.05, 0.95), axis=0).astype(np.float64)
        return Prediction(nodes, times, low, shares.mean(axis=0), high)

    def error_at(self, course: Course, *, seed: int = 1) -> float:
        """By how much the share differs at most from what an event world found at its size."""
        told = self.predict(course.nodes, seed=seed)
        return _error(course, told.times, told.mean)


def course_of(outcomes: Iterable[Outcome]) -> list[Course]:
    """The mean of the curve `informed` at each size, the smallest first. Raises `Fault` where nothing spreads."""
    by_size: dict[int, list[Floats]] = {}
    for outcome in outcomes:
        if outcome.fidelity != "model" and len(outcome.curves.get("informed", ())) > 1:
            by_size.setdefault(outcome.nodes, []).append(np.asarray(outcome.curves["informed"], float))
    courses = []
    for nodes, curves in sorted(by_size.items()):
        times = np.linspace(0, max(curve[-1, 0] for curve in curves), _GRID)
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
        shares = _shares(epidemic, seed, _RUNS).mean(axis=0)
        if shares[-1] > _MOST:
            start, period, error = _laid_over(course, shares)
            found.append(Fit(epidemic=epidemic, start=start, period=period, error=error))
    return min(found, key=lambda one: one.error)


def _laid_over(course: Course, shares: Floats) -> tuple[float, float, float]:
    """Start and period with the smallest largest error, and that error."""
    rounds = np.arange(len(shares))
    tenth, most = _first(course.times, course.shares, 0.1), _first(course.times, course.shares, 0.9)
    round_of_tenth, round_of_most = _first(rounds, shares, 0.1), _first(rounds, shares, 0.9)
    period = max(most - tenth, 1e-9) / max(round_of_most - round_of_tenth, 1e-9)
    best = (tenth - period * round_of_tenth, period, np.inf)
    for width in (1.0, 0.2, 0.04):  # each search ends within the next one's
        middle, beat, _ = best
        for wider in np.linspace(1 - 0.3 * width, 1 + 0.3 * width, 13):
            for later in np.linspace(-width, width, 13) * (most - tenth) * 0.3:
                # Turned about its middle: the curve stays where it is when it becomes steeper.
                at = middle + later + (beat - beat * wider) * (round_of_tenth + round_of_most) / 2
                error = _error(course, at + beat * wider * rounds, shares)
                best = min(best, (float(at), float(beat * wider), error), key=lambda one: one[2])
    return best


def _shares(epidemic: Epidemic, seed: int, runs: int) -> Floats:
    """The share that knows, a line for each run and a column for each round; who is done stays so."""
    counts: Sequence[list[int]] = [epidemic.run(seed + run, rounds=_ROUNDS) for run in range(runs)]
    longest = max(map(len, counts))
    return np.array([line + [line[-1]] * (longest - len(line)) for line in counts]) / epidemic.live


def _first(times: NDArray[Any], shares: Floats, level: float) -> float:
    """When a level is first reached, between two points by a straight line."""
    after = int(np.argmax(shares >= level))
    before = max(0, after - 1)
    return float(np.interp(level, shares[[before, after]], times[[before, after]]))


def _error(course: Course, times: Floats, shares: Floats) -> float:
    grid = np.linspace(0, max(course.times[-1], times[-1]), _GRID)
    return float(np.max(np.abs(course.at(grid) - np.interp(grid, times, shares))))
