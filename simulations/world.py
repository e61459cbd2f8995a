"""World: a discrete-event network of real node cores, with real handshakes and cards, in integer nanoseconds.

Everything random comes from the seed, one stream for each node and concern, so that a draw added in one place shifts no
other. No clock is read, nothing is opened, and no set is iterated: the same seed gives the same trace in any process.
What carries bytes is said by network.py, what goes wrong by faults.py and striking.py, who lives here by oracle.py.
"""

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeAlias

from cards import Address, Card, Policy, SignatureCache
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.events import Event
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND, Instant, ns
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore

from .clocks import START, Clock
from .disks import Disk, DiskError, MemoryDisk
from .network import Lines, NetworkLaw
from .oracle import Citizen, Oracle
from .signatures import CountingSignatures

DIAL_TIMEOUT = 10 * SECOND  # after which a dial that nobody answers has failed, as with the daemon's carriers
RESTORED_AT_ONCE = 1_000  # rows; the rest follows, as in the daemon


class Inhabitant(Protocol):
    """What lives at a place of a world: a NodeCore, or something that means no good and speaks as one."""

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]: ...
    def deadline(self) -> int | None: ...
    def new_connection(self) -> io.ConnectionId: ...


class _Packet(NamedTuple):
    """Bytes on their way; whoever sent them is told where the other end is gone."""

    source: int
    source_boot: int
    source_connection: io.ConnectionId
    connection: io.ConnectionId
    data: bytes


class _Knock(NamedTuple):
    """A dial on its way."""

    source: int
    source_boot: int
    connection: io.ConnectionId


class _Alarm(NamedTuple):
    """Something that the world itself does then."""

    ring: Callable[[], None]


_Given: TypeAlias = io.Input | _Packet | _Knock | _Alarm


@dataclass(slots=True)
class Carrier:
    """One end of a connection; `peer`, `peer_boot` and `peer_connection` name the other."""

    peer: int
    peer_boot: int
    peer_connection: io.ConnectionId
    last_arrival: int = 0  # so that what is sent later never arrives earlier
    held: list[tuple[bytes, bool]] = field(default_factory=list)  # what could not pass, and whether word was asked for


class Make(Protocol):
    """How whoever lives at a place begins, at each start anew."""

    def __call__(self, world: "World", node: "SimulatedNode", /) -> Inhabitant: ...


@dataclass(slots=True)
class SimulatedNode:
    """A place in the world, and who lives there. `core` is of this start; a crash ends it, `boot` counts them."""

    number: int
    citizen: Citizen
    config: NodeConfig
    make: Make
    kind: str
    clock: Clock
    disk: Disk
    dialable: bool = True
    core: Inhabitant | None = None
    boot: int = 0
    failure: str = ""  # why it ended by itself
    bytes_sent: int = 0
    messages_sent: int = 0
    inputs: int = 0
    census: Counter[str] = field(default_factory=Counter)
    carriers: dict[io.ConnectionId, Carrier] = field(default_factory=dict)
    tick: int | None = None  # when its next tick comes

    @property
    def online(self) -> bool:
        return self.core is not None

    @property
    def honest(self) -> bool:
        return self.kind == "honest"

    @property
    def node(self) -> NodeCore:
        """The core of a node that runs, adversaries included that have one. Raises TypeError where there is none."""
        core = self._own_core
        if core is None:
            raise TypeError(f"node {self.number} is down, or has no core")
        return core

    @property
    def _own_core(self) -> NodeCore | None:
        core = getattr(self.core, "core", self.core)
        return core if isinstance(core, NodeCore) else None

    @property
    def table(self) -> PeerTable:
        """The peer table of a node that runs."""
        return self.node.table

    @property
    def known(self) -> int:
        """How many cards its table holds."""
        return len(self.table)

    def lacks(self, citizens: Sequence[Citizen]) -> int:
        """Of how many of these it lacks the newest card, or the address record."""
        return sum(not self._knows(citizen) for citizen in citizens)

    def _knows(self, citizen: Citizen) -> bool:
        peer = self.table.by_identity(citizen.identity.public)
        return peer is not None and peer.record is not None and peer.card.sequence == citizen.card.sequence

    def holds(self, citizen: Citizen) -> bool:
        """Whether its table has a card of this identity."""
        return self.table.by_identity(citizen.identity.public) is not None

    @property
    def address(self) -> Address:
        return self.citizen.address

    def linked(self) -> list[bytes]:
        """The Node IDs of the peers that its application may count on, each once."""
        core = self._own_core
        links = core.links.all.values() if core is not None else ()
        return [bytes(link.node_id) for link in links if link.counted_up and link.node_id]


class World:
    """Nodes, the lines between them, and what is yet to happen. `now` is nanoseconds since the beginning.

    `on_store`, `on_event` and `on_failure` are called as things happen; whoever listens changes nothing. `on_bytes`
    hears all that is sent on connections (from, its connection, to, bytes), as somebody on the path does.
    """

    def __init__(
        self,
        seed: int,
        *,
        law: NetworkLaw | None = None,
        disk: Callable[[int], Disk] = lambda _number: MemoryDisk(),
        signatures: SignatureCache | None = None,
    ) -> None:
        self.seed = seed
        self.now = 0
        self.nodes: list[SimulatedNode] = []
        self.deliveries = 0
        self.census: Counter[str] = Counter()  # events of each kind that were told so far, by all nodes
        self.lines = Lines(law or NetworkLaw(), lambda concern: self.chance("lines", concern))
        # Facts, no opinions: whether these bytes are signed by this key is the same for every node.
        self.signatures = signatures if signatures is not None else CountingSignatures()
        self.oracle = Oracle(self)
        self.on_store: list[Callable[[SimulatedNode, Store], None]] = []
        self.on_event: list[Callable[[SimulatedNode, Event], None]] = []
        self.on_failure: list[Callable[[SimulatedNode, Exception], None]] = []
        self.on_bytes: list[Callable[[SimulatedNode, io.ConnectionId, int, bytes], None]] = []
        self.disk = disk
        self._queue: list[tuple[int, int, int, int, _Given]] = []  # (time, order, node, boot or -1 for any, what)
        self._order = 0
        self._places: dict[Address, int] = {}
        self._blocked: list[tuple[SimulatedNode, int, io.ConnectionId, Carrier]] = []  # with its boot: what holds bytes
        self._trace = hashlib.blake2b(digest_size=16)

    def chance(self, *label: object) -> random.Random:
        """The seeded stream for one concern."""
        name = "/".join(map(str, (self.seed, *label)))
        return random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - repeatable is what is wanted

    def entropy(self, *label: object) -> Callable[[int], bytes]:
        """The seeded stand-in for os.urandom: keys of a simulated world are worth nothing outside it."""
        return self.chance("entropy", *label).randbytes

    @property
    def unix(self) -> int:
        """Seconds since 1970 by a clock that is right."""
        return START + self.now // SECOND

    @property
    def trace_hash(self) -> str:
        """BLAKE2b over every delivery so far (time, from, to, bytes), event (time, node, kind) and fault."""
        return self._trace.copy().hexdigest()

    def note(self, what: str) -> None:
        """Make something part of the trace."""
        self._trace.update(b"%d %s\n" % (self.now, what.encode()))

    def live(self, *, honest: bool = True) -> list[SimulatedNode]:
        """The nodes that run; the honest ones alone, unless others are wanted, too."""
        return [node for node in self.nodes if node.online and (node.honest or not honest)]

    # Living here

    def add(
        self,
        *,
        bootstrap: Sequence[Bootstrap] = (),
        config: NodeConfig | None = None,
        kind: str = "honest",
        make: Make | None = None,
        clock: Clock | None = None,
        dialable: bool = True,
        citizen: Citizen | None = None,
        at: int = 0,
    ) -> SimulatedNode:
        """A newcomer, who starts at nanosecond `at`; a `citizen` of the oracle's, or else a new one."""
        number = len(self.nodes)
        citizen = citizen or self.oracle.settle(number)
        config = replace(config or NodeConfig(), bootstrap=tuple(bootstrap))
        node = SimulatedNode(
            number, citizen, config, make or honest, kind, clock or Clock(), self.disk(number), dialable
        )
        self.nodes.append(node)
        self._places[node.address] = number
        self.alarm(at, lambda: self.start(node))
        return node

    def start(self, node: SimulatedNode) -> None:
        """Have a node that is down begin, with what its disk holds."""
        if node.online:
            return
        node.boot += 1
        node.failure = ""
        try:
            trust, rows = node.disk.load()
        except DiskError as error:
            self.fail(node, error)
            return
        node.core = node.make(self, node)
        self._hand(node, trust)
        self._hand(node, io.FactOffered(self.oracle.lists[0], "a file"))
        for first in range(0, len(rows), RESTORED_AT_ONCE):
            self._hand(node, io.PeersRestored(tuple(rows[first : first + RESTORED_AT_ONCE])))
        self._hand(node, io.ListeningOn((node.address,), (node.address,)))

    def kill(self, node: SimulatedNode, *, silent: bool = False) -> None:
        """End a node at this moment. Its system ends its connections, unless that is gone, too."""
        for carrier in node.carriers.values() if not silent else ():
            self._push(self._one_way(node, carrier.peer), carrier.peer, carrier.peer_boot, _end_of(node, carrier))
        node.carriers.clear()
        node.core = None
        node.tick = None
        node.boot += 1  # what was on its way to it is for nobody

    def stop(self, node: SimulatedNode) -> None:
        """Have a node say goodbye, and wait for its peers."""
        self.schedule(node.number, io.Stop())

    def leave(self, node: SimulatedNode) -> None:
        """Have a node say goodbye and end; as the daemon, it waits for its peers no longer than it is told to."""
        boot = node.boot
        self.stop(node)
        self.alarm(self.now + ns(node.config.close_timeout), lambda: self.kill(node) if node.boot == boot else None)

    def fail(self, node: SimulatedNode, error: Exception) -> None:
        """A node cannot go on: its disk, or a fault of its own."""
        self.kill(node)
        node.failure = str(error) or type(error).__name__
        self.note(f"{node.number} fails: {node.failure}")
        for hear in self.on_failure:
            hear(node, error)

    # What happens

    def schedule(self, number: int, given: io.Input, *, delay: int = 0) -> None:
        """Hand `given` to a node `delay` nanoseconds from now, if it still runs then and did not start anew."""
        self._push(delay, number, self.nodes[number].boot, given)

    def alarm(self, at: int, ring: Callable[[], None]) -> None:
        """Have `ring` called at a nanosecond, or now where that is past."""
        self._push(max(at - self.now, 0), -1, -1, _Alarm(ring))

    def run(self, until: int, *, stop: Callable[[], bool] = lambda: False) -> bool:
        """Let things happen until nanosecond `until`, or until `stop` says so after one; whether it did."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, number, boot, given = heapq.heappop(queue)
            if isinstance(given, _Alarm):
                given.ring()
            else:
                self._happen(self.nodes[number], boot, given)
            if stop():
                return True
        self.now = max(self.now, until)
        return stop()

    @property
    def underway(self) -> int:
        """How much is yet to happen: bytes and dials on their way, ticks, alarms."""
        return len(self._queue)

    def _push(self, delay: int, number: int, boot: int, given: _Given) -> None:
        self._order += 1
        heapq.heappush(self._queue, (self.now + delay, self._order, number, boot, given))

    def _happen(self, node: SimulatedNode, boot: int, given: io.Input | _Packet | _Knock) -> None:
        if isinstance(given, _Knock):
            self._knocked(node, given)
        elif boot != node.boot or not node.online:
            if isinstance(given, _Packet) and given.data and node.online:  # its system knows no such connection
                failed = io.ConnectFailed(given.source_connection, "connection reset by peer")
                self._push(self._one_way(node, given.source), given.source, given.source_boot, failed)
        elif isinstance(given, _Packet):
            if given.connection in node.carriers:
                self.deliveries += 1
                self._trace.update(b"%d %d %d %d " % (self.now, given.source, node.number, len(given.data)))
                self._trace.update(given.data)
                self._hand(node, io.BytesReceived(given.connection, given.data))
        elif isinstance(given, io.Tick) and node.tick != self.now:
            pass  # the deadline has moved since
        else:
            if isinstance(given, io.Tick):
                node.tick = None
            elif isinstance(given, io.ConnectFailed):
                node.carriers.pop(given.connection, None)
            self._hand(node, given)

    def _hand(self, node: SimulatedNode, given: io.Input) -> None:
        core = node.core
        if core is None:
            return
        node.inputs += 1
        try:
            effects = core.handle(given, node.clock.instant(self.now))
            changes = [effect for effect in effects if isinstance(effect, Store)]
            if changes:
                node.disk.keep(changes)
        except DiskError as error:
            self.fail(node, error)
            return
        except Exception as error:  # noqa: BLE001 - a core never raises; that it did is what a simulation is to find
            self.fail(node, error)
            return
        for change in changes:
            for hear in self.on_store:
                hear(node, change)
        for effect in effects:
            self._carry_out(node, effect)
        due = core.deadline()
        if due is not None and node.core is core:
            due = max(node.clock.world_time(due), self.now)
            if node.tick != due:
                node.tick = due
                self._push(due - self.now, node.number, node.boot, io.Tick())

    def _carry_out(self, node: SimulatedNode, effect: io.Effect) -> None:
        match effect:
            case io.SendBytes(connection, data, more):
                node.bytes_sent += len(data)
                node.messages_sent += 1
                self._send(node, connection, data, more=more)
            case io.Emit(event):
                self.census[event.kind] += 1
                node.census[event.kind] += 1
                self._trace.update(b"%d %d %s\n" % (self.now, node.number, event.kind.encode()))
                for hear in self.on_event:
                    hear(node, event)
            case io.Dial(connection, address):
                self._dial(node, connection, address)
            case io.Disconnect(connection):
                self._send(node, connection, b"", more=False)
                node.carriers.pop(connection, None)
            case _:
                pass  # stored already, or of streams, which nobody here uses

    # Carriers

    def _dial(self, node: SimulatedNode, connection: io.ConnectionId, address: Address) -> None:
        there = self._places.get(address)
        if there is None or there == node.number:
            wait, reason = int(2 * self.lines.law.most * SECOND), "no route to host"
        elif not self.nodes[there].dialable or self._is_cut(node.number, there):
            wait, reason = DIAL_TIMEOUT, "connection timed out"
        else:
            self._push(self._one_way(node, there), there, -1, _Knock(node.number, node.boot, connection))
            return
        self.schedule(node.number, io.ConnectFailed(connection, reason), delay=wait)

    def _knocked(self, node: SimulatedNode, knock: _Knock) -> None:
        source = self.nodes[knock.source]
        back = self._one_way(node, knock.source)
        if self._is_cut(knock.source, node.number):  # since the dial began
            failed = io.ConnectFailed(knock.connection, "connection timed out")
            self._push(DIAL_TIMEOUT, knock.source, knock.source_boot, failed)
        elif node.core is None:
            refused = io.ConnectFailed(knock.connection, "connection refused")
            self._push(back, knock.source, knock.source_boot, refused)
        elif source.boot == knock.source_boot:
            here = node.core.new_connection()
            node.carriers[here] = Carrier(source.number, source.boot, knock.connection, self.now + back)
            source.carriers[knock.connection] = Carrier(node.number, node.boot, here)
            self._push(back, source.number, source.boot, io.Connected(knock.connection))
            self._hand(node, io.Accepted(here, source.address))

    def _is_cut(self, one: int, other: int) -> bool:
        return self.lines.blocked(one, other) or self.lines.blocked(other, one)

    def _one_way(self, node: SimulatedNode, other: int) -> int:
        return self.lines.one_way(node.number, other)

    def _send(self, node: SimulatedNode, connection: io.ConnectionId, data: bytes, *, more: bool) -> None:
        carrier = node.carriers.get(connection)
        if carrier is None:
            return
        if carrier.held or (self.lines.faults and self.lines.blocked(node.number, carrier.peer)):
            if not carrier.held:
                self._blocked.append((node, node.boot, connection, carrier))
            carrier.held.append((data, more))
            return
        for hear in self.on_bytes:
            hear(node, connection, carrier.peer, data)
        left, arrival = self.lines.arrival(node.number, carrier.peer, len(data), self.now)
        arrival = carrier.last_arrival = max(carrier.last_arrival, arrival)
        packet = _Packet(node.number, node.boot, connection, carrier.peer_connection, data)
        self._push(arrival - self.now, carrier.peer, carrier.peer_boot, packet)
        if more:  # a carrier takes as much as it is given
            self._push(left - self.now, node.number, node.boot, io.BytesSent(connection))

    def release(self) -> None:
        """Let pass what was held and is not blocked any more; its sender's system sends it on, even after a goodbye."""
        blocked, self._blocked = self._blocked, []
        for node, boot, connection, carrier in blocked:
            if boot != node.boot:  # it was killed, and its system with it or not: nobody sends that any more
                continue
            if self.lines.blocked(node.number, carrier.peer):
                self._blocked.append((node, boot, connection, carrier))
                continue
            held, carrier.held = carrier.held, []
            own = node.carriers.get(connection)
            node.carriers[connection] = carrier
            for data, more in held:
                self._send(node, connection, data, more=more)
            if own is None:
                del node.carriers[connection]

    def reset(self, node: SimulatedNode, connection: io.ConnectionId) -> None:
        """Break a connection on both sides; what was on its way is lost."""
        carrier = node.carriers.pop(connection)
        peer = self.nodes[carrier.peer]
        if peer.boot == carrier.peer_boot and peer.carriers.pop(carrier.peer_connection, None) is not None:
            self.schedule(peer.number, io.ConnectFailed(carrier.peer_connection, "connection reset by peer"))
        self.schedule(node.number, io.ConnectFailed(connection, "connection reset by peer"))


def honest(
    world: World,
    node: SimulatedNode,
    *,
    card: Card | None = None,
    config: NodeConfig | None = None,
    policy: Policy | None = None,
    overlay: Callable[..., Overlay] = Overlay,
) -> NodeCore:
    """A node as the daemon runs it, unless something else is said."""
    return NodeCore(
        config or node.config,
        key=node.citizen.key,
        card=card or node.citizen.card,
        policy=policy or world.oracle.policy,
        random=world.chance("choices", node.number, node.boot),
        entropy=world.entropy(node.number, node.boot),
        signatures=world.signatures,
        overlay=overlay,
    )


def _end_of(node: SimulatedNode, carrier: Carrier) -> _Packet:
    return _Packet(node.number, node.boot, 0, carrier.peer_connection, b"")
