"""Checks of networks with liars: what is believed of what they say, what becomes of their links, and what it costs."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND

from .checks import View, Watch
from .faults import Schedule
from .nodes import SimulatedNode
from .oracle import Citizen, Lie
from .signatures import CountingSignatures


@dataclass(frozen=True, slots=True, kw_only=True)
class LiesEndLinks:
    """Whoever tells an honest node a plain lie loses the link on which it did, `within` seconds; at least so many did.

    A link that another one has replaced ends by itself. Of how often a liar may come back it says nothing.
    """

    within: float = 3.0
    least: int = 10

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Lies(view, schedule, self)


class _Lies(Watch):
    def __init__(self, view: View, schedule: Schedule, said: LiesEndLinks) -> None:
        super().__init__(view, schedule)
        self.name = f"a plain lie ends its link within {said.within:g} s"
        self.settled = False
        self._within = int(said.within * SECOND)
        self._least = said.least
        self._next = 0  # of the lies, the first that was not looked at
        self._ended = 0

    def look(self) -> None:
        lies = self.view.oracle.lies
        while self._next < len(lies) and lies[self._next].at + self._within <= self.view.now:
            self._judge(lies[self._next])
            self._next += 1
        self.settled = self._ended >= self._least

    def _judge(self, lie: Lie) -> None:
        node = self.view.nodes[lie.node]
        if not (lie.plain and isinstance(node, SimulatedNode)):
            return
        carrier = node.carriers.get(lie.connection)
        hearer = carrier.peer if carrier is not None else lie.to
        if hearer is None or not self.view.nodes[hearer].honest:
            return  # what liars tell each other ends no link
        if carrier is not None:
            self.broken(f"node {carrier.peer} heard a false {lie.kind} from node {node.number} and keeps the link")
        else:
            self._ended += 1

    def finish(self) -> None:
        self.metrics["lies_told"] = len(self.view.oracle.lies)
        self.metrics["links_ended_for_lies"] = self._ended
        if not self.settled:
            self.broken(f"{self._ended} plain lies were told, at least {self._least} expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiesCost:
    """Of the signatures that nodes verify at most so many fail `per_lie` that was told."""

    per_lie: float = 3.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Cost(view, schedule, self.per_lie)


class _Cost(Watch):
    def __init__(self, view: View, schedule: Schedule, per_lie: float) -> None:
        super().__init__(view, schedule)
        self.name = f"a lie costs at most {per_lie:g} signatures that fail"
        self._per_lie = per_lie

    def finish(self) -> None:
        signatures = getattr(self.view, "signatures", None)
        if not isinstance(signatures, CountingSignatures):
            self.broken("nobody counted")
            return
        self.metrics["signatures_asked"] = signatures.asked
        self.metrics["signatures_failed"] = signatures.failed
        lies = len(self.view.oracle.lies)
        if signatures.failed > self._per_lie * lies:
            self.broken(f"{signatures.failed} failed for {lies} lies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What comes of two cards of one number, of the nodes of these kinds.

    From second `known` on every honest node knows that there are two, if both are held; from second `after` on, when
    the owner had time to sign a higher number, all hold the same card, or none of them does. And there was something to
    agree on: at some time two honest nodes held different cards of one owner.
    """

    kinds: tuple[str, ...]
    known: float
    after: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Agreement(view, schedule, self)


class _Agreement(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Agreed) -> None:
        super().__init__(view, schedule)
        self.name = f"all know of each {' or '.join(said.kinds)} by second {said.known:g}, and agree by {said.after:g}"
        self._kinds = said.kinds
        self._known = int(said.known * SECOND)
        self._after = int(said.after * SECOND)
        self.calm = max(self.calm, self._after + 5 * SECOND)  # so that it is seen to last
        self._next = 0
        self._differed = False  # at any time: there was something to agree on

    def look(self) -> None:
        if self.view.now >= self._next:
            self._next = self.view.now + SECOND // 4
            self._see()

    def _see(self) -> None:
        nodes = [node for node in self.live() if isinstance(node, SimulatedNode)]
        for one in self.view.nodes:
            if one.kind in self._kinds:
                held = {node.number: _held(node, one.citizen) for node in nodes}
                found = sorted({card for card in held.values() if card})
                met = any(one.citizen.identity.public in node.table.facts.conflicts for node in nodes)
                self._differed = self._differed or len(found) > 1 or met
                if self.view.now >= self._known and len(found) > 1:
                    unaware = sum(one.citizen.identity.public not in node.table.facts.conflicts for node in nodes)
                    if unaware:
                        self.broken(f"{unaware} nodes do not know that node {one.number} signed two cards")
                if self.view.now >= self._after and len(set(held.values())) > 1:
                    without = sum(not card for card in held.values())
                    self.broken(f"of node {one.number} there are {len(found)} cards, and {without} nodes have none")

    def finish(self) -> None:
        self._see()
        self.metrics["differed"] = int(self._differed)
        if not self._differed:
            self.broken("there was nothing to agree on: nobody held or met more than one card of it")


def _held(node: SimulatedNode, citizen: Citizen) -> bytes:
    peer = node.table.by_identity(citizen.identity.public)
    return bytes(peer.card.card_id) if peer is not None else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOnce:
    """Nobody asks for something old or worthless of one kind again: each thing that is told so goes to a node once."""

    kind: str
    most: int = 1
    least: int = 1

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _ToldOnce(view, schedule, self)


class _ToldOnce(Watch):
    def __init__(self, view: View, schedule: Schedule, said: ToldOnce) -> None:
        super().__init__(view, schedule)
        self.name = f"nobody asks for the same {said.kind} more than {said.most} times"
        self.settled = False
        self._said = said
        self._next = 0
        self._heard: dict[tuple[int, bytes], int] = {}
        self._count = 0

    def look(self) -> None:
        lies = self.view.oracle.lies
        for lie in lies[self._next :]:
            if lie.kind == self._said.kind and lie.to is not None and self.view.nodes[lie.to].honest:
                self._count += 1
                key = lie.to, lie.what
                self._heard[key] = self._heard.get(key, 0) + 1
                if self._heard[key] > self._said.most:
                    self.broken(f"node {lie.to} asked {self._heard[key]} times")
        self._next = len(lies)
        self.settled = self._count >= self._said.least

    def finish(self) -> None:
        self.metrics[f"{self._said.kind.replace(' ', '_')}s"] = self._count
        if not self.settled:
            self.broken(f"{self._count} told, at least {self._said.least} expected")
