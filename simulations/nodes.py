"""Nodes: a place in a world, whoever lives there, and how one as the daemon runs it begins."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cards import Address, Card, Policy
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.instant import Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore

from .carriers import Carrier
from .clocks import Clock
from .disks import Disk
from .oracle import Citizen

if TYPE_CHECKING:
    from .world import World


class Inhabitant(Protocol):
    """What lives at a place of a world: a NodeCore, or something that means no good and speaks as one."""

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]: ...
    def deadline(self) -> int | None: ...
    def new_connection(self) -> io.ConnectionId: ...


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
    idle_ticks: int = 0  # one after the other that brought it no further
    dark: bool = False  # its system is gone, too
    held_down: int = 0  # how many faults keep it from starting
    leaving: int = -1  # the start that was told to end
    came_before: tuple[int, int] = (0, 0)  # items, and those that need not have come, before its last start
    lacked: int = 0  # the place of somebody whose card or record it lacked when it was last asked

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
    def came(self) -> tuple[int, int]:
        """How many items came to it, ever, and how many of these need not have come."""
        core = self._own_core
        came, spare = core.redundancy if core is not None else (0, 0)
        return self.came_before[0] + came, self.came_before[1] + spare

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

    def knows_all(self, citizens: Sequence[Citizen]) -> bool:
        """Whether it lacks nothing of these. Who is in the place of the one that it lacked last is looked at first."""
        if self.lacked < len(citizens) and not self._knows(citizens[self.lacked]):
            return False
        found = (place for place, citizen in enumerate(citizens) if not self._knows(citizen))
        place = next(found, None)
        self.lacked = place or 0
        return place is None

    def _knows(self, citizen: Citizen) -> bool:
        card, peer = citizen.card, self.table.by_identity(citizen.card.identity)
        return peer is not None and peer.content.record is not None and peer.content.card.sequence == card.sequence

    def holds(self, citizen: Citizen) -> bool:
        """Whether its table has a card of this identity."""
        return self.table.by_identity(citizen.identity.public) is not None

    def holds_node(self, node_id: bytes) -> bool:
        """Whether its table has a card of this Node ID."""
        return self.table.by_node(node_id) is not None

    @property
    def address(self) -> Address:
        return self.citizen.address

    def neighbours(self) -> list[bytes]:
        """The Node IDs of those with whom it gossips."""
        core = self._own_core
        return [bytes(node_id) for node_id in core.neighbours] if core is not None else []

    def linked(self) -> list[bytes]:
        """The Node IDs of the peers that its application may count on, each once."""
        core = self._own_core
        links = core.links.all.values() if core is not None else ()
        return [bytes(link.node_id) for link in links if link.counted_up and link.node_id]

    def leads_to(self) -> list[int]:
        """The places to which these links lead: a copied key names two of them."""
        core = self._own_core
        links = core.links.all.items() if core is not None else ()
        return [self.carriers[number].peer for number, link in links if link.counted_up and number in self.carriers]


def honest(
    world: "World",
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
        memo=world.memo,
        overlay=overlay,
    )
