"""Messages of enrolment and renewal, each a deterministic array [1, kind, ...]: what is asked, and what is answered.

join     proof, card                     by who has a token: the card is the request
status                                   by who comes back
granted  document, name, peers           the card and the lists and statements beside it, as blocks of text; what
                                         the issuer is called; where to begin
pending  code, seconds                   ask again after so many
refused  code, text

renew    hops, card                      to any peer, on a stream for p2pnoise/renew/1
renewed  card
"""

from typing import Any, Final, NamedTuple, TypeAlias

from cards import CardError, codec
from cards.card import MAX_CARD
from cards.text import MAX_ARMOR
from p2pnoise.config import Bootstrap
from p2pnoise.errors import RemoteProtocolError

__all__ = [
    "MAX_ANSWER",
    "MAX_ASK",
    "MAX_PEERS",
    "Granted",
    "Join",
    "MessageError",
    "Pending",
    "Refused",
    "Renew",
    "Renewed",
    "Status",
    "parse_answer",
    "parse_ask",
    "parse_renewal",
]

PROOF: Final = 32  # bytes
MAX_PEERS: Final = 8  # to begin with; a guess: as many links as a node wants
MAX_ASK: Final = MAX_CARD + 64  # bytes of the longest question
MAX_ANSWER: Final = MAX_ARMOR + 4096  # bytes of the longest answer
MAX_WAIT: Final = 3600  # seconds that an answer may put off the next question
MAX_HOPS: Final = 1  # whoever is asked may ask its own peers, and these nobody
_MAX_CODE, _MAX_TEXT = 32, 400  # characters


class MessageError(RemoteProtocolError):
    """The other side sent what is no message of enrolment; nothing was done."""


class Join(NamedTuple):
    """The proof of the token's secret, and the card to grant as its envelope."""

    proof: bytes
    card: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        return codec.encode([1, "join", self.proof, self.card])

    def __repr__(self) -> str:
        return f"Join(card of {len(self.card)} bytes, proof hidden)"


class Status(NamedTuple):
    """What became of my request?"""

    def encode(self) -> bytes:
        """Its bytes."""
        return codec.encode([1, "status"])


class Granted(NamedTuple):
    """The card, and what goes with it."""

    document: bytes
    name: str
    peers: tuple[Bootstrap, ...] = ()

    def encode(self) -> bytes:
        """Its bytes. Raises `CardError` for values that the other side would refuse."""
        return codec.encode([1, "granted", self.document, self.name, [str(peer) for peer in self.peers]])


class Pending(NamedTuple):
    """Not yet: `code` says why, `seconds` when to ask again."""

    code: str
    seconds: int

    def encode(self) -> bytes:
        """Its bytes."""
        return codec.encode([1, "pending", self.code, self.seconds])


class Refused(NamedTuple):
    """No; `code` is one of `REASONS`, `text` what else the issuer says, printable ASCII."""

    code: str
    text: str = ""

    def encode(self) -> bytes:
        """Its bytes; of a text only what may be in one."""
        text = "".join(one if one.isascii() and one.isprintable() else "?" for one in self.text[:_MAX_TEXT])
        return codec.encode([1, "refused", self.code, text])


class Renew(NamedTuple):
    """A card whose grant is to be renewed; `hops` is how often it may still be passed on."""

    hops: int
    card: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        return codec.encode([1, "renew", self.hops, self.card])


class Renewed(NamedTuple):
    """The same card with its newest grants."""

    card: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        return codec.encode([1, "renewed", self.card])


Ask: TypeAlias = Join | Status
Answer: TypeAlias = Granted | Pending | Refused


def parse_ask(data: bytes) -> Ask:
    """What a joiner asks. Raises MessageError."""
    match _parts(data, MAX_ASK):
        case ["join", bytes() as proof, bytes() as card] if len(proof) == PROOF:
            return Join(proof, card)
        case ["status"]:
            return Status()
    raise MessageError("neither join nor status")


def parse_answer(data: bytes) -> Answer:
    """What an issuer answers. Raises MessageError."""
    match _parts(data, MAX_ANSWER):
        case ["granted", bytes() as document, str() as name, list() as peers] if len(peers) <= MAX_PEERS:
            return Granted(document, name, tuple(map(_peer, peers)))
        case ["pending", str() as code, seconds] if len(code) <= _MAX_CODE and _counts(seconds, MAX_WAIT):
            return Pending(code, seconds)
        case ["refused", str() as code, str() as text] if len(code) <= _MAX_CODE and len(text) <= _MAX_TEXT:
            return Refused(code, text)
    raise MessageError("neither granted, pending nor refused")


def parse_renewal(data: bytes) -> Renew | Renewed | Refused:
    """A question or an answer of renewal. Raises MessageError."""
    match _parts(data, MAX_ASK):
        case ["renew", hops, bytes() as card] if _counts(hops, MAX_HOPS):
            return Renew(hops, card)
        case ["renewed", bytes() as card]:
            return Renewed(card)
        case ["refused", str() as code, str() as text] if len(code) <= _MAX_CODE and len(text) <= _MAX_TEXT:
            return Refused(code, text)
    raise MessageError("neither renew, renewed nor refused")


def _parts(data: bytes, limit: int) -> list[Any]:
    """What stands behind the version."""
    try:
        value = codec.decode(data, limit=limit, what="message of enrolment")
    except CardError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, list) or len(value) < len(("version", "kind")):
        raise MessageError("a message of enrolment is an array that begins with its version and kind")
    if type(value[0]) is not int or value[0] != 1:
        raise MessageError(f"message of enrolment in version {value[0]!r:.20}, we speak 1")
    return value[1:]


def _counts(value: Any, most: int) -> bool:
    return type(value) is int and value <= most


def _peer(text: Any) -> Bootstrap:
    try:
        return Bootstrap.parse(text if isinstance(text, str) else "")
    except CardError as error:
        raise MessageError(str(error)) from None
