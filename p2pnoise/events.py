"""Events: what a node tells its application and its operator, as frozen values. Logging is a subscriber of them.

Every event has a `kind` and becomes one JSON object by `to_json`; field names are the same everywhere.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

from cards import Address, Card, Finding, IdentityId, NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        return {"event": self.kind, **{field.name: _plain(getattr(self, field.name)) for field in fields(self)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(_Event):
    """The node accepts connections; `addresses` are where."""

    kind: ClassVar[str] = "listening"
    node_id: NodeId
    name: str | None
    addresses: tuple[Address, ...]
    known_peers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling(_Event):
    """A connection is being tried. `source` says where the address came from: bootstrap, table, demand or visit."""

    kind: ClassVar[str] = "dialling"
    address: Address
    source: str
    node_id: NodeId | None
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed(_Event):
    """A dial or its handshake came to nothing; the address is tried again after `retry_in` seconds.

    `answered` says whether somebody took the connection there.
    """

    kind: ClassVar[str] = "dial-failed"
    address: Address
    node_id: NodeId | None
    reason: str
    answered: bool
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerVerified(_Event):
    """A peer proved its key in a handshake and its card counts under our policy and the current lists."""

    kind: ClassVar[str] = "peer-verified"
    node_id: NodeId
    name: str | None
    address: Address
    pattern: str
    dialled: bool
    groups: tuple[str, ...]
    known_peers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKeyChanged(_Event):
    """The peer that we dialled as `previous` answered as `node_id`: its identity with a newer card, or its heir."""

    kind: ClassVar[str] = "peer-key-changed"
    node_id: NodeId
    previous: NodeId
    name: str | None
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRefused(_Event):
    """We refused a peer, which showed `card`, a claim. `told` says whether it heard `reason`, or nothing at all."""

    kind: ClassVar[str] = "peer-refused"
    node_id: NodeId | None
    name: str | None
    address: Address
    reason: str
    told: bool
    findings: tuple[Finding, ...]
    card: Card | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedByPeer(_Event):
    """A peer refused us and said why."""

    kind: ClassVar[str] = "refused-by-peer"
    node_id: NodeId | None
    name: str | None
    address: Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost(_Event):
    """The last link to a verified peer ended."""

    kind: ClassVar[str] = "peer-lost"
    node_id: NodeId
    name: str | None
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFailed(_Event):
    """A connection that was never verified ended by somebody's fault or silence."""

    kind: ClassVar[str] = "connection-failed"
    address: Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerBanned(_Event):
    """This node has banned a peer by itself, until a second since 1970: it broke the protocol again and again."""

    kind: ClassVar[str] = "peer-banned"
    node_id: NodeId
    name: str | None
    reason: str
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateNode(_Event):
    """Another live node uses the key of a peer that we are linked to: a cloned folder, or a stolen key."""

    kind: ClassVar[str] = "duplicate-node"
    node_id: NodeId
    name: str | None
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeyElsewhere(_Event):
    """The peer `node_id` says that another live node uses our own key, from `address`: a copied folder, or a theft.

    The copy that comes second hears of it as RefusedByPeer, with the reason duplicate-node.
    """

    kind: ClassVar[str] = "own-key-elsewhere"
    node_id: NodeId | None
    name: str | None
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLearned(_Event):
    """A card, or a newer version of one, came into the table by gossip."""

    kind: ClassVar[str] = "card-learned"
    node_id: NodeId
    name: str | None
    sequence: int
    learned_from: NodeId
    known_peers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLearned(_Event):
    """A newer address record came into the table by gossip."""

    kind: ClassVar[str] = "address-learned"
    node_id: NodeId
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApplied(_Event):
    """A revocation list was applied; `revoked` names the peers that no longer count by it."""

    kind: ClassVar[str] = "list-applied"
    issuer: str
    sequence: int
    source: str
    revoked: tuple[NodeId, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementApplied(_Event):
    """A statement was accepted: a delegation, a succession, an ending, a manifest or a conflict.

    `subject` says whom it is about; `dropped` names the peers that no longer count by it.
    """

    kind: ClassVar[str] = "statement-applied"
    statement: str
    subject: str
    source: str
    dropped: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPinned(_Event):
    """The name of a peer that we met was pinned to its identity, on first use."""

    kind: ClassVar[str] = "peer-pinned"
    node_id: NodeId
    name: str
    identity: IdentityId


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRefused(_Event):
    """A card that came by gossip was not taken; the peer that sent it is not to blame."""

    kind: ClassVar[str] = "card-refused"
    node_id: NodeId | None
    name: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCardRejected(_Event):
    """Our own card does not count under our own policy and lists; others will refuse us."""

    kind: ClassVar[str] = "own-card-rejected"
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCardLearned(_Event):
    """The network held a newer card of ours than this node had, as after a backup was restored; it is in use now.

    `source` is who gave it, ourselves where our own database did.
    """

    kind: ClassVar[str] = "own-card-learned"
    sequence: int
    source: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDue(_Event):
    """An issuer's revocation list is due, or will be soon; without a new one no new peers can be admitted."""

    kind: ClassVar[str] = "list-due"
    issuer: str
    sequence: int
    seconds_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRejected(_Event):
    """A watched file changed, or a peer gave a list, that cannot be used; what was in force before stays in force."""

    kind: ClassVar[str] = "file-rejected"
    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled(_Event):
    """A machine that had a join token got its card. `source` is the host that it asked from."""

    kind: ClassVar[str] = "enrolled"
    node_id: NodeId
    name: str | None
    source: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentWaiting(_Event):
    """A request for a card is kept; `reason` says what it waits for: the operator, or the signer."""

    kind: ClassVar[str] = "enrolment-waiting"
    node_id: NodeId
    name: str | None
    source: str
    request: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRefused(_Event):
    """Somebody who wanted a card got none, by the code `reason` of p2pnoise.enrolment; `text` says more."""

    kind: ClassVar[str] = "enrolment-refused"
    node_id: NodeId | None
    source: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRenewed(_Event):
    """Our card has a new grant, which ends at `not_after`, in seconds since 1970."""

    kind: ClassVar[str] = "grant-renewed"
    node_id: NodeId
    not_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalFailed(_Event):
    """Nobody renewed our grant of `issuer`, which ends in `seconds_left`; it is tried again after `retry_in` seconds.

    The issuer is named as in our policy, or by the hint at its key where that does not know it.
    """

    kind: ClassVar[str] = "renewal-failed"
    issuer: str
    reason: str
    seconds_left: int
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailed(_Event):
    """A connection to a TCP service that is exposed, at `address`, or forwarded from there, came to nothing.

    `peer` is whom it is forwarded to, as our operator named it; None where the service is ours. Each reason is told
    once, and again after a connection that came to something.
    """

    kind: ClassVar[str] = "service-failed"
    service: str
    peer: str | None
    address: Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied(_Event):
    """A changed configuration was read: `changed` is in force by it, `restart` is not before one."""

    kind: ClassVar[str] = "config-applied"
    file: str
    changed: tuple[str, ...]
    restart: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(_Event):
    """The node has stopped: links are ended, the store is closed."""

    kind: ClassVar[str] = "stopped"
    node_id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsMissed(_Event):
    """`count` events stood here that a subscription had no room for, since its listener is slow.

    What they told of the peers is in `Node.peers`.
    """

    kind: ClassVar[str] = "events-missed"
    count: int


Event: TypeAlias = (
    Listening
    | Dialling
    | DialFailed
    | PeerVerified
    | PeerKeyChanged
    | PeerRefused
    | RefusedByPeer
    | PeerLost
    | ConnectionFailed
    | PeerBanned
    | DuplicateNode
    | OwnKeyElsewhere
    | CardLearned
    | AddressLearned
    | ListApplied
    | StatementApplied
    | PeerPinned
    | CardRefused
    | OwnCardRejected
    | OwnCardLearned
    | ListDue
    | FileRejected
    | ConfigApplied
    | Enrolled
    | EnrolmentWaiting
    | EnrolmentRefused
    | GrantRenewed
    | RenewalFailed
    | ServiceFailed
    | Stopped
)


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        return value.to_json()
    if isinstance(value, NodeId | IdentityId | Address):
        return str(value)
    if isinstance(value, Card):
        return value.card_id.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
