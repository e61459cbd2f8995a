"""Statistics: whether two samples are of one law, and whether they are near enough; no library needed.

Two-sample Kolmogorov-Smirnov with the asymptotic distribution in the form of Stephens (Numerical Recipes, 14.3),
corrected for many tests after Holm (1979). It takes figures to be independent; those of nodes of one run are not quite,
so that it finds differences a little too easily. The margins ask the other question: not whether there is a difference,
but whether it matters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Comparison", "Margins", "compare", "holm", "kolmogorov_smirnov", "quantile"]

LEVEL = 0.05  # below which a law is taken to be another


@dataclass(frozen=True, slots=True)
class Margins:
    """How far a figure may be off, as a share of the real one; and below which absolute difference nobody asks."""

    median: float
    p95: float
    least: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure, real and simulated."""

    name: str
    unit: str
    real: tuple[float, ...]
    simulated: tuple[float, ...]
    margins: Margins
    distance: float
    """The largest between the two distributions, of Kolmogorov and Smirnov."""
    probability: float
    """Of as large a distance by chance, had both one law, times what Holm takes for all that were tested."""

    @property
    def one_law(self) -> bool:
        """Whether nothing speaks against one law."""
        return self.probability >= LEVEL

    def off(self, share: float) -> float:
        """How far the simulated quantile is off, as a share of the real one."""
        real, simulated = quantile(self.real, share), quantile(self.simulated, share)
        if abs(simulated - real) <= self.margins.least:
            return 0.0
        return (simulated - real) / real if real else math.inf

    @property
    def near(self) -> bool:
        """Whether it is within its margins."""
        return abs(self.off(0.5)) <= self.margins.median and abs(self.off(0.95)) <= self.margins.p95


def compare(figures: Sequence[tuple[str, str, Sequence[float], Sequence[float], Margins]]) -> list[Comparison]:
    """All figures (name, unit, real, simulated, margins) of one validation together, as Holm wants them."""
    tests = [kolmogorov_smirnov(real, simulated) for _, _, real, simulated, _ in figures]
    corrected = holm([probability for _, probability in tests])
    return [
        Comparison(
            name=name,
            unit=unit,
            real=tuple(real),
            simulated=tuple(simulated),
            margins=margins,
            distance=distance,
            probability=probability,
        )
        for (name, unit, real, simulated, margins), (distance, _), probability in zip(
            figures, tests, corrected, strict=True
        )
    ]


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """The largest distance between two distributions, and the probability of one as large, were they one law."""
    if not one or not other:
        return 1.0, 0.0
    first, second = sorted(one), sorted(other)
    distance = 0.0
    i = j = 0
    while i < len(first) and j < len(second):
        value = min(first[i], second[j])
        while i < len(first) and first[i] == value:
            i += 1
        while j < len(second) and second[j] == value:
            j += 1
        distance = max(distance, abs(i / len(first) - j / len(second)))
    root = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    return distance, _tail((root + 0.12 + 0.11 / root) * distance)


def _tail(x: float) -> float:
    """Kolmogorov's distribution, from `x` up."""
    if x < 0.2:
        return 1.0
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)]
    return min(max(math.fsum(terms), 0.0), 1.0)


def holm(probabilities: Sequence[float]) -> list[float]:
    """The same probabilities, each as if it alone had been asked for."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected = [0.0] * len(probabilities)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        corrected[index] = highest
    return corrected


def quantile(figures: Sequence[float], share: float) -> float:
    """Linear between the two figures around it, as numpy has it; 0 where there are none."""
    if not figures:
        return 0.0
    ordered = sorted(figures)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
