"""Inputs and effects of a node's core: everything that crosses between it and whoever drives it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from cards import Address, AddressRecord, Card, Fact, IdentityId, Mark, NodeId, Policy
from p2pnoise.config import NodeConfig
from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.gossip.peer import Provenance

from .bans import Ban
from .stream_events import End, StreamCode, StreamEvent

ConnectionId = int
Ticket = int  # names what an application waits for: a stream, a link, the answer to a ping

# Inputs


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody connected to us from `address`; `connection` comes from `NodeCore.new_connection`."""

    connection: ConnectionId
    address: Address


@dataclass(frozen=True, slots=True)
class Connected:
    """A dial reached somebody."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """A dial reached nobody, or an established carrier broke, for `reason`."""

    connection: ConnectionId
    reason: str


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """The carrier brought `data`; b"" is its orderly end."""

    connection: ConnectionId
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredPeer:
    """One row as it was stored: a claim, to be verified again."""

    card: Card
    record: AddressRecord | None
    provenance: Provenance
    first_seen: int
    learned_from: bytes
    counted: bool = True  # when it was written


@dataclass(frozen=True, slots=True)
class TrustRestored:
    """What was stored of trust: facts (lists oldest first), marks by identity key, names pinned on first use.

    And the faults of nodes, the oldest first, each as of a second since 1970. Before any `PeersRestored`.
    """

    facts: tuple[Fact, ...]
    marks: Mapping[bytes, Mark]
    pins: Mapping[str, IdentityId] = field(default_factory=dict)
    scores: Mapping[NodeId, tuple[float, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeersRestored:
    """Some rows as they were stored; a large table comes in portions, so that a start does not wait for all.

    So many are `left` for later ones. Those of `anchors` were linked last and are dialled first; their rows come first.
    """

    peers: tuple[StoredPeer, ...]
    left: int = 0
    anchors: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class ListeningOn:
    """We accept connections at `bound`, and others should dial us at `advertised`. The node takes part from now on."""

    bound: tuple[Address, ...]
    advertised: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class FactOffered:
    """A revocation list or a statement from elsewhere than a link; `source` says where from, in words."""

    fact: Fact
    source: str


@dataclass(frozen=True, slots=True)
class PeersOffered:
    """Cards of peers, some with address records, from elsewhere than a link: claims, judged as what a peer gives."""

    peers: tuple[tuple[Card, AddressRecord | None], ...]


@dataclass(frozen=True, slots=True)
class PinsChanged:
    """The operator's pins, identities by name, in place of those before; they go before pins of a first use.

    `untied` are names that a first use pins, or would pin, to this identity and that are to be free for another.
    """

    pins: Mapping[str, IdentityId]
    untied: Mapping[str, IdentityId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BansChanged:
    """The operator's bans, in place of those before; those that have ended count for nothing."""

    bans: tuple[Ban, ...]


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """Another policy for the same network is in force from now on."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class OwnCardChanged:
    """Our own card was replaced: renewed, or given another grant."""

    card: Card


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """Other limits and other peers to begin with, from now on; peers that are new are dialled at once.

    Lower limits close nothing. A link that stands keeps its windows, its number of streams, its patterns and the life
    of its keys; a deadline that runs stays. `advertised` is where others should dial us; None leaves that as it is.
    """

    config: NodeConfig
    advertised: tuple[Address, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; wanted at `NodeCore.deadline`, harmless at any other time."""


@dataclass(frozen=True, slots=True)
class BytesSent:
    """All bytes of a connection whose `SendBytes` asked for word have left."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class StreamWanted:
    """The application wants a stream to a peer, which is dialled for it where need be, at `address` first.

    Answered by one `StreamOpened` or `StreamRefused` with this ticket, unless `StreamUnwanted` comes first.
    """

    ticket: Ticket
    node_id: NodeId
    protocol: str
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class ConnectWanted:
    """A link is wanted now, however many there are and whenever a dial failed before: to this node, at `address` first.

    Without a Node ID any verified peer that answers at `address` will do. One of the two must be given. Answered by
    one `PeerReached` or `StreamRefused` with this ticket, unless `StreamUnwanted` comes first.
    """

    ticket: Ticket
    node_id: NodeId | None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class DisconnectWanted:
    """End all links to this node with a goodbye, and leave it undialled for `hold` seconds, unless a link is wanted.

    It may dial us at any time: whoever shall stay out is to be banned.
    """

    node_id: NodeId
    hold: float


@dataclass(frozen=True, slots=True)
class PingWanted:
    """How long does a round trip take? Answered by one `PingAnswered` or `StreamRefused` with this ticket.

    Of a peer to which no link is up it is refused at once.
    """

    ticket: Ticket
    node_id: NodeId


@dataclass(frozen=True, slots=True)
class StreamUnwanted:
    """The application waits no longer; a stream that was opened meanwhile is ended by whoever gets to know of it."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class StreamWritten:
    """The application writes `data`, at most 128 KiB of which `StreamSent` has not come yet."""

    connection: ConnectionId
    stream: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class StreamRead:
    """The application took `size` bytes of what `StreamReceived` brought."""

    connection: ConnectionId
    stream: int
    size: int


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The application ends a stream. CLOSE or ABORT comes once for each that was opened or offered."""

    connection: ConnectionId
    stream: int
    how: End
    code: StreamCode = StreamCode.CANCELLED


@dataclass(frozen=True, slots=True)
class Stop:
    """Say goodbye on all links; they end within `close_timeout`."""


OfCarrier: TypeAlias = Accepted | Connected | ConnectFailed | BytesReceived | BytesSent
OnOpenStream: TypeAlias = StreamWritten | StreamRead | StreamEnded
Wanted: TypeAlias = StreamWanted | StreamUnwanted | ConnectWanted | DisconnectWanted | PingWanted
Offered: TypeAlias = FactOffered | PeersOffered  # what could have come by a link, and comes from a file
Managed: TypeAlias = (  # by our own operator and disk
    TrustRestored
    | PeersRestored
    | ListeningOn
    | PolicyChanged
    | PinsChanged
    | BansChanged
    | OwnCardChanged
    | ConfigChanged
    | Stop
)
Input: TypeAlias = OfCarrier | OnOpenStream | Wanted | Offered | Managed | Tick

# Effects


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to `address`; answer with `Connected` or `ConnectFailed` for `connection`."""

    connection: ConnectionId
    address: Address


@dataclass(frozen=True, slots=True)
class SendBytes:
    """Send `data`. Where `more` waits for its turn, say `BytesSent` once all bytes of this connection have left."""

    connection: ConnectionId
    data: bytes
    more: bool = False


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the carrier once what was sent before has left; nothing more is heard of this connection."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the application. What a store effect before it says is durable by then."""

    event: Event


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The stream of this ticket is `stream` of `connection` from now on; the peer is `node_id`."""

    ticket: Ticket
    connection: ConnectionId
    stream: int
    node_id: NodeId


class Refusal(Enum):
    """Why a stream was not opened, or a peer not reached."""

    UNKNOWN_PEER = auto()  # we know no address of it, and it is not linked to us
    UNREACHABLE = auto()  # it answered at none of its addresses
    NOT_TRUSTED = auto()  # we refuse it, or it refuses us
    TOO_MANY = auto()  # streams that wait, or links
    STOPPING = auto()  # we do


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """What this ticket stands for will not come, a stream or another; `reason` says so in words."""

    ticket: Ticket
    refusal: Refusal
    reason: str


@dataclass(frozen=True, slots=True)
class PeerReached:
    """The link of this ticket is there: both sides have judged the other well. The peer is `node_id`."""

    ticket: Ticket
    node_id: NodeId


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """The peer of this ticket answered after so many seconds."""

    ticket: Ticket
    seconds: float


@dataclass(frozen=True, slots=True)
class OnStream:
    """Something happened on a stream of `connection`; its peer is `node_id`, whose card is in the table."""

    connection: ConnectionId
    node_id: NodeId
    event: StreamEvent


@dataclass(frozen=True, slots=True)
class StreamsLost:
    """The link that carried all streams of `connection` has ended, for `reason`; nothing more comes of them."""

    connection: ConnectionId
    reason: str


Effect: TypeAlias = (
    Dial
    | SendBytes
    | Disconnect
    | Emit
    | StreamOpened
    | StreamRefused
    | PeerReached
    | PingAnswered
    | OnStream
    | StreamsLost
    | Store
)
