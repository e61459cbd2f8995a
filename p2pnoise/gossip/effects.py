"""Effects of the overlay: what it wants done, as values, in the order in which it wants it."""

from dataclasses import dataclass
from typing import TypeAlias

from cards import AddressRecord, Finding, Revocations, Verdict

from .table import Peer

LinkId = int  # whoever drives the overlay numbers the links


@dataclass(frozen=True, slots=True)
class SendMessage:
    """One encoded message for the peer at the end of `link`."""

    link: LinkId
    data: bytes


@dataclass(frozen=True, slots=True)
class StorePeer:
    """This row is new or changed: its card, its record and the mark that goes with them."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class StoreRevocations:
    """These are all the lists that are needed from now on."""

    revocations: Revocations


@dataclass(frozen=True, slots=True)
class Learned:
    """A card or a newer version of one came into the table."""

    peer: Peer
    source: bytes


@dataclass(frozen=True, slots=True)
class RecordLearned:
    """A newer address record came into the table."""

    record: AddressRecord
    source: bytes


@dataclass(frozen=True, slots=True)
class ListApplied:
    """A revocation list was applied; `gone` are the peers that no longer count."""

    issuer: bytes
    sequence: int
    source: bytes
    finding: Finding | None
    gone: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class ListRefused:
    """A list that we were given by other means than a link was not taken."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class ListsCompared:
    """We hold every list that the peer at the end of `link` has told us of: it can be judged."""

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


Effect: TypeAlias = (
    SendMessage
    | StorePeer
    | StoreRevocations
    | Learned
    | RecordLearned
    | ListApplied
    | ListRefused
    | ListsCompared
    | Refused
    | Misbehaved
)
