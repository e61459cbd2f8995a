"""Effects of the overlay: what it wants done, as values, in the order in which it wants it."""

from dataclasses import dataclass
from typing import TypeAlias

from cards import AddressRecord, Card, Fact, Finding, NodeId, Pin, Revocations, Verdict
from cards.facts import Statement

from .messages import Message
from .peer import Peer

LinkId = int  # whoever drives the overlay numbers the links


@dataclass(frozen=True, slots=True)
class SendMessage:
    """One message for the peer at the end of `link`; whoever drives the overlay writes it."""

    link: LinkId
    message: Message


@dataclass(frozen=True, slots=True)
class StorePeer:
    """This row is new or changed: its card, its record and the mark that goes with them."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class StoreRevocations:
    """These are all the lists that are needed from now on."""

    revocations: Revocations


@dataclass(frozen=True, slots=True)
class StoreStatement:
    """This statement was accepted."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class StorePin:
    """This name was pinned on first use; or, without an identity, no longer is."""

    pin: Pin


@dataclass(frozen=True, slots=True)
class StoreAnchors:
    """These are to be dialled first after a restart, by Node ID: they take the place of those before."""

    node_ids: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class StoreScore:
    """So many faults a node has to its name, as of this second since 1970; with none it need not be remembered."""

    node_id: NodeId
    faults: float
    at: int


@dataclass(frozen=True, slots=True)
class ForgetMarks:
    """The marks of these identities, which have left, are too many."""

    identities: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """A card or a newer version of one came into the table."""

    peer: Peer
    source: bytes


@dataclass(frozen=True, slots=True)
class OwnCardLearned:
    """The network holds a newer card of ourselves than we do, which this is: it is ours from now on."""

    card: Card
    source: bytes


@dataclass(frozen=True, slots=True)
class RecordLearned:
    """A newer address record came into the table."""

    record: AddressRecord
    source: bytes


@dataclass(frozen=True, slots=True)
class FactApplied:
    """A list or a statement was accepted; `gone` are the peers that no longer count."""

    fact: Fact
    source: bytes
    finding: Finding | None
    gone: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class FactRefused:
    """A fact was not taken that we were given by other means than a link, or that our policy alone keeps out."""

    finding: Finding
    source: bytes


@dataclass(frozen=True, slots=True)
class Pinned:
    """The name of this peer was pinned to its identity, since it was the first that we met with that name."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class ListsCompared:
    """We hold every list that the peer at the end of `link` has told us of: it can be judged."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class PageCame:
    """Some of the lists that the peer at the end of `link` has told us of has come: the rest may take as long again."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class LeaveLink:
    """The peer at the end of `link`, which we dialled, has no room for us: let the link go unless others need it."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Silent:
    """The peer at the end of `link`, a neighbour, is taken for dead: the link is to be dropped."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that a peer gave us was not taken; the peer is not to blame."""

    link: LinkId
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """The peer at the end of `link` sent what no honest node sends: the link is to be ended."""

    link: LinkId
    reason: str


Store: TypeAlias = StorePeer | StoreRevocations | StoreStatement | StorePin | StoreAnchors | StoreScore | ForgetMarks
Effect: TypeAlias = (
    Store
    | SendMessage
    | Learned
    | OwnCardLearned
    | RecordLearned
    | FactApplied
    | FactRefused
    | Pinned
    | ListsCompared
    | PageCame
    | LeaveLink
    | Silent
    | Refused
    | Misbehaved
)
