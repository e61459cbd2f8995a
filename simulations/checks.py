"""Checks: how what a scenario expects, and what must always hold, is watched while a world runs.

An `Expectation` is data; for each run it makes a `Watch`, which looks at the world now and then, is told of events, and
says in the end what it saw. What nodes should believe it asks the oracle.
"""

from collections.abc import Sequence
from typing import Protocol

from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND

from .faults import Schedule
from .oracle import Citizen, Oracle
from .outcome import Check


class NodeView(Protocol):
    """What checks see of a node, in whatever world."""

    number: int
    citizen: Citizen
    kind: str

    @property
    def honest(self) -> bool: ...
    @property
    def online(self) -> bool: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def came(self) -> tuple[int, int]:
        """How many items came to it, ever, and how many of these need not have come."""
        ...

    @property
    def known(self) -> int:
        """How many cards its table holds."""
        ...

    def lacks(self, citizens: Sequence[Citizen]) -> int:
        """Of how many of these it lacks the newest card, or the address record."""
        ...

    def knows_all(self, citizens: Sequence[Citizen]) -> bool:
        """Whether it lacks nothing of these."""
        ...

    def holds(self, citizen: Citizen) -> bool:
        """Whether its table has a card of this identity."""
        ...

    def holds_node(self, node_id: bytes) -> bool:
        """Whether its table has a card of this Node ID."""
        ...

    def neighbours(self) -> list[bytes]:
        """The Node IDs of those with whom it gossips."""
        ...

    def linked(self) -> list[bytes]:
        """The Node IDs of the peers that it is linked with and counts on, each once."""
        ...

    def leads_to(self) -> list[int]:
        """The places to which these links lead, whoever lives there by whatever name."""
        ...


class View(Protocol):
    """What checks see of a world."""

    now: int
    oracle: Oracle

    @property
    def nodes(self) -> Sequence[NodeView]: ...


class Watch:
    """One check in one run. The first thing that is wrong is kept; what comes after it is counted."""

    name = ""

    needs_events = False
    """Whether it hears what nodes tell or store: worlds where they do not cannot have it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.needs_events = cls.told is not Watch.told or cls.stored is not Watch.stored

    def __init__(self, view: View, schedule: Schedule) -> None:
        self.view = view
        self.schedule = schedule
        self.calm = int(max((fault.over for fault in schedule), default=0.0) * SECOND)  # when the last fault is over
        self.settled = True
        """It need see no more: a run is over when that is so of all its watches, at the end of its time at the latest.

        One that is so from the beginning keeps no run going; where all are, a run lasts its whole time.
        """
        self.metrics: dict[str, float | int | None] = {}
        self.samples: dict[str, tuple[float, ...]] = {}
        self._first: tuple[str, float] | None = None
        self._faults = 0
        self._decided = True

    def look(self) -> None:
        """Called every `LOOK` nanoseconds of the world."""

    def told(self, node: NodeView, event: Event) -> None:
        """A node told its application something."""

    def stored(self, node: NodeView, change: Store) -> None:
        """A node stored something."""

    def failed(self, node: NodeView, error: Exception) -> None:
        """A node could not go on."""

    def finish(self) -> None:
        """The run is over, and nothing was ended yet."""

    def broken(self, detail: str) -> None:
        """What was to hold does not."""
        self._faults += 1
        if self._first is None:
            self._first = detail, seconds(self.view.now)

    def undecided(self) -> None:
        """The run was over before anybody could say."""
        if self._first is None:
            self.broken(f"the run was over at {seconds(self.view.now):g} s, before anybody could say")
            self._decided = False

    @property
    def check(self) -> Check:
        """What it saw."""
        if self._first is None:
            return Check(name=self.name, holds=True)
        detail, at = self._first
        more = f" (and {self._faults - 1} more)" if self._faults > 1 else ""
        return Check(name=self.name, holds=False, detail=detail + more, at=at, decided=self._decided)

    def live(self) -> list[NodeView]:
        """The honest nodes that run, whose cards were not taken back and whose keys nobody else has."""
        nodes, revoked = self.view.nodes, self.view.oracle.revoked
        others = {bytes(node.citizen.key.public) for node in nodes if not node.honest}
        live = [node for node in nodes if node.honest and node.online and node.number not in revoked]
        return [node for node in live if bytes(node.citizen.key.public) not in others] if others else live


class Expectation(Protocol):
    """What a scenario expects; data, so that one scenario serves many runs."""

    def watch(self, view: View, schedule: Schedule) -> Watch: ...


def seconds(nanoseconds: int) -> float:
    """As outcomes have them: rounded to the millisecond."""
    return round(nanoseconds / SECOND, 3)


def all_started(view: View) -> bool:
    """Whether all the honest have come; whoever went since came, too."""
    return not yet_to_start(view)


def yet_to_start(view: View) -> list[NodeView]:
    """The honest that never came so far."""
    return [node for node in view.nodes if node.honest and not (node.online or getattr(node, "boot", True))]
