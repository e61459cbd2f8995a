"""Bands: what many runs have in common, as a median and the range from 5 to 95 per cent around it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simulations.outcome import Curve

__all__ = ["HIGH", "LARGEST", "LOW", "POINTS", "Band", "CurveBand", "finite", "thinned"]

T = TypeVar("T")

LOW, HIGH = 0.05, 0.95
LARGEST = 1e15  # what is larger is no figure, nor is what is none
POINTS = 200
"""So many points a drawn or embedded curve has at most: more than a figure has room to tell apart."""


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the ordered values lie, interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def finite(values: Iterable[object]) -> list[float]:
    """The numbers among `values` that can be drawn."""
    return [float(one) for one in values if isinstance(one, int | float) and abs(one) < LARGEST]


@dataclass(frozen=True, slots=True)
class Band:
    """One figure of many runs."""

    least: float
    low: float
    median: float
    high: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Iterable[object]) -> "Band | None":
        """None where there is no number among them."""
        ordered = sorted(finite(values))
        if not ordered:
            return None
        low, median, high = (percentile(ordered, share) for share in (LOW, 0.5, HIGH))
        return cls(ordered[0], low, median, high, ordered[-1], len(ordered))

    def overlaps(self, other: "Band") -> bool:
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class CurveBand:
    """One curve of many runs, at times that are common to all. A run that has ended counts with its last value."""

    times: tuple[float, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]
    runs: int
    ends: Band
    """When the runs' own curves ended."""

    @classmethod
    def of(cls, given: Iterable[Curve]) -> "CurveBand | None":
        """None where no curve has a point."""
        curves = [clean for curve in given if (clean := _clean(curve))]
        ends = Band.of(curve[-1][0] for curve in curves)
        if ends is None:
            return None
        # Where the points are dense, so is the grid: one run that goes on for long does not blur what all others did.
        times = thinned(sorted({t for curve in curves for t, _ in curve}), POINTS)
        columns = list(zip(*(_sampled(curve, times) for curve in curves), strict=True))
        bands = [sorted(column) for column in columns]
        low, median, high = (tuple(percentile(column, share) for column in bands) for share in (LOW, 0.5, HIGH))
        return cls(tuple(times), low, median, high, len(curves), ends)


def thinned(values: Sequence[T], limit: int) -> list[T]:
    """At most `limit` of them, evenly, the first and the last among them."""
    if len(values) <= limit:
        return list(values)
    return [values[round(step * (len(values) - 1) / (limit - 1))] for step in range(limit)]


def _clean(curve: Curve) -> list[tuple[float, float]]:
    """Its points in the order of time, some more than are drawn: hundreds of long curves are read in a second."""
    return sorted(
        ((t, v) for t, v in thinned(curve, 4 * POINTS) if abs(t) < LARGEST and abs(v) < LARGEST),
        key=lambda point: point[0],
    )


def _sampled(curve: list[tuple[float, float]], times: Sequence[float]) -> list[float]:
    """The curve at `times`: straight between its points, and as at its ends beyond them."""
    own = [t for t, _ in curve]
    found = []
    for t in times:
        place = bisect_right(own, t)
        if place == 0:
            found.append(curve[0][1])
        elif place == len(own):
            found.append(curve[-1][1])
        else:
            (t0, v0), (t1, v1) = curve[place - 1], curve[place]
            found.append(v0 + (v1 - v0) * (t - t0) / (t1 - t0))
    return found
