"""Checks of links: whether they join all, who is taken for dead, and how links and nodes end; beside checks.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from p2pnoise.events import Event
from p2pnoise.instant import SECOND

from .checks import NodeView, View, Watch, all_started, seconds
from .disks import DiskError
from .faults import Crash, Rotate, Schedule

SILENT = "silent for"  # how a link that is taken for dead says why it ended


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
        if len(parts) == 1 and all_started(self.view):
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
class NobodyFalselyDead:
    """Honest nodes take for dead at most so many that run, in the whole run, which lasts its whole time."""

    at_most: int = 0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _FalselyDead(view, schedule, self.at_most)


class _FalselyDead(Watch):
    def __init__(self, view: View, schedule: Schedule, at_most: int) -> None:
        super().__init__(view, schedule)
        self.name = (
            f"at most {at_most} who live are taken for dead" if at_most else "nobody who lives is taken for dead"
        )
        self.settled = False
        self.metrics["falsely_dead"] = 0
        self._at_most = at_most
        self._count = 0

    def told(self, node: NodeView, event: Event) -> None:
        if not (node.honest and event.kind == "peer-lost" and str(getattr(event, "reason", "")).startswith(SILENT)):
            return
        lost = getattr(event, "node_id", b"")
        victim = next((one for one in self.view.nodes if one.citizen.key.public == lost), None)
        if victim is not None and victim.online:
            self._count += 1
            self.metrics["falsely_dead"] = self._count
            if self._count > self._at_most:
                self.broken(f"node {node.number} took node {victim.number} for dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFound:
    """No honest node is linked to one that lost its power, `within` seconds of that."""

    within: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _DeadFound(view, schedule, self.within)


class _DeadFound(Watch):
    def __init__(self, view: View, schedule: Schedule, within: float) -> None:
        super().__init__(view, schedule)
        self.name = f"who went dark is found dead within {within:g} s"
        self.settled = False
        self._limit = int(within * SECOND)
        self._dark = [fault for fault in schedule if isinstance(fault, Crash) and fault.silent]
        self._linked: dict[tuple[int, int], int] = {}  # who has a link to whom that is dead, and since when it is
        self._found: list[float] = []

    def look(self) -> None:
        now = self.view.now
        for fault in self._dark:
            since = int(fault.at * SECOND)
            if not since <= now <= since + self._limit + SECOND:
                continue
            dead = {bytes(self.view.nodes[number].citizen.key.public): number for number in fault.nodes}
            for node in self.live():
                held = {dead[peer] for peer in map(bytes, node.linked()) if peer in dead}
                for number in fault.nodes:
                    self._see(node.number, number, since, held=number in held)

    def _see(self, node: int, dead: int, since: int, *, held: bool) -> None:
        pair, now = (node, dead), self.view.now
        if held:
            self._linked[pair] = since
            if now > since + self._limit and self._first is None:
                self.broken(f"node {node} holds node {dead} for alive")
        elif self._linked.pop(pair, None) is not None:
            self._found.append(seconds(now - since))

    def finish(self) -> None:
        self.samples["found_dead"] = tuple(self._found)
        self.metrics["found_dead_after"] = median(self._found) if self._found else None
        self.metrics["found_dead_last"] = max(self._found, default=None)
        if not self._found:
            self.undecided()


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyViews:
    """From second `after` on no honest node that runs loses a peer, or has fewer than `least` of them, to the end."""

    after: float
    least: int

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Views(view, schedule, self)


class _Views(Watch):
    def __init__(self, view: View, schedule: Schedule, said: SteadyViews) -> None:
        super().__init__(view, schedule)
        self.name = f"views are steady from second {said.after:g} on"
        self.settled = False
        self.metrics["peers_lost"] = 0
        self._after = int(said.after * SECOND)
        self._least = min(said.least, len(view.nodes) - 1)
        self._lost = 0
        self._next = self._after

    def told(self, node: NodeView, event: Event) -> None:
        if self.view.now >= self._after and node.honest and event.kind == "peer-lost":
            self._lost += 1
            self.metrics["peers_lost"] = self._lost
            self.broken(f"node {node.number} lost a peer: {getattr(event, 'reason', '')}")

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        for node in self.live():
            if len(node.linked()) < self._least:
                self.broken(f"node {node.number} has {len(node.linked())} peers, at least {self._least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKeysGone:
    """No honest node is linked to a key that was rotated away, or holds a card of it, `within` seconds of the last."""

    within: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _OldKeys(view, schedule, self.within)


class _OldKeys(Watch):
    def __init__(self, view: View, schedule: Schedule, within: float) -> None:
        super().__init__(view, schedule)
        self.name = f"keys that were rotated away are gone within {within:g} s"
        self._last = max((int(one.at * SECOND) for one in schedule if isinstance(one, Rotate)), default=-1)
        self._limit = int(within * SECOND)
        self.settled = self._last < 0

    def look(self) -> None:
        if self._last < 0 or self.view.now < self._last or (self.settled and self.view.now % SECOND):
            return
        left = self._left()
        if not self.settled and not left:
            self.settled = True
            self.metrics["old_keys_gone_after"] = seconds(self.view.now - self._last)
        elif left and (self.settled or self.view.now > self._last + self._limit):
            self.broken(left)

    def _left(self) -> str:
        old = {
            bytes(card.node_id): citizen.number
            for citizen in self.view.oracle.citizens
            for card in citizen.cards
            if card.node_id != citizen.key.public
        }
        for node in self.live():
            for node_id in node.linked():
                if node_id in old:
                    return f"node {node.number} is linked to the old key of node {old[node_id]}"
            for node_id, number in old.items():
                if node.holds_node(node_id):
                    return f"node {node.number} holds a card of the old key of node {number}"
        return ""

    def finish(self) -> None:
        left = self._left() if self._last >= 0 else ""
        if left and self.settled:
            self.broken(left)
        elif left:
            self.undecided()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusesInWords:
    """A node whose disk fails says so in one sentence, and runs again when its operator has done what it said."""

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Sentences(view, schedule)


class _Sentences(Watch):
    name = "a node whose disk fails says why, and comes back"

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        self.metrics["refused_by_disk"] = 0
        self._refusals = 0
        self._for_good = {n for one in schedule if isinstance(one, Crash) and one.until is None for n in one.nodes}
        self._said: dict[int, str] = {}

    def failed(self, node: NodeView, error: Exception) -> None:
        if not isinstance(error, DiskError):
            return  # S5 is broken by that
        sentence = self._said[node.number] = str(error)
        self._refusals += 1
        self.metrics["refused_by_disk"] = self._refusals
        if not sentence.strip() or "\n" in sentence or "Traceback" in sentence or ": " not in sentence:
            self.broken(f"node {node.number} says {sentence!r}")

    def finish(self) -> None:
        for node in self.view.nodes:
            if node.honest and not node.online and node.number not in self._for_good:
                self.broken(f"node {node.number} is down, {self._said.get(node.number, 'and never said why')}")
