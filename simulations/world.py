"""World: a discrete-event network of real node cores, with real handshakes and cards, in integer nanoseconds.

Everything random comes from the seed, one stream for each node and concern, so that a draw added in one place shifts no
other. No clock is read, nothing is opened, and no set is iterated: the same seed gives the same trace in any process.
What carries bytes is said by network.py, what goes wrong by faults.py and striking.py, who lives here by nodes.py and
oracle.py.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias, get_args

from cards import Address, Memo, SignatureCache
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import ns
from p2pnoise.node import effects as io

from .carriers import CUT_OFF, Carriers, Knock, Packet
from .clocks import Clock
from .disks import Disk, DiskError, MemoryDisk
from .network import Lines, NetworkLaw
from .nodes import Inhabitant, Make, SimulatedNode, honest
from .oracle import YEAR, Citizen, Oracle
from .seeded import Seeded
from .signatures import CountingSignatures

STORES = get_args(Store)  # a tuple is asked in half the time of a union
MAX_IDLE_TICKS = 1_000  # one after the other without time passing: the node would be busy for ever


class _Alarm(NamedTuple):
    """Something that the world itself does then."""

    ring: Callable[[], None]


_Given: TypeAlias = io.Input | Packet | Knock | _Alarm


class World(Seeded):
    """Nodes, the lines between them, and what is yet to happen. `now` is nanoseconds since the beginning.

    The trace holds every delivery (time, from, to, bytes), every event (time, node, kind) and every fault.

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
        remember: bool = True,
        lifetime: int = YEAR,
    ) -> None:
        super().__init__(seed)
        self.nodes: list[SimulatedNode] = []
        self.deliveries = 0
        self.census: Counter[str] = Counter()  # events of each kind that were told so far, by all nodes
        self.lines = Lines(law or NetworkLaw(), lambda concern: self.chance("lines", concern))
        # Facts, no opinions: whether these bytes are signed by this key is the same for every node.
        self.signatures = signatures if signatures is not None else CountingSignatures()
        # What is pure is the same for every node, too: each card is read and judged once.
        self.memo = Memo(limit=1_000_000, signatures=self.signatures) if remember else None
        self.oracle = Oracle(self, lifetime=lifetime)
        self.on_store: list[Callable[[SimulatedNode, Store], None]] = []
        self.on_event: list[Callable[[SimulatedNode, Event], None]] = []
        self.on_failure: list[Callable[[SimulatedNode, Exception], None]] = []
        self.on_bytes: list[Callable[[SimulatedNode, io.ConnectionId, int, bytes], None]] = []
        self.disk = disk
        self._queue: list[tuple[int, int, int, int, _Given]] = []  # (time, order, node, boot or -1 for any, what)
        self._order = 0
        self._places: dict[Address, int] = {}
        self.carriers = Carriers(self, push=self._push, hand=self._hand)

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
        self.alarm(at, lambda: self.start(node) if not node.held_down else None)
        return node

    def whereabouts(self, address: Address) -> int | None:
        """Who lives at an address."""
        return self._places.get(address)

    def start(self, node: SimulatedNode) -> None:
        """Have a node that is down begin, with what its disk holds."""
        if node.online:
            return
        node.boot += 1
        node.failure = ""
        node.dark = False
        try:
            trust, peers = node.disk.load()
        except DiskError as error:
            self.fail(node, error)
            return
        node.core = node.make(self, node)
        self._hand(node, trust)
        self._hand(node, io.FactOffered(self.oracle.lists[0], "a file"))
        self._hand(node, peers)
        self._hand(node, io.ListeningOn((node.address,), (node.address,)))

    def kill(self, node: SimulatedNode, *, silent: bool = False) -> None:
        """End a node at this moment. Its system ends its connections, unless that is gone, too."""
        self.carriers.end_all(node, silent=silent)
        node.dark = node.dark or silent
        node.came_before = node.came
        node.core = None
        node.tick = None
        node.boot += 1  # what was on its way to it is for nobody

    def stop(self, node: SimulatedNode) -> None:
        """Have a node say goodbye, and wait for its peers."""
        self.schedule(node.number, io.Stop())

    def leave(self, node: SimulatedNode) -> None:
        """Have a node say goodbye and end; as the daemon, it waits for its peers no longer than it is told to."""
        boot = node.leaving = node.boot
        self.stop(node)
        self.alarm(self.now + ns(node.config.close_timeout), lambda: self.kill(node) if node.boot == boot else None)

    def release(self) -> None:
        """Let pass what was held and is not blocked any more."""
        self.carriers.release()

    def reset(self, node: SimulatedNode, connection: io.ConnectionId) -> None:
        """Break a connection on both sides; what was on its way is lost."""
        self.carriers.reset(node, connection)

    def calm_down(self) -> None:
        """Nothing more goes wrong, and nobody else comes: lines are whole, and what was yet to befall them does not."""
        self._queue = [one for one in self._queue if not isinstance(one[-1], _Alarm)]
        heapq.heapify(self._queue)
        self.lines.clear()
        self.release()

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

    def run(self, until: int, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let things happen until nanosecond `until`, or until `stop` says so after one; whether it did."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, number, boot, given = heapq.heappop(self._queue)
            if isinstance(given, _Alarm):
                given.ring()
            else:
                self._happen(self.nodes[number], boot, given)
            if stop is not None and stop():
                return True
        self.now = max(self.now, until)
        return stop is not None and stop()

    @property
    def underway(self) -> int:
        """How much is yet to happen: bytes and dials on their way, ticks, alarms."""
        return len(self._queue)

    def _push(self, delay: int, number: int, boot: int, given: _Given) -> None:
        self._order += 1
        heapq.heappush(self._queue, (self.now + delay, self._order, number, boot, given))

    def _happen(self, node: SimulatedNode, boot: int, given: io.Input | Packet | Knock) -> None:
        match given:
            case Knock():
                self.carriers.knocked(node, given)
            case Packet():
                if self.carriers.arrived(node, boot, given):
                    self._deliver(node, given)
            case _ if boot != node.boot or not node.online:
                pass  # it was for a start that is over
            case io.Tick():
                if node.tick == self.now:  # or else the deadline has moved since
                    node.tick = None
                    self._hand(node, given)
            case io.Connected(connection) if connection not in node.carriers:
                pass  # it broke before we heard that it stands
            case io.ConnectFailed(connection):
                node.carriers.pop(connection, None)
                self._hand(node, given)
            case _:
                self._hand(node, given)

    def _deliver(self, node: SimulatedNode, packet: Packet) -> None:
        self.deliveries += 1
        self._trace.update(b"%d %d %d %d " % (self.now, packet.source, node.number, len(packet.data)))
        self._trace.update(packet.data)
        if packet.refusal:
            del node.carriers[packet.connection]
            self._hand(node, io.ConnectFailed(packet.connection, CUT_OFF))
        else:
            self._hand(node, io.BytesReceived(packet.connection, packet.data))

    def _hand(self, node: SimulatedNode, given: io.Input) -> None:
        core = node.core
        if core is None:
            return
        node.inputs += 1
        try:
            effects = core.handle(given, node.clock.instant(self.now))
            changes = [effect for effect in effects if isinstance(effect, STORES)]
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
        self._carry_out(node, effects)
        if node.leaving == node.boot and not node.carriers:
            self.kill(node)  # all have said goodbye
        else:
            self._wind(node, core, ticked=isinstance(given, io.Tick))

    def _wind(self, node: SimulatedNode, core: Inhabitant, *, ticked: bool) -> None:
        """Have a node called when it wants to be."""
        due = core.deadline()
        if due is None or node.core is not core:
            return
        due = max(node.clock.world_time(due), self.now)
        node.idle_ticks = node.idle_ticks + 1 if ticked and due == self.now else 0
        if node.idle_ticks > MAX_IDLE_TICKS:
            self.fail(node, RuntimeError(f"it wants to be called at once, {MAX_IDLE_TICKS} times in one nanosecond"))
        elif node.tick != due:
            node.tick = due
            self._push(due - self.now, node.number, node.boot, io.Tick())

    def _carry_out(self, node: SimulatedNode, effects: list[io.Effect]) -> None:
        told: list[str] = []  # kinds of events
        for effect in effects:
            match effect:
                case io.Emit(event):
                    told.append(event.kind)
                    for hear in self.on_event:
                        hear(node, event)
                case io.SendBytes(connection, data, more):
                    node.bytes_sent += len(data)
                    node.messages_sent += 1
                    self.carriers.send(node, connection, data, more=more)
                case io.Dial(connection, address):
                    self.carriers.dial(node, connection, address)
                case io.Disconnect(connection):
                    self.carriers.close(node, connection)
                case _:
                    pass  # stored already, or of streams, which nobody here uses
        if told:
            self._trace.update(b"".join([b"%d %d %s\n" % (self.now, node.number, kind.encode()) for kind in told]))
            for kind in told:
                self.census[kind] += 1
                node.census[kind] += 1
