"""Around: what most adversaries stand on: a NodeCore of which one thing is different, its gossip or its doings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from p2pnoise.chance import Chance
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip.effects import Effect
from p2pnoise.instant import Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore
from p2pnoise.node.link import Link, Stage
from simulations.nodes import Make, SimulatedNode, honest
from simulations.oracle import Lie
from simulations.world import World

NEVER = 1 << 63


def _nothing(_world: World, _node: SimulatedNode) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Adversary:
    """A kind of inhabitant: how it begins, and what it does before anybody does, when all have their places."""

    make: Make
    prepare: Callable[[World, SimulatedNode], None] = _nothing


class HostileOverlay(Overlay):
    """Gossip that knows the world it means no good to: it says what it likes, and is told of by the oracle."""

    def __init__(self, world: World, node: SimulatedNode, table: PeerTable, *, random: Chance) -> None:
        super().__init__(table, random=random)
        self.world, self.node = world, node
        self.chance: Random = world.chance("adversary", node.number, node.boot)

    def _finish(self, now: Instant) -> list[Effect]:
        return [instead for effect in super()._finish(now) for instead in self.says(effect)]

    def says(self, effect: Effect) -> list[Effect]:
        """What is done in place of this."""
        return [effect]

    def lied(self, link: int, kind: str, *, plain: bool, what: bytes = b"") -> None:
        """A lie is told on this link."""
        tell(self.world, self.node, link, kind, plain=plain, what=what)


def tell(
    world: World, node: SimulatedNode, connection: io.ConnectionId, kind: str, *, plain: bool, what: bytes = b""
) -> None:
    """Have the oracle know that something false is said on this connection."""
    carrier = node.carriers.get(connection)
    to = carrier.peer if carrier is not None else None
    world.census[f"lie: {kind}"] += 1
    world.oracle.lies.append(Lie(world.now, node.number, connection, to, kind, plain, what))


def victim_of(world: World, node: SimulatedNode, *, but: Sequence[int] = ()) -> SimulatedNode:
    """The honest node that this one means no good to: the same one at every start."""
    honest_ones = [one for one in world.nodes if one.honest and one.number not in but]
    return world.chance("victim", node.number).choice(honest_ones)


def by_gossip(overlay: Callable[..., HostileOverlay]) -> Make:
    """How a node begins whose gossip alone is hostile."""

    def make(world: World, node: SimulatedNode) -> NodeCore:
        return honest(world, node, overlay=lambda table, *, random: overlay(world, node, table, random=random))

    return make


class Around:
    """A NodeCore in hostile hands. `act` is called every `pause` nanoseconds, until the node stops."""

    pause: int | None = None

    def __init__(self, world: World, node: SimulatedNode, core: NodeCore | None = None) -> None:
        self.world, self.node = world, node
        self.core = core or honest(world, node)
        self.chance: Random = world.chance("adversary", node.number, node.boot)
        self.out: list[io.Effect] = []  # what is done beside what the core wants
        self._next = 0

    def new_connection(self) -> io.ConnectionId:
        return self.core.new_connection()

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]:
        if isinstance(given, io.Stop):
            self.pause = None
        effects = self.core.handle(given, now) if not self.takes(given) else []
        if self.pause is not None and now.monotonic >= self._next:
            self._next = now.monotonic + self.pause
            self.act()
            effects += self.core.handle(io.Tick(), now)  # which hands out what was put into links
        effects = [one for effect in effects for one in self.changed(effect)] + self.out
        self.out = []
        return effects

    def deadline(self) -> int | None:
        due = self.core.deadline()
        if self.pause is None:
            return due
        return min(self._next, due if due is not None else NEVER)

    def takes(self, _given: io.Input) -> bool:
        """Whether the core does not get to hear of this."""
        return False

    def changed(self, effect: io.Effect) -> list[io.Effect]:
        """What is done in place of this."""
        return [effect]

    def act(self) -> None:
        """Do harm; `gossip` says what the core would not."""

    def links(self) -> list[tuple[io.ConnectionId, Link]]:
        """The links that are up."""
        return [(number, link) for number, link in self.core.links.all.items() if link.stage is Stage.UP]

    def gossip(self, connection: io.ConnectionId, link: Link, data: bytes) -> None:
        """Send these bytes as a gossip message."""
        link.send_gossip(data)
        self.core.links.agenda.touch(connection)
