"""Invariants of the message world: what holds in every run of it. What they do not see, the bytes world shows."""

from p2pnoise.gossip.candidates import PASSIVE
from p2pnoise.gossip.messages import CardItem
from p2pnoise.gossip.wants import MAX_QUEUED
from p2pnoise.instant import SECOND
from simulations.checks import NodeView, View, Watch
from simulations.faults import Schedule
from simulations.invariants import Calm as Busyness

from .bits import numbers_of
from .nodes import MessageNode
from .registry import BODY
from .world import MessageWorld

GRACE = 2  # seconds for what ended to be noticed
SAMPLE = 100  # tables that are looked through


class _OfMessages(Watch):
    """A check that sees the inside of this world."""

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        if not isinstance(view, MessageWorld):
            raise TypeError("a check of the message world alone")
        self.world = view

    def sample(self) -> list[MessageNode]:
        live = self.world.live()
        return live[:: 1 + len(live) // SAMPLE]


class Genuine(_OfMessages):
    """S1: every card that any node holds was signed by its owner and granted by the issuer. All are looked at."""

    name = "S1 only genuine cards"

    def finish(self) -> None:
        registry, oracle, held = self.world.registry, self.world.oracle, 0
        for node in self.world.nodes:
            held |= node.table.items.bits
        for number in numbers_of(held & registry.kinds[BODY]):
            item = registry.item(number)
            card = registry.memo.card(item.raw) if isinstance(item, CardItem) else None
            if card is None or bytes(card.card_id) not in oracle.signed:
                self.broken(f"item {number} is no card that its owner signed")
            elif any((one.attrs, one.signature) not in oracle.granted for one in card.grants):
                self.broken(f"{card.label} has a grant that no issuer signed")


class Steady(_OfMessages):
    """S2 and S3: of one identity no table ever takes two bodies of one number, nor a lower number after a higher.

    A hundred tables are looked through in the end: what they hold, and what they held once.
    """

    name = "S2, S3 numbers never repeat or go back"

    def finish(self) -> None:
        several = [known.bodies for known in self.world.registry.identities.values() if len(known.bodies) > 1]
        for node in self.sample():
            bits, gone = node.table.items.bits, node.table.gone
            for bodies in several if node.honest else ():
                held = [card for number, card in bodies if bits >> number & 1]
                ever = [card for number, card in bodies if (bits | gone) >> number & 1]
                if len({card.sequence for card in ever}) < len(ever):
                    self.broken(f"node {node.number} took two bodies of {ever[0].label} with one number")
                elif held and held[-1].sequence < max(card.sequence for card in ever):
                    self.broken(f"node {node.number} took number {held[-1].sequence} of {ever[0].label} after a higher")


class Bounded(_OfMessages):
    """S4: tables, passive views and open questions stay within their caps; links have none in this world."""

    name = "S4 caps hold"
    _next = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        for node in self.sample():
            overlay = node.overlay
            if overlay is None or not node.honest:
                continue
            if node.known > node.table.most:
                self.broken(f"node {node.number} knows {node.known} peers, at most {node.table.most}")
            passive = len(overlay.views.candidates.passive)
            if passive > PASSIVE:
                self.broken(f"node {node.number} has {passive} peers in its passive view, at most {PASSIVE}")
            queued = max((queued for _, queued in overlay.questions.values()), default=0)
            if queued > MAX_QUEUED:
                self.broken(f"node {node.number} is to ask one peer for {queued} items, at most {MAX_QUEUED}")


class Timely(_OfMessages):
    """S6: no card stands in a table after its end; a hundred tables are looked through in the end."""

    name = "S6 nothing expired is kept"

    def finish(self) -> None:
        for node in self.sample():
            unix = node.clock.instant(self.world.now).unix - GRACE
            if any(peer.verdict.valid_until <= unix for peer in node.table):
                self.broken(f"node {node.number} keeps a card that has ended")


class Calm(Busyness):
    """S7: nobody is busy without end."""

    def inside(self) -> list[MessageNode]:
        return [node for node in self.view.nodes if isinstance(node, MessageNode)]


class Honest(_OfMessages):
    """S5: no honest node breaks the protocol in the eyes of another, and none raises."""

    name = "S5 nobody is blamed"

    def failed(self, node: NodeView, error: Exception) -> None:
        self.broken(f"node {node.number}: {type(error).__name__}: {error}")

    def finish(self) -> None:
        blamed = self.world.census["misbehaved"]
        if blamed:
            self.broken(f"{blamed} links were ended for what honest nodes said")


ALWAYS: tuple[type[Watch], ...] = (Genuine, Steady, Bounded, Honest, Timely, Calm)
