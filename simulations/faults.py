"""Faults: what goes wrong in a world, and what its operators do, as data that is saved, replayed and shrunk.

A schedule is a tuple of faults, each with the virtual second at which it begins. Nodes are named by number. A scenario
draws whom a fault meets from its seed; what is saved are the numbers that were drawn.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from itertools import islice
from typing import Any, ClassVar, TypeAlias

from p2pnoise.errors import P2PNoiseError

Nodes: TypeAlias = tuple[int, ...]
MAX_FAULTS = 10_000  # in a schedule


class ScheduleError(P2PNoiseError):
    """A schedule that was given says something that no world can do. The schedule is not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that begins `at` a virtual second and, where it lasts, ends at `until`."""

    kind: ClassVar[str]
    at: float

    @property
    def over(self) -> float:
        """The virtual second from which on all is well again, as far as this fault goes."""
        until = getattr(self, "until", None)
        return max(self.at, until if until is not None else self.at)

    @property
    def nodes_hit(self) -> Nodes:
        """Whom it meets; empty where that is everybody."""
        return tuple(getattr(self, "nodes", ()))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **{name: _plain(value) for name, value in asdict(self).items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition(Fault):
    """Nothing passes between `nodes` and the others; `one_way`: nothing that `nodes` send passes, the rest does.

    As with TCP, what was sent meanwhile comes when the partition ends, unless the link was given up; dials time out.
    """

    kind: ClassVar[str] = "partition"
    nodes: Nodes
    until: float
    one_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clog(Fault):
    """All that `nodes` send or are sent is held until the end, and comes then."""

    kind: ClassVar[str] = "clog"
    nodes: Nodes
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Fault):
    """Every connection of `nodes` breaks with this `chance`, on both sides; what was on its way is lost."""

    kind: ClassVar[str] = "reset"
    nodes: Nodes
    chance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(Fault):
    """`nodes` are killed and start again at `until`, if ever, with what their disks hold.

    `silent` as by a loss of power: nobody is told, and only pings find out. Otherwise their connections are ended.
    """

    kind: ClassVar[str] = "crash"
    nodes: Nodes
    until: float | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(Fault):
    """`nodes` stop with a goodbye, and start again at `until`, if ever."""

    kind: ClassVar[str] = "leave"
    nodes: Nodes
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Fault):
    """`nodes` send and are sent at most `bytes_per_second`, each way."""

    kind: ClassVar[str] = "slow"
    nodes: Nodes
    until: float
    bytes_per_second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag(Fault):
    """All that `nodes` send takes `seconds` longer."""

    kind: ClassVar[str] = "lag"
    nodes: Nodes
    until: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Fault):
    """Of every packet that anybody sends a `share` is lost. TCP sends it again: it comes late, by 200 ms or more."""

    kind: ClassVar[str] = "loss"
    until: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep(Fault):
    """The wall clocks of `nodes` jump by `seconds`, forward or back. What they measure intervals by goes on."""

    kind: ClassVar[str] = "clock-step"
    nodes: Nodes
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFault(Fault):
    """The disks of `nodes` misbehave, in a world whose disks are files.

    `full`: from `at` to `until` nothing can be written. `torn`: the file is cut at a random byte. `corrupt`: some bytes
    of it are others. The last two strike a node that is down, or the next time that it is.
    """

    kind: ClassVar[str] = "disk"
    nodes: Nodes
    how: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Fault):
    """The issuer takes the cards of `nodes` back, in a list that is handed to the node `by`."""

    kind: ClassVar[str] = "revoke"
    nodes: Nodes
    by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew(Fault):
    """`nodes` get a new card body of the next sequence number, and show it from now on."""

    kind: ClassVar[str] = "renew"
    nodes: Nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(Fault):
    """`nodes` start again with a new node key and the next card of the same identity: their Node IDs change."""

    kind: ClassVar[str] = "rotate"
    nodes: Nodes


Schedule: TypeAlias = tuple[Fault, ...]

KINDS: Mapping[str, type[Fault]] = {
    one.kind: one
    for one in (Partition, Clog, Reset, Crash, Leave, Slow, Lag, Loss, ClockStep, DiskFault, Revoke, Renew, Rotate)
}


_NUMBERS = {
    "at": (0, 1e9),
    "until": (0, 1e9),
    "share": (0, 0.99),
    "chance": (0, 1),
    "seconds": (-1e9, 1e9),
}  # NaN is in none


def fault_from(value: Any) -> Fault:
    """The fault that `to_json` gave, or that a person wrote. Raises `ScheduleError`."""
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ScheduleError("a fault without a kind")
    given: dict[str, Any] = {str(name): one for name, one in value.items() if name != "kind"}
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise ScheduleError(f"no fault of kind {kind!r}; there are {', '.join(KINDS)}")
    known = {field.name: field for field in fields(KINDS[kind])}
    unknown = [name for name in given if name not in known]
    missing = [name for name, one in known.items() if one.default is MISSING and name not in given]
    if unknown or missing:
        wrong = [*(f"{name} is not one of its fields" for name in unknown), *(f"{name} is missing" for name in missing)]
        raise ScheduleError(f"fault {kind}: {', '.join(wrong)}")
    _check(kind, given)
    if "nodes" in given:
        given["nodes"] = tuple(given["nodes"])
    make: Callable[..., Fault] = KINDS[kind]
    return make(**given)


def checked(faults: Iterable[Fault], *, nodes: int) -> Schedule:
    """Faults as they were drawn for so many nodes, in the order of time.

    Raises `ScheduleError`, also where there is no end of them, or where one names a node that there is not: a fault
    that meets nobody proves nothing, and looks as if all had withstood it.
    """
    if not isinstance(faults, Iterable):
        raise ScheduleError(f"faults are {faults!r}, which is no list of them")
    drawn = tuple(islice(faults, MAX_FAULTS + 1))
    if len(drawn) > MAX_FAULTS:
        raise ScheduleError(f"more than {MAX_FAULTS:,} faults")
    for fault in drawn:
        if not isinstance(fault, Fault):
            raise ScheduleError(f"{fault!r} is no fault")
        _check(fault.kind, {field.name: getattr(fault, field.name) for field in fields(fault)})
        named = (*fault.nodes_hit, getattr(fault, "by", 0))
        if max(named) >= nodes:
            there = f"there are {nodes}, counted from 0" if nodes > 1 else "there is node 0 alone"
            raise ScheduleError(f"fault {fault.kind}: there is no node {max(named)}: {there}")
    return tuple(sorted(drawn, key=lambda fault: fault.at))


def _check(kind: str, given: Mapping[str, Any]) -> None:
    for name, one in given.items():
        if not _fits(name, one):
            raise ScheduleError(f"fault {kind}: {name} = {one!r} is not what belongs there")
    until = given.get("until")
    if until is not None and until < given["at"]:
        raise ScheduleError(f"fault {kind}: until = {until!r} is before at = {given['at']!r}")


def _fits(name: str, value: Any) -> bool:
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return (value is None and name == "until") or (number and least <= value <= most)
    match name:
        case "nodes":
            return isinstance(value, list | tuple) and all(type(one) is int and one >= 0 for one in value)
        case "bytes_per_second" | "by":
            return type(value) is int and value >= (name != "by")
        case "how":
            return value in ("full", "torn", "corrupt")
        case _:
            return isinstance(value, bool)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
