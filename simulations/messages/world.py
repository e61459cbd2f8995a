"""World: very many overlays and the links between them, in integer nanoseconds; messages are handed over as values.

As in the bytes world everything random comes from the seed, no clock is read and no set of bytes is iterated. Whom a
node knows when it begins is drawn before: a ring and random pairs. From then on it dials whom its views name.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVarTuple

from cards import Address, Card, Fact, Verdict, make_record
from p2pnoise.gossip import Overlay
from p2pnoise.gossip import effects as gossip
from p2pnoise.gossip.messages import Message
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node.admission import VISITED
from simulations.clocks import START, Clock
from simulations.faults import Fault
from simulations.network import Lines, NetworkLaw
from simulations.oracle import NETWORK, YEAR, Citizen, Oracle
from simulations.seeded import Seeded

from .citizens import listener
from .dialling import Dialling
from .dice import Dice
from .measures import FRAME, TRANSPORT, Measures
from .nodes import DEGREE, Link, MessageNode
from .queue import Queue
from .registry import Registry
from .sybils import KIND, Sybils

SILENCE = 30 * SECOND  # until a peer that says nothing is given up, if it is no neighbour: a node's pings find out
HANDSHAKE = 125  # bytes that each side of a handshake and HELLO sends, beside its card; as counted in the bytes world

Given = TypeVarTuple("Given")

_WORD = struct.Struct("<QIIq")


class MessageWorld(Seeded):
    """Nodes, links, and what is yet to happen. `now` is nanoseconds since the beginning.

    `on_failure` is called when an overlay raises; whoever listens changes nothing. The trace holds every fault and
    every delivery: when, by which link, to whom, and a digest of what the message says.
    """

    def __init__(self, seed: int, *, law: NetworkLaw | None = None, lifetime: int = YEAR) -> None:
        super().__init__(seed)
        self.nodes: list[MessageNode] = []
        self.deliveries = 0
        self.bytes_delivered = 0
        self.census: Counter[str] = Counter()
        self.registry = Registry()
        self.lines = Lines(law or NetworkLaw(), lambda concern: self.chance("lines", concern))
        self.oracle = Oracle(self, lifetime=lifetime)
        self.on_failure: list[Callable[[MessageNode, Exception], None]] = []
        self._queue = Queue()
        self._numbers: dict[bytes, int] = {}  # of nodes, by Node ID
        self._blocked: list[Link] = []
        self.sybils = Sybils(self)
        self._measures = Measures()
        self._plain_lines = not self.lines.law.jitter and self.lines.law.bytes_per_second is None
        self._dialling = Dialling(self, random=self.chance("dialling"), up=self._begin)
        self._impaired = 0  # faults that are in force on the lines
        self._newest: tuple[Sequence[Citizen], int, int, int] = ((), 0, 0, 0)

    def shown(self, clock: Clock) -> Instant:
        """What a clock shows now."""
        if clock.drift or clock.skew:
            return clock.instant(self.now)
        return Instant(self.now, START + self.now // SECOND)

    def live(self) -> list[MessageNode]:
        """The honest nodes that run."""
        return [node for node in self.nodes if node.online and node.honest]

    def newest_of(self, citizens: Sequence[Citizen]) -> tuple[int, int]:
        """The bits of the newest card and record of all of these, and of how many no node holds one yet."""
        known, wanted, unknown, entered = self._newest
        if known is not citizens or entered != len(self.registry.ids):
            wanted = unknown = 0
            for citizen in citizens:
                bits = self.registry.newest(citizen.card, self.nodes[citizen.number].record)
                wanted |= bits
                unknown += not bits
            self._newest = citizens, wanted, unknown, len(self.registry.ids)
        return wanted, unknown

    # Living here

    def add(
        self,
        *,
        at: int = 0,
        kind: str = "honest",
        clock: Clock | None = None,
        silent: bool = False,
        wanted: int = DEGREE,
        address: Address | None = None,
    ) -> MessageNode:
        """A newcomer, who starts at nanosecond `at`. A `silent` one has no card, and only learns."""
        number = len(self.nodes)
        citizen = listener(self.oracle, number) if silent else self.oracle.settle(number, address)
        node = MessageNode(self, number, citizen, kind, clock or Clock())
        node.wanted = wanted
        self.nodes.append(node)
        self._numbers[bytes(citizen.key.public)] = number
        if kind == KIND:
            self.sybils.numbers.append(number)
        self.alarm(at, lambda: None if node.held_down else self.start(node))
        return node

    def join(self, pairs: Iterable[tuple[int, int]] | None = None, *, degree: int = DEGREE) -> None:
        """Say who knows whom, or draw it: a ring, and random pairs until there are `degree` a node."""
        for one, other in sorted(pairs if pairs is not None else self.draw_pairs(degree)):
            self.nodes[one].contacts.append(other)
            self.nodes[other].contacts.append(one)

    def draw_pairs(self, degree: int) -> set[tuple[int, int]]:
        count = len(self.nodes)
        chance = self.chance("topology")
        pairs = {(number, number + 1) for number in range(count - 1)}
        if count > 2:
            pairs.add((0, count - 1))
        wanted = min(count * degree // 2, count * (count - 1) // 2)
        while len(pairs) < wanted:
            one, other = chance.randrange(count), chance.randrange(count)
            if one != other:
                pairs.add((min(one, other), max(one, other)))
        return pairs

    def start(self, node: MessageNode) -> None:
        """Have a node that is down begin, with what it had stored."""
        if node.online:
            return
        node.boot += 1
        node.failure = ""
        instant = self.shown(node.clock)
        seed = self.chance("choices", node.number, node.boot).getrandbits(64)
        overlay = node.overlay = self.make_overlay(node, Dice(seed))
        for first in (self.oracle.lists[0], *self.oracle.rogue_lists.values()):
            self._have(node, overlay.offer_fact, first, instant)
        if node.citizen.cards:
            self.install(node)
            node.record = make_record(
                node.citizen.key,
                network=NETWORK,
                addresses=[str(node.citizen.address)],
                sequence=max(node.record.sequence + 1 if node.record is not None else 0, instant.unix_ms),
                now=instant.unix,
            )
            self._have(node, overlay.offer_record, node.record, instant)
        self._dialling.begin(node)

    def make_overlay(self, node: MessageNode, dice: Dice) -> Overlay:
        """What gossips for a node that begins."""
        return self.sybils.overlay(node, dice) if node.kind == KIND else Overlay(node.table, random=dice)

    def install(self, node: MessageNode) -> None:
        """Show the newest card of this citizen from now on."""
        card = node.citizen.card
        node.table.own_card = card
        if node.overlay is not None:
            self._have(node, partial(node.overlay.offer_card, live=True, own=True), card, self.shown(node.clock))

    def kill(self, node: MessageNode, *, silent: bool = False) -> None:
        """End a node at this moment; its peers are told by its system, or find out."""
        for link in list(node.links.values()):
            link.alive = False
            peer = self.nodes[link.peer_of(node.number)]
            if silent:
                self.alarm(self.now + SILENCE, partial(self._miss, peer, link))
            else:
                self.alarm(self.now + link.one_way, self._dropper(peer, link))
        node.end()

    def offer_fact(self, node: MessageNode, fact: Fact) -> None:
        """Its operator hands a node a fact."""
        if node.overlay is not None:
            self._have(node, node.overlay.offer_fact, fact, self.shown(node.clock))

    # Links

    def number_of(self, node_id: bytes) -> int:
        """Of the node with this Node ID."""
        return self._numbers[bytes(node_id)]

    def parted(self, one: int, other: int) -> bool:
        """Whether nothing passes from one of them to the other, or back."""
        return self._impaired > 0 and (self.lines.blocked(one, other) or self.lines.blocked(other, one))

    def _begin(self, link: Link) -> None:
        """The two ends have shaken hands: the dialler knows first."""
        other = self.nodes[link.other]
        self.alarm(self.now + link.one_way, lambda: self._greet(other, link))
        self._greet(self.nodes[link.dialler], link)

    def _greet(self, node: MessageNode, link: Link) -> None:
        overlay, peer = node.overlay, self.nodes[link.peer_of(node.number)]
        if overlay is None or not link.alive:
            return
        node.links[link.number] = link
        card = len(node.citizen.card.raw) if node.citizen.cards else 0
        node.bytes_sent += HANDSHAKE + card
        node.inputs += 1
        address = peer.citizen.address
        greeted = partial(overlay.peer_greeted, ours=link.dialler == node.number, address=address)
        self._have(node, greeted, link.number, bytes(peer.citizen.key.public), self.shown(node.clock))

    def cut(self, link: Link) -> None:
        """Break a link at both ends; what is on its way is lost."""
        if not link.alive:
            return
        link.alive = False
        for number in (link.dialler, link.other):
            self._drop(self.nodes[number], link)

    def _leave(self, node: MessageNode, link: Link) -> None:
        """Let go of a peer that has no place for us."""
        if not link.visit:
            self._dialling.put_off(node, link.peer_of(node.number))
        self._end(node, link)

    def _end(self, node: MessageNode, link: Link) -> None:
        """Say goodbye: the peer hears it a way later."""
        link.alive = False
        self.alarm(self.now + link.one_way, self._dropper(self.nodes[link.peer_of(node.number)], link))
        self._drop(node, link)

    def _miss(self, node: MessageNode, link: Link) -> None:
        """Nobody has answered the pings of this node, if it has sent any: of its neighbours its overlay finds out."""
        if not node.has_neighbour(link):
            self._drop(node, link)

    def _lose(self, node: MessageNode, link: Link) -> None:
        """A neighbour is taken for dead; if it lives, it hears of that as soon as anything passes."""
        link.alive = False
        there = link.peer_of(node.number)
        if not self.lines.blocked(node.number, there):
            self.alarm(self.now + link.one_way, self._dropper(self.nodes[there], link))
        self._drop(node, link)

    def _dropper(self, node: MessageNode, link: Link) -> Callable[[], None]:
        return lambda: self._drop(node, link)

    def _drop(self, node: MessageNode, link: Link) -> None:
        if node.links.pop(link.number, None) is not None and node.overlay is not None:
            if node.up.pop(link.number, None) is not None:
                node.forget_linked()
                self.census["peer-lost"] += 1
            self._have(node, node.overlay.peer_down, link.number, self.shown(node.clock))
            self._dialling.look_later(node)

    def _judge(self, node: MessageNode, link: Link) -> None:
        """What admission does in a node: judge the card that the peer showed, and let it take part or go."""
        overlay, peer = node.overlay, self.nodes[link.peer_of(node.number)]
        if overlay is None or link.number not in node.links:
            return
        instant = self.shown(node.clock)
        verdict = None
        if peer.citizen.cards:
            card = peer.table.own_card
            verdict = self._verdict(node, peer, card, instant)
            if not verdict.ok:
                self.census["peer-rejected"] += 1
                self._dialling.put_off(self.nodes[link.dialler], link.other)
                self.cut(link)
                return
            self._have(node, partial(overlay.offer_card, live=True), card, instant)
            if not node.online:
                return
        self.census["peer-verified"] += 1
        node.up[link.number] = bytes(peer.citizen.key.public)
        node.forget_linked()
        ours = link.dialler == node.number
        self._have(node, partial(overlay.peer_up, visit=link.visit), link.number, verdict, instant)
        if not (ours or link.visit or link.number in overlay.views.active):
            self.alarm(self.now + VISITED, partial(self._keep, node, link))

    def _keep(self, node: MessageNode, link: Link) -> None:
        """A visitor is still here."""
        if node.overlay is not None and link.number in node.up and link.alive:
            self._have(node, node.overlay.peer_stays, link.number, self.shown(node.clock))

    @staticmethod
    def _verdict(node: MessageNode, peer: MessageNode, card: Card, instant: Instant) -> Verdict:
        return node.table.judge(card, instant.unix, peer_static=bytes(peer.citizen.key.public))

    def _recheck(self, node: MessageNode) -> None:
        """Trust changed: whose card counts no longer is cut."""
        instant = self.shown(node.clock)
        for link in list(node.links.values()):
            peer = self.nodes[link.peer_of(node.number)]
            if peer.citizen.cards and not self._verdict(node, peer, peer.table.own_card, instant).ok:
                self.cut(link)

    def impair(self, fault: Fault) -> None:
        """From now on this is wrong with the lines."""
        self._impaired += 1
        self.lines.begin(fault)

    def mend(self, fault: Fault) -> None:
        """This is over: let pass what was held and is not blocked any more."""
        self._impaired -= 1
        self.lines.end(fault)
        blocked, self._blocked = self._blocked, []
        for link in blocked:
            held, link.held = link.held, []
            for source, message in held:
                if link.alive:
                    self._send(self.nodes[source], link, message, 0)
            if not link.alive:  # one end has given it up
                for number in (link.dialler, link.other):
                    self._drop(self.nodes[number], link)

    def give_up(self) -> None:
        """Cut the links between those who are no neighbours on which nothing passes: nobody has answered for long."""
        lines = self.lines
        for node in self.nodes:
            for link in list(node.links.values()):
                blocked = lines.blocked(link.dialler, link.other) or lines.blocked(link.other, link.dialler)
                if blocked and not any(self.nodes[number].has_neighbour(link) for number in (link.dialler, link.other)):
                    self.cut(link)

    # What happens

    def told(self) -> Counter[str]:
        """How many events of each kind there were, items that came in bulk included."""
        told = Counter(self.census)
        told["card-learned"] += sum(node.table.taken_cards for node in self.nodes)
        told["address-learned"] += sum(node.table.taken_records for node in self.nodes)
        return told

    def alarm(self, at: int, ring: Callable[[], None]) -> None:
        """Have `ring` called at a nanosecond, or now where that is past."""
        self._queue.push(max(at, self.now), -1, ring, None)

    def run(self, until: int, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let things happen until nanosecond `until`, or until `stop` says so after one; whether it did."""
        queue, nodes = self._queue, self.nodes
        while (happening := queue.pop(until)) is not None:
            time, _, number, link, message = happening
            self.now = time
            if number < 0:
                link()
            else:
                node = nodes[number]
                overlay = node.overlay
                if link is None:
                    if node.tick != time or overlay is None:
                        continue  # the deadline has moved since
                    node.tick = None
                    node.inputs += 1
                    self._have(node, overlay.tick, self.shown(node.clock))
                elif link.alive and overlay is not None:
                    self.deliveries += 1
                    node.inputs += 1
                    self._trace.update(_WORD.pack(time, link.number, number, self._measures.digest(message)))
                    self._have(node, overlay.message, link.number, message, self.shown(node.clock))
            if stop is not None and stop():
                return True
        self.now = max(self.now, until)
        return False

    @property
    def underway(self) -> int:
        """How much is yet to happen: messages on their way, ticks, alarms."""
        return len(self._queue)

    def fail(self, node: MessageNode, error: Exception) -> None:
        """A node cannot go on, for a fault of its own."""
        self.kill(node)
        node.failure = str(error) or type(error).__name__
        self.note(f"{node.number} fails: {node.failure}")
        for hear in self.on_failure:
            hear(node, error)

    def _have(self, node: MessageNode, ask: Callable[[*Given], list[gossip.Effect]], *given: *Given) -> None:
        """Ask an overlay, and carry out what it wants."""
        try:
            effects = ask(*given)
        except Exception as error:  # noqa: BLE001 - an overlay never raises; that it did is what a simulation is to find
            self.fail(node, error)
        else:
            self._do(node, effects)

    def _do(self, node: MessageNode, effects: list[gossip.Effect]) -> None:
        """Carry out what an overlay wants, and note when it wants to be asked again."""
        last = -1
        for effect in effects:
            if type(effect) is gossip.SendMessage:
                number = effect.link
                link = node.links.get(number)
                if link is not None:
                    self._send(node, link, effect.message, 0 if number == last else TRANSPORT)
                    last = number
            else:
                self._carry_out(node, effect)
        overlay = node.overlay
        if overlay is not None:
            due = overlay.deadline()
            if due is not None:
                due = max(node.clock.world_time(due) if node.clock.drift else due, self.now)
                if node.tick is None or due < node.tick:
                    node.tick = due
                    self._queue.push(due, node.number, None, None)

    def _carry_out(self, node: MessageNode, effect: gossip.Effect) -> None:  # noqa: C901 - a table
        match effect:
            case gossip.ListsCompared(number):
                if number in node.links:
                    self._judge(node, node.links[number])
            case gossip.FactApplied():
                self.census["fact-applied"] += 1
                self._recheck(node)
            case gossip.StorePeer(peer) if not peer.verdict.ok:  # it has ended
                self._recheck(node)
            case gossip.Silent(number):
                self.census["peer-silent"] += 1
                if number in node.links:
                    self._lose(node, node.links[number])
            case gossip.LeaveLink(number):
                if number in node.links:
                    self._leave(node, node.links[number])
            case gossip.Misbehaved(number, _):
                self.census["misbehaved"] += 1
                if number in node.links:
                    self.cut(node.links[number])
            case gossip.Learned():
                self.census["card-learned"] += 1
            case gossip.RecordLearned():
                self.census["address-learned"] += 1
            case _:
                pass  # all that is stored is in the table

    def _send(self, node: MessageNode, link: Link, message: Message, extra: int) -> None:
        number = node.number
        size = self._measures.size(message) + FRAME + extra
        node.bytes_sent += size
        node.messages_sent += 1
        side = number == link.dialler
        there = link.other if side else link.dialler
        if self._plain_lines and not self._impaired and not link.held:
            arrival = self.now + link.one_way
        else:
            if link.held or self.lines.blocked(number, there):
                if not link.held:
                    self._blocked.append(link)
                link.held.append((number, message))
                return
            _, arrival = self.lines.arrival(number, there, size, self.now)
        arrival = link.last[side] = max(link.last[side], arrival)
        self._queue.push(arrival, there, link, message)
