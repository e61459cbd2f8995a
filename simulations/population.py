"""Population: who lives in a network, from when on, whom each knows, and what will go wrong; drawn from the seed.

Every fidelity draws it alike, and real processes too, so that one scenario with one seed is one network in all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from p2pnoise.instant import SECOND

from .clocks import Clock
from .faults import Schedule, checked
from .scenario import Scenario, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One node, before there is one. `at` is the nanosecond of its start, `knows` whom it begins with."""

    number: int
    at: int
    knows: tuple[int, ...]
    kind: str = "honest"
    skew: int = 0
    drift: int = 0
    dialable: bool = True

    @property
    def clock(self) -> Clock:
        return Clock(self.skew, self.drift)


def settle(scenario: Scenario, nodes: int, chance: Callable[..., Random]) -> list[Place]:
    """Who lives here: the first node is honest, starts at once, knows nobody and can be dialled.

    Raises ValueError where there are fewer nodes than adversaries.
    """
    starts, clocks, knowing, behind_nat = (chance(name) for name in ("starts", "clocks", "knowing", "nat"))
    kinds = _kinds(scenario, nodes, chance("adversaries"))
    times = [0, *sorted(int(starts.random() * scenario.start * SECOND) for _ in range(nodes - 1))]
    places = []
    for number in range(nodes):
        first = () if number == 0 else (0,)
        places.append(
            Place(
                number=number,
                at=times[number],
                knows=first if scenario.begin_with == "first" or number == 0 else (knowing.randrange(number),),
                kind=kinds.get(number, "honest"),
                skew=round((2 * clocks.random() - 1) * scenario.clocks.skew),
                drift=round((2 * clocks.random() - 1) * scenario.clocks.drift),
                dialable=number == 0 or behind_nat.random() >= scenario.law.undialable,
            )
        )
    return places


def draw_schedule(scenario: Scenario, nodes: int, chance: Callable[..., Random]) -> Schedule:
    """What will go wrong, in the order of time. Raises `ScheduleError`."""
    setting = Setting(nodes=nodes, seconds=scenario.seconds, chance=chance("faults"))
    return checked(scenario.faults(setting), nodes=nodes)


def _kinds(scenario: Scenario, nodes: int, chance: Random) -> dict[int, str]:
    free = list(range(1, nodes))
    kinds: dict[int, str] = {}
    for kind, many in scenario.adversaries.items():
        count = round(many * nodes) if many < 1 else round(many)
        if count > len(free):
            raise ValueError(f"adversaries: {count} of kind {kind}, and {len(free)} places beside the first node's")
        for number in sorted(chance.sample(free, count)):
            kinds[number] = kind
            free.remove(number)
    return kinds
