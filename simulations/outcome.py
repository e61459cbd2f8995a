"""Outcome: what one run of one scenario found, as a value that travels as one line of JSON.

It holds nothing of the machine it was found on, no time of day and no pace: the same scenario, size, seed and versions
give the same outcome, byte for byte, wherever it runs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
        """The outcome in what `to_json` or a line gave. Raises KeyError, TypeError or ValueError for anything else."""
        noted = {"notes": {}, "down": (), **value}  # lines of before there were these
        fields = {name: noted[name] for name in cls.__dataclass_fields__}
        fields["checks"] = tuple(Check(**check) for check in fields["checks"])
        fields["curves"] = {name: tuple((t, v) for t, v in curve) for name, curve in fields["curves"].items()}
        fields["samples"] = {name: tuple(figures) for name, figures in fields["samples"].items()}
        fields["edges"] = tuple((a, b) for a, b in fields["edges"])
        fields["down"] = tuple(fields["down"])
        fields["schedule"] = tuple(fields["schedule"])
        return cls(**fields)
