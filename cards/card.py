"""Cards: what an identity says of itself, what issuers grant it, and the envelope that carries both.

A `Card` is a claim: parsed, well-formed, believed by nobody. `verify_card` turns one into a proof.

    envelope   [1, body, key signature, node signature, [[kid, attrs, app signature], ...]]

The body is signed by the identity key and names the Node ID; the node signature names the identity back, so nobody
can claim another's Node ID. Each grant is the issuer's own statement over the body and can be renewed without it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

from . import codec, fields
from .edwards import is_edwards_image
from .fields import EXTENSION_FIELDS, Field
from .findings import CardError
from .keys import IdentityId, NodeId
from .statements import CARD_ID, digest
from .text import from_line, to_line

MAX_CARD = 1024  # bytes of an envelope; one grant makes about 440, four about 860
MAX_GRANTS = 4
MAX_ATTRS = 512
_MAX_GROUPS = 16
POSITION_SIZE = 16

_kid, _signature = fields.binary(8), fields.binary(64)

_BODY_FIELDS: Mapping[str, Field] = {
    "v": Field(fields.version),
    "net": Field(fields.name(32)),
    "key": Field(fields.key(IdentityId)),
    "node": Field(fields.key(NodeId)),
    "name": Field(fields.name(64), required=False),
    "seq": Field(fields.counter),
    "iat": Field(fields.integer),
    "nbf": Field(fields.integer),
    "exp": Field(fields.integer),
    "prev": Field(fields.binary(32), required=False),
    "next": Field(fields.binary(32), required=False),
    **EXTENSION_FIELDS,
}

_ATTRS_FIELDS: Mapping[str, Field] = {
    "sn": Field(fields.counter),
    "iat": Field(fields.integer),
    "nbf": Field(fields.integer),
    "exp": Field(fields.integer),
    "pos": Field(fields.binary(POSITION_SIZE)),
    "grp": Field(fields.array(fields.name(32), _MAX_GROUPS, ordered=True), required=False),
    "cap": Field(fields.array(fields.name(32), _MAX_GROUPS, ordered=True), required=False),
    **EXTENSION_FIELDS,
}


class Mark(NamedTuple):
    """The highest sequence number accepted from an identity, the card id that had it, and whom it committed to."""

    sequence: int
    card_id: bytes
    next_key_digest: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One app signature with its attrs: an issuer's statement over one body. Times in seconds since 1970.

    `kid` is a hint at the issuer's key; `attrs` the bytes as signed; `position` 16 bytes that the issuer drew, which
    place the node in lookups so that nobody can choose a place.
    """

    kid: bytes
    attrs: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    serial: int
    issued_at: int
    not_before: int
    not_after: int
    position: bytes
    groups: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()

    @classmethod
    def parse(cls, kid: Any, attrs: Any, signature: Any) -> Self:
        """From the three parts as carried. Raises `CardError`."""
        kid = _kid(kid, "kid")
        signature = _signature(signature, "app signature")
        if not isinstance(attrs, bytes):
            raise CardError("malformed", f"attrs are a {type(attrs).__name__}, binary expected")
        values = fields.read_map(attrs, _ATTRS_FIELDS, limit=MAX_ATTRS, what="attrs")
        return cls(
            kid=kid,
            attrs=attrs,
            signature=signature,
            serial=values["sn"],
            issued_at=values["iat"],
            not_before=values["nbf"],
            not_after=values["exp"],
            position=values["pos"],
            groups=values.get("grp", ()),
            capabilities=values.get("cap", ()),
        )

    @property
    def parts(self) -> list[bytes]:
        """As it stands in an envelope."""
        return [self.kid, self.attrs, self.signature]

    @property
    def rank(self) -> tuple[int, bytes]:
        """Of one issuer's grants over one body the highest rank holds: by serial, then by SHA-256 of the attrs."""
        return self.serial, hashlib.sha256(self.attrs).digest()


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card as claimed: every field is well-formed, nothing is verified. Times in seconds since 1970."""

    body: bytes = field(repr=False)
    key_signature: bytes = field(repr=False)
    node_signature: bytes = field(repr=False)  # empty where it is missing
    grants: tuple[Grant, ...] = ()
    network: str
    identity: IdentityId
    node_id: NodeId
    name: str | None
    sequence: int
    issued_at: int
    not_before: int
    not_after: int
    previous: bytes | None = None
    next_key_digest: bytes | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope of at most 1,024 bytes. Raises `CardError`."""
        envelope = codec.decode(raw, limit=MAX_CARD, what="card")
        if not isinstance(envelope, list) or len(envelope) != 5:
            raise CardError("malformed", "a card is an array of five parts")
        fields.version(envelope[0], "card version")
        _, body, key_signature, node_signature, grants = envelope
        if not isinstance(grants, list):
            raise CardError("malformed", "the app signatures are not an array")
        if len(grants) > MAX_GRANTS:
            raise CardError("too-many-signatures", f"{len(grants)} app signatures, limit {MAX_GRANTS}")
        if not all(isinstance(grant, list) and len(grant) == 3 for grant in grants):
            raise CardError("malformed", "an app signature is an array of three parts")
        card = cls.from_body(body, key_signature, node_signature, grants)
        card.__dict__["raw"] = raw  # as `raw` would find, since there is one form
        return card

    @classmethod
    def from_body(cls, body: Any, key_signature: Any, node_signature: Any, grants: Iterable[list[Any]] = ()) -> Self:
        """A card from its parts as carried, three of each grant. Raises `CardError`."""
        if not isinstance(body, bytes):
            raise CardError("malformed", f"the body is a {type(body).__name__}, binary expected")
        key_signature = _signature(key_signature, "key signature")
        if node_signature != b"":
            node_signature = _signature(node_signature, "node signature")
        values = fields.read_map(body, _BODY_FIELDS, limit=MAX_CARD, what="body")
        # The same secret in both places would let a Noise handshake and a card signature be traded for each other.
        if is_edwards_image(values["key"], values["node"]):
            raise CardError("key-reuse", "the node key is the identity key")
        return cls(
            body=body,
            key_signature=key_signature,
            node_signature=node_signature,
            grants=tuple(Grant.parse(*grant) for grant in grants),
            network=values["net"],
            identity=values["key"],
            node_id=values["node"],
            name=values.get("name"),
            sequence=values["seq"],
            issued_at=values["iat"],
            not_before=values["nbf"],
            not_after=values["exp"],
            previous=values.get("prev"),
            next_key_digest=values.get("next"),
        )

    def with_grants(self, grants: tuple[Grant, ...]) -> Self:
        """This card with these grants in place of its own; their signatures are not checked."""
        return replace(self, grants=grants)

    @cached_property
    def card_id(self) -> bytes:
        """SHA-256 of the body alone, 32 bytes: order, revocation and pins never depend on signature bytes."""
        return digest(CARD_ID, self.body)

    @cached_property
    def raw(self) -> bytes:
        """The envelope. Raises `CardError` too-large where the grants make it more than 1,024 bytes."""
        raw = codec.encode(
            [
                1,
                self.body,
                self.key_signature,
                self.node_signature,
                [list(grant.parts) for grant in self.grants],
            ]
        )
        if len(raw) > MAX_CARD:
            raise CardError("too-large", f"card of {len(raw)} bytes, limit {MAX_CARD}")
        return raw

    @cached_property
    def mark(self) -> Mark:
        """What is remembered of the identity once this card was accepted."""
        return Mark(self.sequence, self.card_id, self.next_key_digest)

    @property
    def label(self) -> str:
        """What people call it: the name, or the beginning of the Node ID."""
        return self.name or self.node_id.short

    def to_text(self) -> str:
        """One line, `card1:` and base64url."""
        return to_line("card1", self.raw)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From a `card1:` line. Raises `CardError`."""
        return cls.parse(from_line("card1", text))

    def to_json(self) -> dict[str, Any]:
        """A view for people and programs; never signed and never read back."""
        return {
            "card_id": self.card_id.hex(),
            "network": self.network,
            "name": self.name,
            "identity": str(self.identity),
            "node_id": str(self.node_id),
            "sequence": self.sequence,
            "issued_at": self.issued_at,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "previous_card_id": self.previous.hex() if self.previous else None,
            "size": len(self.raw),
            "grants": [
                {
                    "kid": grant.kid.hex(),
                    "serial": grant.serial,
                    "issued_at": grant.issued_at,
                    "not_before": grant.not_before,
                    "not_after": grant.not_after,
                    "groups": list(grant.groups),
                    "capabilities": list(grant.capabilities),
                }
                for grant in self.grants
            ],
        }
