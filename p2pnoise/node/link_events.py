"""What a link tells its owner, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from cards import Address

from .frames import Code, Hello
from .stream_events import StreamEvent


@dataclass(frozen=True, slots=True)
class CardPresented:
    """The peer proved the static key `rs` and gave this card: `accept` or `refuse` it before anything else."""

    card: bytes
    rs: bytes


@dataclass(frozen=True, slots=True)
class Greeted:
    """The peer's first frame decrypted: it lives, and from now on it counts."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class GossipReceived:
    data: bytes


@dataclass(frozen=True, slots=True)
class PeerReady:
    """The peer has judged us well, too: it takes streams."""


@dataclass(frozen=True, slots=True)
class StreamHappened:
    """Something happened on a stream of this link, which is up."""

    event: StreamEvent


@dataclass(frozen=True, slots=True)
class Ponged:
    """The peer answered a ping that said `payload`, or says so."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class KeyElsewhere:
    """The peer has met another node that lives and uses our key, at `address`."""

    address: Address


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer ended the link, or refused us, and said why."""

    code: Code


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come. `fault` is empty after a clean end."""

    fault: str


LinkEvent: TypeAlias = (
    CardPresented | Greeted | GossipReceived | PeerReady | StreamHappened | Ponged | KeyElsewhere | PeerClosed | Ended
)
