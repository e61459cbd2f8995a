"""Comparison: two runs, or two sweeps, side by side: medians, bands, what differs, and what cannot be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from p2pnoise.folder.fault import Fault
from simulations.outcome import Outcome, Value

from .bands import Band
from .groups import Group, Invariant, grouped
from .words import Unit, named, plain, unit_of

__all__ = ["Compared", "Comparison", "Pair", "compare"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric on both sides; `change` is how much the second median is above the first, as a share of it."""

    name: str
    called: str
    unit: Unit
    one: Band
    other: Band

    @property
    def change(self) -> float | None:
        if self.one.median == 0:
            return 0.0 if self.other.median == 0 else None
        return (self.other.median - self.one.median) / abs(self.one.median)

    @property
    def change_text(self) -> str:
        return "-" if self.change is None else f"{100 * self.change:+.1f} %"

    @property
    def overlap(self) -> bool | None:
        """Whether the bands do; None where each is of one run, which says nothing of others."""
        return None if self.one.count == self.other.count == 1 else self.one.overlaps(self.other)

    @property
    def overlap_text(self) -> str:
        return {None: "one run each", True: "bands overlap", False: "bands apart"}[self.overlap]

    def to_json(self) -> dict[str, Any]:
        sides = {
            side: {"median": band.median, "low": band.low, "high": band.high, "runs": band.count}
            for side, band in (("a", self.one), ("b", self.other))
        }
        return {"metric": self.name, **sides, "change": self.change, "bands_overlap": self.overlap}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two groups that answer one question."""

    one: Group
    other: Group

    @property
    def metrics(self) -> list[Compared]:
        theirs = {metric.name: metric for metric in self.other.metrics}
        return [
            Compared(metric.name, named(metric.name), unit_of(metric.name), metric.band, theirs[metric.name].band)
            for metric in self.one.metrics
            if metric.name in theirs
        ]

    @property
    def checks(self) -> list[tuple[str, str, str]]:
        """What did not always hold on either side: its name, and in how many runs it held on each."""
        one, other = ({check.name: check for check in group.invariants} for group in (self.one, self.other))
        return [
            (name, _held(one.get(name)), _held(other.get(name)))
            for name in dict.fromkeys([*one, *other])
            if any(name in side and side[name].held < side[name].of for side in (one, other))
        ]

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """What was told to one and not to the other: name, the one's, the other's."""
        return [
            (name, _shown(one), _shown(other))
            for name, one, other in _both(_told(self.one.one), _told(self.other.one))
            if one != other
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "scenario": self.one.one.scenario,
            "a": _side(self.one),
            "b": _side(self.other),
            "differences": [{"what": what, "a": a, "b": b} for what, a, b in self.differences],
            "checks": [{"check": name, "a": a, "b": b} for name, a, b in self.checks],
            "metrics": [metric.to_json() for metric in self.metrics],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs of two sets of outcomes, by the names they were given, and which scenarios only one of them has."""

    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": True,
            "a": self.names[0],
            "b": self.names[1],
            "pairs": [pair.to_json() for pair in self.pairs],
            "only_a": list(self.only[0]),
            "only_b": list(self.only[1]),
        }


def compare(
    one: Sequence[Outcome], other: Sequence[Outcome], *, names: tuple[str, str], anyway: bool = False
) -> Comparison:
    """The comparison of two sets of outcomes.

    Groups are matched where scenario, size, fidelity and parameters are the same, then by the scenario alone, in the
    order of their size. Raises `Fault` where two were asked different questions, which `anyway` lets pass.
    """
    ours, theirs = grouped(one), grouped(other)
    for name, groups in zip(names, (ours, theirs), strict=True):
        if not groups:
            raise Fault(f"{name} holds no outcome", "run it first, or name another")
    pairs = _match(ours, theirs)
    if not pairs and anyway and len(ours) == len(theirs) == 1:
        pairs = [(ours[0], theirs[0])]
    if not pairs:
        what = [", ".join(dict.fromkeys(plain(group.one.scenario) for group in groups)) for groups in (ours, theirs)]
        hint = "compare runs of one scenario"
        if len(ours) == len(theirs) == 1:
            hint += ", or say --anyway if you know what the difference means"
        raise Fault(f"nothing to compare: {names[0]} is of {what[0]}, {names[1]} of {what[1]}", hint)
    for a, b in pairs:
        if a.one.question != b.one.question and not anyway:
            asked = f"{plain(a.one.question)!r} and {plain(b.one.question)!r}"
            raise Fault(
                f"{plain(a.one.scenario)} was asked two different questions: {asked}",
                "run it again with one version, or say --anyway if you know what the difference means",
            )
    matched = {id(group) for pair in pairs for group in pair}
    alone = [tuple(_title(group) for group in groups if id(group) not in matched) for groups in (ours, theirs)]
    return Comparison(names, tuple(Pair(a, b) for a, b in pairs), (alone[0], alone[1]))


def _match(ours: Sequence[Group], theirs: Sequence[Group]) -> list[tuple[Group, Group]]:
    left = list(theirs)
    matched: dict[int, Group] = {}

    def same(a: Group, b: Group) -> bool:
        x, y = a.one, b.one
        return (x.scenario, x.nodes, x.fidelity, x.parameters) == (y.scenario, y.nodes, y.fidelity, y.parameters)

    def alike(a: Group, b: Group) -> bool:
        return a.one.scenario == b.one.scenario

    for fits in (same, alike):
        for place, group in enumerate(ours):
            found = next((one for one in left if fits(group, one)), None) if place not in matched else None
            if found is not None:
                matched[place] = found
                left.remove(found)
    return [(ours[place], matched[place]) for place in sorted(matched)]


def _told(outcome: Outcome) -> dict[str, Value]:
    return {
        "scenario": outcome.scenario,
        "question": outcome.question,
        "fidelity": outcome.fidelity,
        "nodes": outcome.nodes,
        **{f"parameter {name}": value for name, value in sorted(outcome.parameters.items())},
        **{f"version of {name}": value for name, value in sorted(outcome.versions.items())},
        "faults": len(outcome.schedule),
    }


def _both(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[tuple[str, Value, Value]]:
    return [(name, one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])]


def _shown(value: Value) -> str:
    return "-" if value is None else f"{value:,}" if type(value) is int else str(value)


def _held(check: Invariant | None) -> str:
    return "not checked" if check is None else f"held in {check.held:,} of {check.of:,}"


def _side(group: Group) -> dict[str, Any]:
    return {
        "fidelity": group.one.fidelity,
        "nodes": group.one.nodes,
        "runs": group.runs,
        "seeds": group.seeds,
        "broken": len(group.failing),
    }


def _title(group: Group) -> str:
    return f"{group.one.scenario}, {group.one.fidelity}, {group.one.nodes:,} nodes"
