"""World: a discrete-event network of real node cores, with real handshakes and cards, in integer nanoseconds.

A carrier behaves as TCP does: ordered, and loss is delay or an end, never silence. Everything random comes from the
seed, one stream for each node and concern, so that a draw added in one place shifts no other. No clock is read,
nothing is opened, and no set is iterated: the same seed gives the same trace in any process.
"""

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from cards import Address, Card, Memo, NodeKey, Policy, RevocationList
from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.events import Event
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore

MILLISECOND = SECOND // 1000
START = 1_800_000_000  # seconds since 1970 at which every world begins; any fixed second would do
LATENCY = (10 * MILLISECOND, 60 * MILLISECOND)  # one way, drawn once for each pair: a continent, not a planet


@dataclass(slots=True)
class _Carrier:
    """One end of a connection; `peer` and `peer_connection` name the other."""

    peer: int
    peer_connection: io.ConnectionId
    last_arrival: int = 0  # so that what is sent later never arrives earlier


@dataclass(slots=True)
class SimulatedNode:
    """A core with its place in the world. `events` holds what it emitted, with the time."""

    core: NodeCore
    address: Address
    online: bool = True
    bytes_sent: int = 0
    events: list[tuple[int, Event]] = field(default_factory=list)
    carriers: dict[io.ConnectionId, _Carrier] = field(default_factory=dict)


class World:
    """Nodes, the links between them, and what is yet to happen. `now` is nanoseconds since the beginning."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 0
        self.nodes: list[SimulatedNode] = []
        self.deliveries = 0
        # What is pure is the same for every node: each card is read and judged once.
        self.memo = Memo(limit=1_000_000)
        self._queue: list[tuple[int, int, int, io.Input]] = []  # (time, order, node, input)
        self._order = 0
        self._ticks: dict[int, int] = {}  # node -> the time of its next tick
        self._places: dict[Address, int] = {}
        self._latencies: dict[tuple[int, int], int] = {}
        self._latency = self.chance("latency")
        self._trace = hashlib.blake2b(digest_size=16)
        self._census: Counter[str] = Counter()

    def chance(self, *label: object) -> random.Random:
        """The seeded stream for one concern."""
        name = "/".join(map(str, (self.seed, *label)))
        return random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - repeatable is what is wanted

    def entropy(self, *label: object) -> Callable[[int], bytes]:
        """The seeded stand-in for os.urandom: keys of a simulated world are worth nothing outside it."""
        return self.chance("entropy", *label).randbytes

    @property
    def unix(self) -> int:
        return START + self.now // SECOND

    def add(
        self,
        *,
        key: NodeKey,
        card: Card,
        policy: Policy,
        config: NodeConfig,
        address: Address,
        lists: tuple[RevocationList, ...],
    ) -> int:
        """A node that starts now and listens at `address`; its number."""
        number = len(self.nodes)
        chance: Chance = self.chance("choices", number)
        core = NodeCore(
            config,
            key=key,
            card=card,
            policy=policy,
            random=chance,
            entropy=self.entropy(number),
            memo=self.memo,
        )
        self.nodes.append(SimulatedNode(core, address))
        self._places[address] = number
        self.schedule(number, io.TrustRestored(lists, {}))
        self.schedule(number, io.ListeningOn((address,), (address,)))
        return number

    def schedule(self, node: int, given: io.Input, *, delay: int = 0) -> None:
        """Hand `given` to a node `delay` nanoseconds from now."""
        self._order += 1
        heapq.heappush(self._queue, (self.now + delay, self._order, node, given))

    def run(self, until: int, *, stop: Callable[[], bool] = lambda: False) -> bool:
        """Let things happen until nanosecond `until`, or until `stop` says so after an input; whether it did."""
        while self._queue and self._queue[0][0] <= until:
            time, _, number, given = heapq.heappop(self._queue)
            self.now = time
            if isinstance(given, io.Tick):
                if self._ticks.get(number) != time:
                    continue  # the deadline has moved since
                del self._ticks[number]
            self._deliver(number, given)
            if stop():
                return True
        self.now = max(self.now, until)
        return stop()

    @property
    def trace_hash(self) -> str:
        """BLAKE2b over (time, from, to, bytes) of every delivery so far."""
        return self._trace.copy().hexdigest()

    @property
    def census(self) -> Counter[str]:
        """How many events of each kind were emitted so far, by all nodes."""
        return self._census

    def _deliver(self, number: int, given: io.Input) -> None:
        node = self.nodes[number]
        if not node.online:
            return
        if isinstance(given, io.BytesReceived):
            carrier = node.carriers.get(given.connection)
            if carrier is None:
                return
            self.deliveries += 1
            self._trace.update(b"%d %d %d %d " % (self.now, carrier.peer, number, len(given.data)) + given.data)
        for effect in node.core.handle(given, Instant(self.now, self.unix)):
            self._carry_out(number, node, effect)
        self._plan_tick(number, node)

    def _carry_out(self, number: int, node: SimulatedNode, effect: io.Effect) -> None:
        match effect:
            case io.SendBytes(connection, data, more):
                node.bytes_sent += len(data)
                self._send(number, connection, data)
                if more:  # a carrier takes as much as it is given
                    self.schedule(number, io.BytesSent(connection))
            case io.Emit(event):
                self._census[event.kind] += 1
                node.events.append((self.now, event))
            case io.Dial(connection, address):
                self._dial(number, connection, address)
            case io.Disconnect(connection):
                self._send(number, connection, b"")
                node.carriers.pop(connection, None)
            case _:
                pass  # the table in memory is all the store that a simulated node has

    def _dial(self, number: int, connection: io.ConnectionId, address: Address) -> None:
        there = self._places.get(address)
        if there is None or not self.nodes[there].online:
            delay = 2 * (self._one_way(number, there) if there is not None else LATENCY[1])
            self.schedule(number, io.ConnectFailed(connection, "connection refused"), delay=delay)
            return
        delay = self._one_way(number, there)
        other = self.nodes[there].core.new_connection()
        self.nodes[number].carriers[connection] = _Carrier(there, other)
        self.nodes[there].carriers[other] = _Carrier(number, connection)
        self.schedule(there, io.Accepted(other, self.nodes[number].address), delay=delay)
        self.schedule(number, io.Connected(connection), delay=2 * delay)

    def _send(self, number: int, connection: io.ConnectionId, data: bytes) -> None:
        carrier = self.nodes[number].carriers.get(connection)
        if carrier is None:
            return
        arrival = max(carrier.last_arrival, self.now + self._one_way(number, carrier.peer))
        carrier.last_arrival = arrival
        self.schedule(carrier.peer, io.BytesReceived(carrier.peer_connection, data), delay=arrival - self.now)

    def _one_way(self, one: int, other: int) -> int:
        pair = (min(one, other), max(one, other))
        if pair not in self._latencies:
            self._latencies[pair] = LATENCY[0] + self._latency.randrange(LATENCY[1] - LATENCY[0])
        return self._latencies[pair]

    def _plan_tick(self, number: int, node: SimulatedNode) -> None:
        due = node.core.deadline()
        if due is not None and self._ticks.get(number) != due:
            due = max(due, self.now)
            self._ticks[number] = due
            self.schedule(number, io.Tick(), delay=due - self.now)
