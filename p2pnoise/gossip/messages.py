"""Gossip messages: what two linked nodes say about cards, records, lists and statements, and how much of it at once."""

from collections.abc import Collection, Set
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeAlias

from cards.policy import MAX_ISSUERS
from cards.revocation import Head

MAX_MESSAGE = 64_000  # bytes: with its frame header it fits one transport message of 65,517
ID_SIZE = 16  # bytes of an item id on the wire: the first half of a SHA-256, 64 bits against an aimed collision
HOUR_SIZE = 3  # bytes of the hour in the key of an item
KEY_SIZE = HOUR_SIZE + ID_SIZE
FINGERPRINT_SIZE = 16
MAX_GROUPS = MAX_ISSUERS + 1  # and what no issuer endorses
MAX_RANGES = 512  # in one message
MAX_IDS = 3_000  # in one message: 48 kB
MAX_WANT = 512  # items asked for at once: 1,024 bytes each at most, half of what one question may draw
MAX_SAMPLE = 16  # ids of one sample: eight peers, as HyParView shuffles them
NONCE_SIZE = 4  # bytes that tell probes apart: enough that no answer is right by chance before its time
MAX_ITEMS_BYTES = 56_000  # a message of items that has grown beyond this is closed
MAX_ITEMS = 512
MAX_WANT_STATEMENTS = 96
DIGEST_SIZE = 32  # bytes of the digest that names a statement or a page
MAX_WANT_PAGES = 8  # asked for at once: half a megabyte, half of what one question may draw


class MessageError(ValueError):
    """A peer sent a gossip message that no honest node sends. The link is finished; nothing of it was used."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest revocation lists that the sender holds, one head per issuer."""

    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class WantLists:
    """Asks for the lists of these issuers."""

    issuers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenList:
    """One revocation list: its head as signed, and its page where it has one alone; others are to be asked for."""

    head: bytes
    signature: bytes
    pages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantPages:
    """Asks for these pages of lists that were given."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenPage:
    """A page that was asked for; an empty one ends the answer."""

    page: bytes


class Fingerprint(Protocol):
    """The 16 bytes that stand for the items of a range, or what is equal to another where its bytes would be."""

    def __bytes__(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Range:
    """The keys from the range before it on and below `upper`, and what the sender holds of them.

    A fingerprint, all ids, or None where it has nothing to say. `b""` is above all keys.
    """

    upper: bytes
    holds: Fingerprint | Set[bytes] | None


@dataclass(frozen=True, slots=True)
class Ranges:
    """Of each group its ranges in order, from the first key on, to be compared; and ids that the receiver lacks."""

    groups: tuple[tuple[bytes, tuple[Range, ...]], ...]
    told: Set[bytes]


@dataclass(frozen=True, slots=True)
class Announce:
    """Ids of items that the sender holds and takes to be news."""

    ids: Set[bytes]


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for these items. `graft`: they were news that nobody pushed; the receiver is to push from now on."""

    ids: Set[bytes]
    graft: bool = False


@dataclass(frozen=True, slots=True)
class CardItem:
    """A card envelope: the body, both signatures and the grants that the sender counts."""

    raw: bytes

    @property
    def size(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class GrantItem:
    """A renewed grant for a card that the receiver is known to hold."""

    card_id: bytes
    kid: bytes
    attrs: bytes
    signature: bytes

    @property
    def size(self) -> int:
        return len(self.card_id) + len(self.kid) + len(self.attrs) + len(self.signature)


@dataclass(frozen=True, slots=True)
class RecordItem:
    """An address record envelope."""

    raw: bytes

    @property
    def size(self) -> int:
        return len(self.raw)


Item: TypeAlias = CardItem | GrantItem | RecordItem


@dataclass(frozen=True, slots=True)
class Items:
    """Items that were asked for, in one or more messages; the `last` one ends the answer."""

    items: Collection[Item]
    last: bool


@dataclass(frozen=True, slots=True)
class Push:
    """Items that are news to the sender, unasked for."""

    items: Collection[Item]


@dataclass(frozen=True, slots=True)
class Prune:
    """Of what the receiver pushed nothing was new: it is to tell its news by id from now on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Cards and records of some peers, by their ids: see views.py."""

    ids: Set[bytes]
    asks: bool  # for one of the receiver
    full: bool  # the sender has no room for the receiver among its neighbours


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks for an answer: whether the receiver lives or, where a Node ID is given, whether that node does."""

    nonce: bytes
    about: bytes = b""  # nobody is dialled for it


class Found(IntEnum):
    """What came of a probe."""

    HERE = 0
    NO_LINK = 1  # or no time for it
    NO_ANSWER = 2


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """Answers a probe."""

    nonce: bytes
    found: Found


@dataclass(frozen=True, slots=True)
class HeldStatements:
    """Digests of statements that the sender holds: of all, or of those that are news to it."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantStatements:
    """Asks for these statements."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenStatements:
    """Statements that were asked for, each with the label of its kind; an empty message ends the answer."""

    statements: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a later version: to be ignored and counted."""


OfLists: TypeAlias = Heads | WantLists | GivenList | WantPages | GivenPage
OfStatements: TypeAlias = HeldStatements | WantStatements | GivenStatements
OfLiveness: TypeAlias = Probe | ProbeAnswer
OfItems: TypeAlias = Ranges | Announce | Want | Items | Push | Prune
Message: TypeAlias = OfLists | OfStatements | OfItems | OfLiveness | Sample
