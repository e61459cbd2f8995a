"""Checks of networks with strangers, copies and newcomers from later versions: who gets a place, and for how long."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND
from p2pnoise.node.link import Stage

from .checks import View, Watch, seconds
from .faults import Schedule
from .nodes import SimulatedNode


@dataclass(frozen=True, slots=True, kw_only=True)
class OneLink:
    """Two honest nodes have no second link, nor one that the other has not, for longer than `within` seconds.

    `met`: and it happened at least so often, for a shorter time.
    """

    within: float = 5.0
    met: int = 0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _OneLink(view, schedule, self)


class _OneLink(Watch):
    def __init__(self, view: View, schedule: Schedule, said: OneLink) -> None:
        super().__init__(view, schedule)
        self.name = f"one link a pair, on both sides, within {said.within:g} s"
        self.calm += int((said.within + 1) * SECOND)
        self._within = int(said.within * SECOND)
        self._met = said.met
        self._since: dict[tuple[int, int], int] = {}  # the pairs of which it is not so now
        self._pairs: set[tuple[int, int]] = set()  # that had two connections, in whatever stage
        self._longest = 0

    def look(self) -> None:
        wrong = self._wrong()
        self._pairs |= self._twice()
        self._since = {pair: self._since.get(pair, self.view.now) for pair in wrong}
        for pair, since in self._since.items():
            self._longest = max(self._longest, self.view.now - since)
            if self.view.now - since > self._within:
                self.broken(f"nodes {pair[0]} and {pair[1]} have {wrong[pair]}")

    def _twice(self) -> set[tuple[int, int]]:
        """The pairs that have two connections now."""
        pairs: set[tuple[int, int]] = set()
        for node in self.live():
            peers = [carrier.peer for carrier in node.carriers.values()] if isinstance(node, SimulatedNode) else []
            pairs |= {(node.number, peer) for peer in peers if node.number < peer and peers.count(peer) > 1}
        return pairs

    def _wrong(self) -> dict[tuple[int, int], str]:
        ends: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (node, peer) -> its connection, the peer's
        for node in self.live():
            if isinstance(node, SimulatedNode):
                for connection, link in node.node.links.all.items():
                    carrier = node.carriers.get(connection)
                    if link.stage is Stage.UP and link.lasts and carrier is not None:
                        ends.setdefault((node.number, carrier.peer), []).append((connection, carrier.peer_connection))
        wrong = {}
        for (one, other), mine in ends.items():
            pair = min(one, other), max(one, other)
            theirs = {peer_connection for _, peer_connection in ends.get((other, one), ())}
            if not self.view.nodes[other].honest:
                continue
            if len(mine) > 1:
                wrong[pair] = f"{len(mine)} links"
            elif mine[0][0] not in theirs:
                wrong.setdefault(pair, "a link that one of them alone has")
        return wrong

    def finish(self) -> None:
        self.metrics["pairs_with_two_connections"] = len(self._pairs)
        self.metrics["longest_second_link"] = seconds(self._longest)
        if len(self._pairs) < self._met:
            self.broken(f"{len(self._pairs)} pairs had two connections at once, {self._met} expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsFreed:
    """No honest node keeps a connection whose other end has not shown that it lives for longer than `within` seconds.

    At least `met` were given up for that.
    """

    within: float
    met: int = 1

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Slots(view, schedule, self)


class _Slots(Watch):
    def __init__(self, view: View, schedule: Schedule, said: SlotsFreed) -> None:
        super().__init__(view, schedule)
        self.name = f"a connection without a greeting ends within {said.within:g} s"
        self.settled = False
        self._within = int(said.within * SECOND)
        self._met = said.met
        self._since: dict[tuple[int, int, int], int] = {}  # node, start, connection
        self._most = 0
        self._ended = 0
        self._next = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND // 4
        since: dict[tuple[int, int, int], int] = {}
        for node in self.live():
            if isinstance(node, SimulatedNode):
                strangers = [
                    number for number, link in node.node.links.all.items() if not (link.initiator or link.greeted)
                ]
                self._most = max(self._most, len(strangers))
                for number in strangers:
                    key = node.number, node.boot, number
                    since[key] = self._since.get(key, self.view.now)
                    if self.view.now - since[key] > self._within:
                        self.broken(f"node {node.number} keeps connection {number}")
        half = self._within // 2
        self._ended += sum(key not in since and self.view.now - begun > half for key, begun in self._since.items())
        self.settled = self._ended >= self._met
        self._since = since

    def finish(self) -> None:
        self.metrics["strangers_most"] = self._most
        self.metrics["strangers_given_up"] = self._ended
        if not self.settled:
            self.broken(f"{self._ended} were given up, {self._met} expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """In the end every honest node holds the card of every node of these kinds, and some are linked with them."""

    kinds: tuple[str, ...]

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Inclusion(view, schedule, self.kinds)


class _Inclusion(Watch):
    def __init__(self, view: View, schedule: Schedule, kinds: tuple[str, ...]) -> None:
        super().__init__(view, schedule)
        self.name = f"every {' or '.join(kinds)} takes part"
        self.settled = False
        self._others = [node for node in view.nodes if node.kind in kinds]

    def look(self) -> None:
        self.settled = not self._missing()

    def _missing(self) -> str:
        live = self.live()
        linked = {node_id for node in live for node_id in node.linked()}
        for one in self._others:
            without = sum(not node.holds(one.citizen) for node in live)
            if without or bytes(one.citizen.key.public) not in linked:
                return f"{without} nodes do not know node {one.number}, or none is linked with it"
        return ""

    def finish(self) -> None:
        missing = self._missing()
        if missing:
            self.broken(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Honest nodes count at least so many messages and frames, each, that they do not understand."""

    least: int = 10

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Ignored(view, schedule, self.least)


class _Ignored(Watch):
    def __init__(self, view: View, schedule: Schedule, least: int) -> None:
        super().__init__(view, schedule)
        self.name = f"at least {least} messages and frames of later versions are ignored"
        self.settled = False
        self._least = least

    def look(self) -> None:
        self.settled = self.settled or min(self._counted()) >= self._least

    def _counted(self) -> tuple[int, int]:
        nodes = [node.node for node in self.live() if isinstance(node, SimulatedNode)]
        frames = sum(link.skipped_frames for node in nodes for link in node.links.all.values())
        return sum(node.ignored for node in nodes), frames

    def finish(self) -> None:
        self.metrics["messages_ignored"], self.metrics["frames_ignored"] = self._counted()
        if not self.settled:
            self.broken(f"{self._counted()[0]} messages and {self._counted()[1]} frames")
