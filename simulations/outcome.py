"""Outcome: what one run of one scenario found, as a value that travels as one line of JSON.

It holds nothing of the machine it was found on, no time of day and no pace: the same scenario, size, seed and versions
give the same outcome, byte for byte, wherever it runs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

Value = bool | int | float | str | None
Curve = tuple[tuple[float, float], ...]
"""Points (virtual seconds, value), in the order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant, or one thing that the scenario expects, and whether it held.

    `at` is the virtual second at which it was first seen broken, or None: of a thing that was to happen and did not,
    the second at which it was given up. Where the run ended before anybody could say, it is not `decided`.
    """

    name: str
    holds: bool
    detail: str = ""
    at: float | None = None
    decided: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer of one run."""

    scenario: str
    """The name of the scenario, as `simulate list` shows it, or the path of a file of one's own."""
    question: str
    fidelity: str
    """`bytes`, `messages`, `virtual` (the daemon's own driver), `real` (processes), or `model`."""
    nodes: int
    seed: int
    virtual_seconds: float
    checks: tuple[Check, ...]
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """What the scenario was told beside its size and seed."""
    metrics: Mapping[str, float | int | None] = field(default_factory=dict)
    """Single figures, seconds and bytes where the name says nothing else; None where there is no such figure."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """Figures over time: `informed` (share of cards known), `linked`, `attacker_share`, `views` (links per node) ..."""
    samples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """One figure for each node: `known_all_after`, `bytes_sent`, `links`, `messages` ..."""
    edges: tuple[tuple[int, int], ...] = ()
    """Which nodes were linked at the end, each pair once, the lower number first."""
    down: tuple[int, ...] = ()
    """Which nodes did not run at the end."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What nodes are that are not honest, by number as text (JSON has no other keys): `{"7": "liar"}`."""
    events: Mapping[str, int] = field(default_factory=dict)
    """How many events of each kind all nodes told their applications."""
    schedule: tuple[Mapping[str, Any], ...] = ()
    """The faults, in the form in which they are saved and replayed."""
    seconds: float | None = None
    """How long it was to last at most, where that is not as the scenario says."""
    versions: Mapping[str, str] = field(default_factory=dict)
    trace_hash: str = ""
    """BLAKE2b over every delivery, or empty where there is none to repeat (`real`)."""
    notes: Mapping[str, Value] = field(default_factory=dict)
    """How it was run where that is not as it would be in reality: nothing that the scenario could be told."""

    @property
    def ok(self) -> bool:
        """Whether all checks held."""
        return all(check.holds for check in self.checks)

    @property
    def broken(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if not check.holds)

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}

    def line(self) -> str:
        """One line of a results file: sorted, no spaces, so that equal outcomes are equal bytes."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Outcome":
        """The outcome in what `to_json` or a line gave. Raises ValueError, with what is wrong, for anything else."""
        if not isinstance(value, Mapping):
            raise ValueError("it is no object")  # noqa: TRY004 - whoever reads files expects one error
        try:
            fields = {name: value[name] for name in cls.__dataclass_fields__}
            fields["checks"] = tuple(Check(**check) for check in fields["checks"])
            fields["curves"] = {name: tuple((t, v) for t, v in curve) for name, curve in fields["curves"].items()}
            fields["samples"] = {name: tuple(figures) for name, figures in fields["samples"].items()}
            fields["edges"] = tuple((a, b) for a, b in fields["edges"])
            fields["down"] = tuple(fields["down"])
            fields["schedule"] = tuple(fields["schedule"])
        except KeyError as error:
            raise ValueError(f"it has no {error.args[0]}") from None
        except (TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None
        made = cls(**fields)
        try:
            made._check()
        except AttributeError as error:  # a list where there is to be an object
            raise ValueError(str(error)) from None
        return made

    def _check(self) -> None:
        """Raises ValueError for fields that no run can have."""
        figures = [*self.metrics.values(), *(one for some in self.samples.values() for one in some)]
        points = [one for curve in self.curves.values() for point in curve for one in point]
        told = [one for check in self.checks for one in (check.name, check.detail)]
        for name, fits in {
            "scenario": isinstance(self.scenario, str),
            "question": isinstance(self.question, str),
            "fidelity": isinstance(self.fidelity, str),
            "trace_hash": isinstance(self.trace_hash, str),
            "nodes": _is_count(self.nodes),
            "seed": _is_count(self.seed),
            "virtual_seconds": _is_figure(self.virtual_seconds),
            "checks": all(isinstance(one, str) for one in told)
            and all(check.at is None or _is_figure(check.at) for check in self.checks),
            "parameters": all(isinstance(one, Value) for one in self.parameters.values()),
            "notes": all(isinstance(one, Value) for one in self.notes.values()),
            "metrics and samples": all(one is None or _is_figure(one) for one in figures),
            "curves": all(map(_is_figure, points)),
            "edges": all(_is_count(end) for edge in self.edges for end in edge),
            "down": all(map(_is_count, self.down)),
            "kinds": all(isinstance(one, str) for one in self.kinds.values()),
            "events": all(map(_is_count, self.events.values())),
            "versions": all(isinstance(one, str) for one in self.versions.values()),
            "seconds": self.seconds is None or _is_figure(self.seconds),
            "schedule": all(isinstance(fault, Mapping) for fault in self.schedule),
        }.items():
            if not fits:
                raise ValueError(f"its {name} is not what belongs there")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_figure(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]
