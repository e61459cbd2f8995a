"""Forecast: what a run costs, guessed before it begins, so that nobody waits for hours who would not.

A guess by the size alone: a scenario that lasts long, or in which much goes wrong, takes longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .scenario import Fidelity, Scenario

__all__ = ["Forecast", "forecast"]

_LONG = 60.0  # seconds
_LARGE = 1.0  # GiB
_BASE = 0.06  # GiB that the interpreter and the libraries take


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds of real time of one core, and GiB of memory."""

    seconds: float
    gib: float

    @property
    def worth_a_word(self) -> bool:
        """Whether somebody wants to know before."""
        return self.seconds > _LONG or self.gib > _LARGE


@dataclass(frozen=True, slots=True)
class _Law:
    """What each node costs, and what each card at each node."""

    seconds: float
    seconds_a_card: float
    gib: float
    gib_a_card: float


# Measured with cold-start, on one core.
_LAWS: Mapping[Fidelity, _Law] = {
    # 100 nodes: 5.8 s, 88 MiB; 200 nodes: 15 s, 161 MiB.
    "bytes": _Law(0.025, 2.5e-4, 0.0, 2.5e-6),
    # 60 nodes: 4.9 s, 87 MiB; 120 nodes: 10.9 s, 128 MiB.
    "virtual": _Law(0.05, 3.5e-4, 0.0, 4.7e-6),
    # 3,000 nodes: 60 s, 0.4 GiB; 10,000 nodes: 450 s, 2.3 GiB.
    "messages": _Law(0.0093, 3.57e-6, 8.6e-5, 1.38e-8),
}


def forecast(scenario: Scenario, nodes: int, fidelity: Fidelity) -> Forecast:
    """What a run of a scenario with so many nodes may cost."""
    law = _LAWS[fidelity]
    cards = nodes * (nodes if scenario.publishers is None else min(nodes, scenario.publishers))
    return Forecast(
        law.seconds * nodes + law.seconds_a_card * cards,
        _BASE + law.gib * nodes + law.gib_a_card * cards,
    )
