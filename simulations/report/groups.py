"""Groups: runs that differ in their seed alone, and what can be said of all of them together."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from simulations.outcome import Outcome

from .bands import Band, CurveBand, finite
from .spans import Span, spans
from .words import Unit, named, ranges, repeat, unit_of

__all__ = ["Failing", "Group", "Invariant", "Metric", "grouped"]

# What a reader asks first comes first; what is not named here follows in the order of the alphabet.
_FIRST = (
    *("converged_after", "known_all_after", "cut_after", "informed", "linked", "online"),
    *(
        "bytes_sent",
        "bytes_per_node_median",
        "bytes_per_node_most",
        "messages_sent",
        "messages",
        "redundancy",
        "views",
        "links",
    ),
)


@dataclass(frozen=True, slots=True)
class Invariant:
    """One check in all runs; `first` is the lowest seed that broke it."""

    name: str
    held: int
    of: int
    first: int | None = None
    at: float | None = None
    detail: str = ""
    undecided: int = 0
    """Of those that did not hold, the runs that ended before anybody could say."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A run that broke something, and the command that repeats it."""

    seed: int
    broken: tuple[str, ...]
    at: float | None
    command: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of all runs that have it; `missing` is how many have none."""

    name: str
    called: str
    unit: Unit
    band: Band
    missing: int


@dataclass(frozen=True)
class Group:
    """Outcomes of one scenario at one size, fidelity and choice of parameters, in the order of their seeds."""

    outcomes: tuple[Outcome, ...]

    @property
    def one(self) -> Outcome:
        """Any of them, for what they have in common."""
        return self.outcomes[0]

    @property
    def runs(self) -> int:
        return len(self.outcomes)

    @property
    def seeds(self) -> str:
        return ranges(outcome.seed for outcome in self.outcomes)

    @cached_property
    def invariants(self) -> list[Invariant]:
        """The broken ones first, then in the order in which the scenario names them."""
        names = dict.fromkeys(check.name for outcome in self.outcomes for check in outcome.checks)
        return sorted(map(self._invariant, names), key=lambda one: one.held == one.of)

    @cached_property
    def failing(self) -> list[Failing]:
        return [
            Failing(
                outcome.seed,
                tuple(check.name for check in outcome.broken),
                min((check.at for check in outcome.broken if check.at is not None), default=None),
                repeat(outcome),
            )
            for outcome in self.outcomes
            if not outcome.ok
        ]

    @cached_property
    def metrics(self) -> list[Metric]:
        found = []
        for name in _ordered(name for outcome in self.outcomes for name in outcome.metrics):
            values = finite(outcome.metrics.get(name) for outcome in self.outcomes)
            if (band := Band.of(values)) is not None:
                found.append(Metric(name, named(name), unit_of(name), band, self.runs - band.count))
        return found

    @cached_property
    def curves(self) -> dict[str, CurveBand]:
        found = {}
        for name in _ordered(name for outcome in self.outcomes for name in outcome.curves):
            band = CurveBand.of(outcome.curves[name] for outcome in self.outcomes if name in outcome.curves)
            if band is not None and len(band.times) > 1:
                found[name] = band
        return found

    @cached_property
    def sample_names(self) -> list[str]:
        return [
            name
            for name in _ordered(name for outcome in self.outcomes for name in outcome.samples)
            if any(finite(outcome.samples.get(name, ())) for outcome in self.outcomes)
        ]

    @cached_property
    def spans(self) -> list[Span]:
        """The faults, where all runs had them at the same times, which is when they can be drawn under a curve of all.

        Whom they met may be another in each run: then the details are empty.
        """
        all_spans = [spans(outcome.schedule) for outcome in self.outcomes]
        first = all_spans[0]
        if any([span.times for span in one] != [span.times for span in first] for one in all_spans[1:]):
            return []
        return first if all(one == first for one in all_spans) else [replace(span, detail="") for span in first]

    @property
    def own_schedules(self) -> bool:
        """Whether each run had faults at times of its own."""
        return not self.spans and any(outcome.schedule for outcome in self.outcomes)

    @property
    def longest(self) -> float:
        """The virtual seconds of the longest run."""
        return max(outcome.virtual_seconds for outcome in self.outcomes)

    @cached_property
    def census(self) -> list[tuple[str, float]]:
        """The events of all nodes, the most frequent first: their median number in the runs that had any."""
        names = {name for outcome in self.outcomes for name in outcome.events}
        bands = [(name, Band.of(outcome.events.get(name, 0) for outcome in self.outcomes)) for name in names]
        found = [(name, band.median) for name, band in bands if band is not None]
        return sorted(found, key=lambda event: (-event[1], event[0]))

    def _invariant(self, name: str) -> Invariant:
        checks = [(outcome.seed, check) for outcome in self.outcomes for check in outcome.checks if check.name == name]
        broken = [(seed, check) for seed, check in checks if not check.holds]
        if not broken:
            return Invariant(name, len(checks), len(checks))
        seed, first = broken[0]
        undecided = sum(not check.decided for _, check in broken)
        return Invariant(name, len(checks) - len(broken), len(checks), seed, first.at, first.detail, undecided)


def grouped(outcomes: Iterable[Outcome]) -> list[Group]:
    """The outcomes in groups, in the order in which the first of each came."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        key = [outcome.scenario, outcome.question, outcome.fidelity, outcome.nodes, dict(outcome.parameters)]
        found.setdefault(json.dumps(key, sort_keys=True, default=str), []).append(outcome)
    return [Group(tuple(sorted(one, key=lambda outcome: outcome.seed))) for one in found.values()]


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
