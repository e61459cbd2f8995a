"""Spans: when which fault was on, read from a saved schedule for the shading under a curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .bands import LARGEST

__all__ = ["Span", "spans"]

_LISTED = 8  # so many nodes of a fault are named


@dataclass(frozen=True, slots=True)
class Span:
    """A fault from `start` to `end`, in virtual seconds: None where it never ends, `start` where it is a moment."""

    name: str
    start: float
    end: float | None
    detail: str

    @property
    def times(self) -> tuple[str, float, float | None]:
        """What of it is drawn."""
        return self.name, self.start, self.end


def spans(schedule: Sequence[Mapping[str, Any]]) -> list[Span]:
    """The faults of a schedule as `Outcome.schedule` holds it, in the order of their beginning."""
    return sorted((_span(fault) for fault in schedule), key=lambda span: (span.start, span.name))


def _span(fault: Mapping[str, Any]) -> Span:
    start = _second(fault.get("at")) or 0.0
    end = _second(fault["until"]) if "until" in fault else start
    rest = [
        key if value is True else f"{key} {_short(value)}"
        for key, value in fault.items()
        if key not in {"kind", "at", "until"} and value is not False and value is not None
    ]
    return Span(str(fault.get("kind", "fault")), start, end, ", ".join(rest).replace("_", " "))


def _second(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST else None


def _short(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    if len(value) > _LISTED:
        return f"{', '.join(map(str, value[: _LISTED // 2]))} ... ({len(value):,} in all)"
    return ", ".join(map(str, value)) or "none"
