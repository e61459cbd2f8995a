"""What every bench reports: two sides' samples as medians, quartiles, a ratio, and whether it meets its target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from cli.output import answer, answer_json

__all__ = ["Case", "Quartiles", "Result", "Samples", "at_least", "at_most", "compare", "print_results"]

Samples = Mapping[str, Sequence[float]]
"""What was measured of each side, by its name, in the unit of its cases. Those of one position are of one round."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of the ratio of ours to the other's."""

    ratio: float
    better: str
    """`higher` or `lower`: which ratios meet it."""

    def met(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.better == "higher" else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'>=' if self.better == 'higher' else '<='} {self.ratio:g}"


def at_least(ratio: float) -> Target:
    """Met by this ratio and by any higher one."""
    return Target(ratio, "higher")


def at_most(ratio: float) -> Target:
    """Met by this ratio and by any lower one."""
    return Target(ratio, "lower")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two sides to compare, by their names in the samples."""

    name: str
    """In words, ours first."""
    ours: str
    other: str
    unit: str
    target: Target | None = None
    """None where the case is for information."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """A median and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Quartiles":
        """Those of at least one sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0])
        low, _, high = quantiles(samples, method="inclusive")
        return cls(low, median(samples), high)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


@dataclass(frozen=True, slots=True)
class Result:
    """One case, measured; `other` is None where there was nothing to measure, and `missing` says why."""

    bench: str
    case: Case
    ours: Quartiles
    other: Quartiles | None
    rounds: int
    ratios: Quartiles | None = None
    """Of the ratio in each round, where both sides were measured in the same ones."""
    missing: str = ""
    """Why there is no other."""

    @property
    def note(self) -> str:
        """What a reader must know of this line; empty for nothing."""
        if self.ratios and self.ratio is not None and not self.ratios.low <= self.ratio <= self.ratios.high:
            return "unsteady: half of the rounds' ratios lie elsewhere; measure longer, or on a machine less busy"
        return self.missing

    @property
    def ratio(self) -> float | None:
        """Our median by the other's; None where there is nothing to divide by."""
        return self.ours.median / self.other.median if self.other and self.other.median else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one, or where nothing was compared."""
        return self.case.target.met(self.ratio) if self.case.target and self.ratio is not None else None

    def to_json(self) -> dict[str, Any]:
        """The same form for every bench."""
        target = self.case.target
        return {
            "bench": self.bench,
            "case": self.case.name,
            "ours": self.ours.median,
            "other": self.other.median if self.other else None,
            "unit": self.case.unit,
            "ratio": self.ratio,
            "target": target.ratio if target else None,
            "better": target.better if target else None,
            "met": self.met,
            "ours_quartiles": [self.ours.low, self.ours.high],
            "other_quartiles": [self.other.low, self.other.high] if self.other else None,
            "ratio_quartiles": [self.ratios.low, self.ratios.high] if self.ratios else None,
            "rounds": self.rounds,
            "note": self.note or None,
        }


def compare(
    bench: str, cases: Sequence[Case], samples: Samples, missing: Mapping[str, str] | None = None
) -> list[Result]:
    """A result for each case; `missing` says of a side why it has no samples."""
    results = []
    for case in cases:
        ours, other = samples[case.ours], samples.get(case.other, ())
        paired = [one / another for one, another in zip(ours, other, strict=False) if another]
        results.append(
            Result(
                bench,
                case,
                Quartiles.of(ours),
                Quartiles.of(other) if other else None,
                rounds=len(ours),
                ratios=Quartiles.of(paired) if len(ours) == len(other) and paired else None,
                missing=(missing or {}).get(case.other, ""),
            )
        )
    return results


def print_results(results: Sequence[Result], *, as_json: bool) -> None:
    """On stdout: a JSON object a line, or a table for people."""
    if as_json:
        for result in results:
            answer_json(result.to_json())
        return
    header = ("case", "unit", "ours", "other", "ratio", "target", "met")
    table = [header, *map(_row, results)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        answer("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    answer("", "medians, in brackets quartiles over the rounds; the ratio is our median to the other's")
    for result in results:
        if result.note and result.other:
            answer(f"{result.case.name}: {result.note}")


def _row(result: Result) -> tuple[str, ...]:
    ratio = f"{result.ratio:.3g}" if result.ratio is not None else ""
    spread = f" ({_short(result.ratios.low)}-{_short(result.ratios.high)})" if result.ratios else ""
    return (
        result.case.name,
        result.case.unit,
        str(result.ours),
        str(result.other or result.missing),
        ratio + spread,
        str(result.case.target or ""),
        {True: "yes", False: "no", None: ""}[result.met],
    )


def _short(value: float) -> str:
    """Three figures, or all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
