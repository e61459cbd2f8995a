"""Nodes: the places in a world of messages, and the links between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cards import AddressRecord
from p2pnoise.gossip import Overlay
from p2pnoise.gossip.messages import Message
from p2pnoise.node.dials import own_choice
from simulations.clocks import Clock
from simulations.oracle import Citizen

from .bits import without
from .table import DenseTable

if TYPE_CHECKING:
    from .world import MessageWorld

DEGREE = 8  # neighbours that a node wants, as `target_links` of its configuration


@dataclass(slots=True, eq=False)
class Link:
    """A link between two nodes: `dialler` and `other` are their numbers, `number` is its own at both ends."""

    number: int
    dialler: int
    other: int
    one_way: int
    visit: bool = False  # it was dialled to compare tables
    alive: bool = True
    last: list[int] = field(default_factory=lambda: [0, 0])  # arrivals, at the dialler and at the other
    held: list[tuple[int, Message]] = field(default_factory=list)  # what could not pass, by whom it was sent

    def peer_of(self, number: int) -> int:
        return self.other if number == self.dialler else self.dialler


class MessageNode:
    """A place in the world. What it has stored stays when it is down: its table. `overlay` is of this start."""

    __slots__ = (
        "_linked",
        "boot",
        "bytes_sent",
        "came_before",
        "citizen",
        "clock",
        "contacts",
        "dialling",
        "failure",
        "held_down",
        "inputs",
        "kind",
        "links",
        "messages_sent",
        "number",
        "overlay",
        "put_off",
        "record",
        "seeking",
        "table",
        "tick",
        "up",
        "visit_at",
        "wanted",
        "world",
    )

    def __init__(self, world: "MessageWorld", number: int, citizen: Citizen, kind: str, clock: Clock) -> None:
        self.world = world
        self.number = number
        self.citizen = citizen
        self.kind = kind
        self.clock = clock
        own_card = citizen.cards[-1] if citizen.cards else None
        self.table = DenseTable(world.registry, world.oracle.policy, own=citizen.key.public, own_card=own_card)
        self.overlay: Overlay | None = None
        self.record: AddressRecord | None = None
        self.links: dict[int, Link] = {}
        self.up: dict[int, bytes] = {}  # links whose peer was judged well, with its Node ID
        self.wanted = DEGREE  # neighbours
        self.contacts: list[int] = []  # whom it knows when it begins
        self.dialling: set[int] = set()  # who has not answered yet
        # Who had no place for it, or was not there: how often, and until when.
        self.put_off: dict[int, tuple[int, int]] = {}
        self.seeking = 0  # when it is to look again whom to dial, in nanoseconds; 0 where it is not
        self.visit_at = 0
        self.boot = 0
        self.failure = ""  # why it ended by itself
        self.held_down = 0  # faults that keep it from starting
        self.bytes_sent = 0
        self.messages_sent = 0
        self.inputs = 0
        self.tick: int | None = None
        self._linked: list[bytes] | None = None
        self.came_before = 0, 0  # items, and those that need not have come, before it started last

    @property
    def honest(self) -> bool:
        return self.kind == "honest"

    @property
    def online(self) -> bool:
        return self.overlay is not None

    @property
    def known(self) -> int:
        return self.table.count

    def lacks(self, citizens: Sequence[Citizen]) -> int:
        wanted, unknown = self.world.newest_of(citizens)
        lacking = without(wanted, self.table.items.bits)
        bodies = lacking & self.world.registry.kinds[0]
        records = without(lacking & self.world.registry.kinds[1], bodies << 1)
        return unknown + bodies.bit_count() + records.bit_count()

    def knows_all(self, citizens: Sequence[Citizen]) -> bool:
        return not self.lacks(citizens)

    def holds(self, citizen: Citizen) -> bool:
        return self.table.by_identity(bytes(citizen.identity.public)) is not None

    def holds_node(self, node_id: bytes) -> bool:
        return self.table.by_node(node_id) is not None

    def neighbours(self) -> list[bytes]:
        """The Node IDs of its neighbours."""
        views = self.overlay.views if self.overlay is not None else None
        return [self.up[link] for link in views.active if link in self.up] if views is not None else []

    def linked(self) -> list[bytes]:
        if self._linked is None:
            self._linked = list(dict.fromkeys(self.up.values()))
        return self._linked

    def leads_to(self) -> list[int]:
        """The places to which these links lead."""
        return list(dict.fromkeys(self.links[number].peer_of(self.number) for number in self.up))

    @property
    def came(self) -> tuple[int, int]:
        """How many items came to it, ever, and how many of these need not have come."""
        came, spare = self.overlay.redundancy if self.overlay is not None else (0, 0)
        return self.came_before[0] + came, self.came_before[1] + spare

    def end(self) -> None:
        """Forget all that it has not stored."""
        self.came_before = self.came
        self.links.clear()
        self.dialling.clear()
        self.put_off.clear()
        self.seeking = 0  # or the look that its last start had before it would never come, and none after it
        self.up.clear()
        self.forget_linked()
        self.overlay = None
        self.tick = None
        self.boot += 1

    def forget_linked(self) -> None:
        self._linked = None

    def has_neighbour(self, link: Link) -> bool:
        """Whether this end of a link gossips with the other."""
        return self.overlay is not None and link.number in self.overlay.views.active

    @property
    def reached(self) -> set[int]:
        """Who is linked with it, or being dialled."""
        return {link.peer_of(self.number) for link in self.links.values()} | self.dialling

    def lacking(self, *, but_for_some: bool = True) -> int:
        """How many neighbours it is to dial, as the dialler of a node counts them."""
        if self.overlay is None:
            return 0
        views, half = self.overlay.views, own_choice(self.wanted)
        have = views.kept if but_for_some else len(views.active)
        chosen = views.chosen if but_for_some else sum(views.active.values())
        coming = len(self.dialling) + sum(
            link.dialler == self.number and number not in self.up for number, link in self.links.items()
        )
        lacking = int(self.wanted > have + coming)
        return max(lacking, half - chosen - coming)
