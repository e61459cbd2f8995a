"""Checks: how what a scenario expects, and what must always hold, is watched while a world runs.

An `Expectation` is data; for each run it makes a `Watch`, which looks at the world now and then, is told of events, and
says in the end what it saw. What nodes should believe it asks the oracle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Protocol

from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND

from .faults import Revoke, Schedule
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

    def linked(self) -> list[bytes]:
        """The Node IDs of the peers that it is linked with and counts on, each once."""
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
        self.settled = True  # it need see no more
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
            self.broken("the run was over before")
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


# Expectations


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """All honest nodes that run hold the newest card and the addresses of all others.

    That is so `within` so many seconds, and `per_doubling` of the number of nodes more, of the last fault, or of second
    `since`, or of the start where there is no fault; its figures count from there, too. Nodes that are met by faults of
    the kinds `apart_from` are left out. Where it counts from the last fault, it is so in the end, too, unless it is not
    `lasting`, as where cards end later.
    """

    within: float
    per_doubling: float = 0.0
    since: float | None = None
    apart_from: tuple[str, ...] = ()
    lasting: bool = True

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Convergence(view, schedule, self)


class _Convergence(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Converged) -> None:
        super().__init__(view, schedule)
        self.settled = False
        self._since = self.calm if said.since is None else int(said.since * SECOND)
        within = said.within + said.per_doubling * log2(max(len(view.nodes), 1))
        self._limit = int(within * SECOND)
        self._lasting = said.lasting and self._since >= self.calm  # or else what comes later may undo it
        self._apart = {number for one in schedule if one.kind in said.apart_from for number in one.nodes_hit}
        but = f" but the {' and '.join(said.apart_from)}" if said.apart_from else ""
        since = f" of second {said.since:g}" if said.since is not None else ""
        self.name = f"all{but} know all within {within:.4g} s{since}"
        apart = "".join(f"_but_{kind}" for kind in said.apart_from)
        self._figure = f"{apart}_since_{said.since:g}" if said.since is not None else f"{apart}_after"
        self._after: dict[int, float] = {}  # node -> seconds after which it knew all

    def look(self) -> None:
        if self.settled or self.view.now < self._since:
            return
        taking_part, everybody = self._concerned()
        # Whoever knew all before the last had started knew too few.
        if _all_started(self.view):
            for node in taking_part:
                if node.number not in self._after and _knows(node, everybody):
                    self._after[node.number] = seconds(self.view.now - self._since)
            if taking_part and all(node.number in self._after for node in taking_part):
                self._settle(taking_part, everybody)
        if not self.settled and self.view.now > self._since + self._limit and not self._first:
            lacking = [node for node in taking_part if node.number not in self._after]
            missing = sum(node.lacks(everybody) for node in lacking)
            self.broken(f"{len(lacking)} of {len(taking_part)} nodes lack {missing} cards or records")

    def _settle(self, taking_part: Sequence[NodeView], everybody: Sequence[Citizen]) -> None:
        for node in taking_part:
            if not _knows(node, everybody):  # it did, and has lost something since
                del self._after[node.number]
        if len(self._after) < len(taking_part):
            return
        self.settled = True
        taken = [self._after[node.number] for node in taking_part]
        self.metrics[f"converged{self._figure}"] = max(taken)
        self.samples[f"known_all{self._figure}"] = tuple(taken)

    def finish(self) -> None:
        if not self.settled:
            self.metrics[f"converged{self._figure}"] = None
            self.undecided()
        elif self._lasting:
            taking_part, everybody = self._concerned()
            lacking = [node for node in taking_part if not _knows(node, everybody)]
            if lacking:
                missing = sum(node.lacks(everybody) for node in lacking)
                self.broken(f"{len(lacking)} of {len(taking_part)} nodes knew all and lost {missing} cards or records")

    def _concerned(self) -> tuple[list[NodeView], list[Citizen]]:
        """Who is to know all, and all whom they are to know."""
        taking_part = [node for node in self.live() if node.number not in self._apart]
        return taking_part, [node.citizen for node in taking_part if node.citizen.cards]


def _knows(node: NodeView, everybody: Sequence[Citizen]) -> bool:
    return node.known >= len(everybody) and node.knows_all(everybody)


def _all_started(view: View) -> bool:
    """Whether all the honest have come; whoever went since came, too."""
    return all(node.online or getattr(node, "boot", 1) for node in view.nodes if node.honest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Every honest node drops whoever was revoked, from table and links, `within` seconds.

    With `at_last` they count from the last fault, as where the network was divided.
    """

    within: float
    at_last: bool = False

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Cut(view, schedule, self)


class _Cut(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Cut) -> None:
        super().__init__(view, schedule)
        self.name = f"whoever is revoked is cut within {said.within:g} s"
        self._limit = int(said.within * SECOND)
        self._at_last = said.at_last
        self._last = max((int(one.at * SECOND) for one in schedule if isinstance(one, Revoke)), default=0)
        self._after: dict[int, float] = {}  # revoked node -> seconds until all others were rid of it
        self.settled = not any(isinstance(one, Revoke) for one in schedule)

    def look(self) -> None:
        if self.settled or self.view.now < self._last:
            return
        oracle = self.view.oracle
        for number, since in oracle.revoked.items():
            since = max(since, self.calm) if self._at_last else since  # noqa: PLW2901
            if number in self._after or self.view.now < since:
                continue
            victim = oracle.citizens[number]
            left = [node.number for node in self.live() if node.holds(victim) or victim.key.public in node.linked()]
            if not left:
                self._after[number] = seconds(self.view.now - since)
            elif self.view.now > since + self._limit:
                self.broken(f"{len(left)} nodes, such as {left[0]}, keep node {number}")
                self._after[number] = -1.0
        if oracle.revoked and len(self._after) == len(oracle.revoked):
            self.settled = True
            if self._first is None:
                self.metrics["cut_after"] = max(self._after.values())

    def finish(self) -> None:
        if not self.settled:
            self.undecided()
        oracle = self.view.oracle
        for number in (number for number, after in self._after.items() if after >= 0):
            if any(node.holds(oracle.citizens[number]) for node in self.live()):
                self.broken(f"node {number} was cut, and came back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The links join all honest nodes that run to one network, `within` so many seconds of the last fault."""

    within: float = 60.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Connection(view, schedule, self.within)


class _Connection(Watch):
    def __init__(self, view: View, schedule: Schedule, within: float) -> None:
        super().__init__(view, schedule)
        self.name = f"one connected network within {within:g} s"
        self.settled = False
        self._limit = int(within * SECOND)

    def look(self) -> None:
        if self.settled or self.view.now < self.calm:
            return
        parts = components(self.live())
        if len(parts) == 1 and _all_started(self.view):
            self.settled = True
            self.metrics["connected_after"] = seconds(self.view.now - self.calm)
        elif self.view.now > self.calm + self._limit and self._first is None:
            self.broken(f"{len(parts)} parts, the smallest of {min(map(len, parts), default=0)} nodes")

    def finish(self) -> None:
        if not self.settled:
            self.undecided()


def components(nodes: Sequence[NodeView]) -> list[list[int]]:
    """The parts that links join, each in the order of numbers."""
    by_id = {bytes(node.citizen.key.public): node for node in nodes}
    neighbours: dict[int, set[int]] = {node.number: set() for node in nodes}
    for node in nodes:
        for node_id in node.linked():
            if node_id in by_id:
                neighbours[node.number].add(by_id[node_id].number)
                neighbours[by_id[node_id].number].add(node.number)
    parts = []
    left = dict.fromkeys(neighbours)
    while left:
        part, edge = [], [next(iter(left))]
        del left[edge[0]]
        while edge:
            number = edge.pop()
            part.append(number)
            for other in sorted(neighbours[number]):
                if other in left:
                    del left[other]
                    edge.append(other)
        parts.append(sorted(part))
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """From second `after` on, honest nodes send at most so many bytes a second, on average over them and the time."""

    bytes_per_second: float
    after: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Quiet(view, schedule, self)


class _Quiet(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Quiet) -> None:
        super().__init__(view, schedule)
        self.name = f"at most {said.bytes_per_second:g} B/s a node when idle"
        self.settled = False  # it lasts as long as the run
        self._said = said
        self._begun: tuple[int, int] | None = None

    def look(self) -> None:
        if self._begun is None and self.view.now >= self._said.after * SECOND:
            self._begun = self.view.now, self._sent()

    def _sent(self) -> int:
        return sum(node.bytes_sent for node in self.view.nodes if node.honest)

    def finish(self) -> None:
        if self._begun is None or self._begun[0] == self.view.now:
            self.undecided()
            return
        since, sent = self._begun
        honest = sum(node.honest for node in self.view.nodes)
        rate = (self._sent() - sent) / honest / ((self.view.now - since) / SECOND)
        self.metrics["idle_bytes_per_second"] = round(rate, 1)
        if rate > self._said.bytes_per_second:
            self.broken(f"{rate:.0f} B/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAtMost:
    """Honest nodes tell at most so many events of one kind: `per_node` over the whole run, whoever tells the most.

    With `reason`, those alone whose reason begins with it.
    """

    kind: str
    per_node: float
    reason: str = ""
    after: float = 0.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Events(view, schedule, self)


class _Events(Watch):
    def __init__(self, view: View, schedule: Schedule, said: EventsAtMost) -> None:
        super().__init__(view, schedule)
        what = f"{said.kind} ({said.reason})" if said.reason else said.kind
        self.name = f"at most {said.per_node:g} {what} a node"
        self._said = said
        self._counts: dict[int, int] = {}

    def told(self, node: NodeView, event: Event) -> None:
        said = self._said
        reason = getattr(event, "reason", "")
        late = self.view.now >= said.after * SECOND
        if late and node.honest and event.kind == said.kind and str(reason).startswith(said.reason):
            self._counts[node.number] = self._counts.get(node.number, 0) + 1

    def finish(self) -> None:
        most = max(self._counts.values(), default=0)
        self.metrics[f"most_{self._said.kind}".replace("-", "_")] = most
        if most > self._said.per_node:
            number = max(self._counts, key=lambda one: (self._counts[one], -one))
            self.broken(f"{most} at node {number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """At no time an honest node holds a card of a node of these kinds, or is linked to one."""

    kinds: tuple[str, ...]

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Exclusion(view, schedule, self.kinds)


class _Exclusion(Watch):
    def __init__(self, view: View, schedule: Schedule, kinds: tuple[str, ...]) -> None:
        super().__init__(view, schedule)
        self.name = f"no {' or '.join(kinds)} in any table"
        self._kinds = kinds

    def look(self) -> None:
        if self._first is None:
            self._see()

    def _see(self) -> None:
        bad = [node for node in self.view.nodes if node.kind in self._kinds]
        names = {bytes(node.citizen.key.public) for node in bad}
        for node in self.live():
            if any(node.holds(one.citizen) for one in bad) or not names.isdisjoint(node.linked()):
                self.broken(f"at node {node.number}")

    def finish(self) -> None:
        self._see()
