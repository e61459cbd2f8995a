"""Invariants: what holds in every run, whatever goes wrong and whoever means no good (S1 to S7)."""

from collections.abc import Iterable
from typing import Protocol

from cards import AddressRecord, Card
from cards.statements import frame, verify
from p2pnoise.events import Event, PeerVerified
from p2pnoise.gossip.content import Content
from p2pnoise.gossip.effects import Store, StorePeer
from p2pnoise.gossip.peer import Peer
from p2pnoise.gossip.table import MAX_PEERS
from p2pnoise.instant import SECOND

from .checks import NodeView, View, Watch, seconds
from .disks import DiskError
from .faults import DiskFault, Schedule
from .nodes import SimulatedNode
from .world import World

# A node and virtual second, over ten of them or what is left in the end; a guess: the first of a thousand takes 1,500.
MAX_INPUTS = 5_000
GRACE = 2 * SECOND  # for what ended to be noticed: clocks count whole seconds


class Genuine(Watch):
    """S1: every card in a table was signed by its owner for this node key, and granted by an issuer; every address was
    signed by its node; and every link is one to whoever has the key that its card names.

    Each is looked at when it is stored; and what stands in a table, as what a start took from its disk does, when the
    run is over, too.
    """

    name = "S1 only genuine cards, addresses and peers"

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        self._proven: set[bytes] = set()  # address records whose signature holds
        self._genuine: dict[int, Content] = {}  # by its identity, what was found to be so

    def stored(self, node: NodeView, change: Store) -> None:
        if isinstance(change, StorePeer) and change.peer.content.verdict.ok and node.honest:
            self._judge(node, change.peer)

    def finish(self) -> None:
        inside = _inside(self.view)
        for node in inside[:: 1 + len(inside) // 100]:  # of many nodes a hundred
            for peer in node.table:
                self._judge(node, peer)

    def _judge(self, node: NodeView, peer: Peer) -> None:
        # Nodes that judge alike share one, and what is genuine stays so.
        if id(peer.content) not in self._genuine and self._is_genuine(node, peer):
            self._genuine[id(peer.content)] = peer.content

    def _is_genuine(self, node: NodeView, peer: Peer) -> bool:
        faults = self._faults
        card, record = peer.card, peer.record
        genuine = self.view.oracle.signed.get(bytes(card.card_id))
        if genuine is None or _essence(genuine) != _essence(card):
            self.broken(f"node {node.number} took a card of {card.label} that its owner never signed")
        elif any((one.attrs, one.signature) not in self.view.oracle.granted for one in peer.grants.values()):
            self.broken(f"node {node.number} took a grant for {card.label} that no issuer signed")
        if record is not None and not self._proves(record):
            self.broken(f"node {node.number} took an address of {card.label} that its node never signed")
        return self._faults == faults

    def _proves(self, record: AddressRecord) -> bool:
        if record.raw not in self._proven and all(
            verify(key, signature, frame(record.context, record.body))
            for key, signature in zip(record.signers, record.signatures, strict=True)
        ):
            self._proven.add(record.raw)
        return record.raw in self._proven

    def told(self, node: NodeView, event: Event) -> None:
        if not (isinstance(event, PeerVerified) and node.honest and isinstance(node, SimulatedNode)):
            return
        for connection, link in node.node.links.all.items():
            carrier = node.carriers.get(connection)
            if link.node_id != event.node_id or not link.counted_up or carrier is None:
                continue
            other = self.view.oracle.citizens[carrier.peer]
            if link.node_id not in {other.key.public, *(card.node_id for card in other.cards)}:
                self.broken(
                    f"node {node.number} took node {carrier.peer} for {link.node_id.short}, whose key it has not"
                )


class Steady(Watch):
    """S2 and S3: of one identity a node never takes two bodies of one number, nor a lower number after a higher."""

    name = "S2, S3 numbers never repeat or go back"

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        # Whoever lost its database lost its memory with it.
        self._forgetful = {n for fault in schedule if isinstance(fault, DiskFault) for n in fault.nodes}
        self._seen: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        self._named: dict[tuple[bytes, int], bytes] = {}  # Node ID and number of every address record that was taken
        self._records: dict[tuple[int, bytes], int] = {}
        self._shared: tuple[int, frozenset[bytes]] = (0, frozenset())  # Node IDs that some dishonest node has, too

    def stored(self, node: NodeView, change: Store) -> None:
        if not (isinstance(change, StorePeer) and change.peer.content.verdict.ok and node.honest):
            return
        card, record, number = change.peer.content.card, change.peer.content.record, node.number
        if record is not None:
            named = record.node_id, record.sequence
            if record.raw != self._named.setdefault(named, record.raw) and named[0] not in self._shared_keys():
                self.broken(f"node {number} took a second address record of one number for {card.label}")
            self._addresses(number, record)
        key = number, card.identity
        known = self._seen.get(key)
        before, card_id = known if known is not None else (0, b"")
        if card.sequence > before or number in self._forgetful:
            self._seen[key] = card.sequence, card.card_id
        elif card.sequence < before:
            self.broken(f"node {number} took number {card.sequence} of {card.label} after {before}")
        elif card_id != card.card_id:
            self.broken(f"node {number} took two bodies of {card.label} with number {before}")

    def _shared_keys(self) -> frozenset[bytes]:
        """The keys of all who are not honest: some are clones."""
        count, keys = self._shared
        if count != len(self.view.nodes):
            keys = frozenset(bytes(one.citizen.key.public) for one in self.view.nodes if not one.honest)
            self._shared = len(self.view.nodes), keys
        return keys

    def _addresses(self, number: int, record: AddressRecord) -> None:
        if number in self._forgetful:
            return
        key = number, record.node_id
        if record.sequence < self._records.get(key, 0):
            self.broken(f"node {number} took older addresses of {record.node_id.short}")
        self._records[key] = record.sequence


class Bounded(Watch):
    """S4: tables, links and what waits to be sent stay within their caps."""

    name = "S4 caps hold"
    _next = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND // 2  # every look would be a quarter of a run of 150 nodes
        for node in _inside(self.view):
            links = node.node.links.all
            if len(links) > node.config.max_links:
                self.broken(f"node {node.number} has {len(links)} links, at most {node.config.max_links}")
            if node.known > MAX_PEERS:
                self.broken(f"node {node.number} knows {node.known} peers, at most {MAX_PEERS}")
            strangers = sum(not link.initiator and not link.greeted for link in links.values())
            if strangers > node.config.max_handshakes:
                self.broken(f"node {node.number} has {strangers} handshakes, at most {node.config.max_handshakes}")


class Clean(Watch):
    """S5: no honest node raises; and when all have said goodbye, no link, no connection and no dial is left."""

    name = "S5 no exception, nothing left over"

    def failed(self, node: NodeView, error: Exception) -> None:
        if node.honest and not isinstance(error, DiskError):
            self.broken(f"node {node.number}: {type(error).__name__}: {error}")

    def left_over(self, world: World) -> None:
        """All nodes were stopped, and had time."""
        for node in world.live():
            left = len(node.node.links.all), len(node.carriers), len(node.node.dialling)
            if any(left):
                self.broken(f"node {node.number} has {left[0]} links, {left[1]} connections, {left[2]} dials left")


class Timely(Watch):
    """S6: no card stands in a table after its end; one table is looked through at a time."""

    name = "S6 nothing expired is kept"

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        self._turn = 0
        self._next = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        inside = _inside(self.view)
        self._turn += 1
        for node in inside[self._turn % len(inside) :][:1] if inside else ():
            unix = node.clock.instant(self.view.now - GRACE).unix
            if any(peer.verdict.valid_until <= unix for peer in node.table):
                self.broken(f"node {node.number} keeps a card that has ended")


class Busy(Protocol):
    """Whoever takes inputs, in whatever world."""

    number: int
    inputs: int


class Calm(Watch):
    """S7: time never goes back, and nobody is busy without end."""

    name = "S7 no busy loop"

    def __init__(self, view: View, schedule: Schedule) -> None:
        super().__init__(view, schedule)
        self._seen = 0
        self._judged = view.now  # until then
        self._inputs: dict[int, int] = {}

    def look(self) -> None:
        if self.view.now < self._seen:
            self.broken("time went back")
        self._seen = self.view.now
        if self.view.now >= self._judged + 10 * SECOND:
            self._judge()

    def finish(self) -> None:
        self._judge()

    def _judge(self) -> None:
        lasted = max(self.view.now - self._judged, SECOND)
        most = MAX_INPUTS * lasted // SECOND
        self._judged = self.view.now
        for node in self.inside():
            taken = node.inputs - self._inputs.get(node.number, 0)
            self._inputs[node.number] = node.inputs
            if taken > most:
                self.broken(f"node {node.number} took {taken} inputs in {seconds(lasted):g} s, at most {most}")

    def inside(self) -> Iterable[Busy]:
        """Whose inputs are counted."""
        return _inside(self.view)


ALWAYS: tuple[type[Watch], ...] = (Genuine, Steady, Bounded, Clean, Timely, Calm)


def _inside(view: View) -> list[SimulatedNode]:
    """The honest nodes that run, as the bytes world has them."""
    return [node for node in view.nodes if isinstance(node, SimulatedNode) and node.honest and node.online]


def _essence(card: Card) -> tuple[bytes, bytes, bytes]:
    """All of a card but its grants."""
    return card.body, card.key_signature, card.node_signature
