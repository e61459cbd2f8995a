"""JoinToken: what lets one machine into a network, as one word of text that can be copied and shown as a QR code.

    join1 | base32, in lower case and without padding, of: body | first 4 bytes of SHA-256(body)

The body is a deterministic map. Whoever has the text can join in its place: it is a secret until it is used.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cards import Address, CardError, IdentityId, IssuerId, NodeId, codec, fields
from cards.fields import Field

__all__ = ["MAX_TOKEN", "TOKEN_ID", "JoinToken"]

TOKEN_ID: Final = 16  # bytes
SECRET: Final = 32  # bytes
MAX_ADDRESSES: Final = 4  # a guess: two networks, IPv4 and IPv6 of each
_MAX_BODY = 1024  # bytes; one address makes about 230, four of the longest names 780
_CHECKSUM = 4  # bytes: of 2^32 mistyped ones one is taken for another token, which no issuer knows
MAX_TOKEN: Final = len("join1") + (_MAX_BODY + _CHECKSUM) * 8 // 5 + 1
"""Characters of the longest token."""
_TEXT = re.compile(r"join1[a-z2-7]+")


def _address(value: Any, where: str) -> Address:
    if not isinstance(value, str):
        raise CardError("malformed", f"{where} holds a {type(value).__name__}, text expected")
    return Address.parse(value)


_FIELDS: Mapping[str, Field] = {
    "v": Field(fields.version),
    "id": Field(fields.binary(TOKEN_ID)),
    "s": Field(fields.binary(SECRET)),
    "exp": Field(fields.integer),
    "net": Field(fields.name(32)),
    "iss": Field(fields.key(IssuerId)),
    "node": Field(fields.key(NodeId)),
    "addr": Field(fields.array(_address, MAX_ADDRESSES)),
    "name": Field(fields.name(64), required=False),
    "for": Field(fields.key(IdentityId), required=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """A join token. `not_after` in seconds since 1970.

    `issuer` is whom the joiner will believe, alone; `node_id` the static key of whoever answers at `addresses`. Where
    there is a `name`, the card must have it; where there is an `identity`, it must be of that one.
    """

    token_id: bytes
    secret: bytes = field(repr=False)
    not_after: int
    network: str
    issuer: IssuerId
    node_id: NodeId
    addresses: tuple[Address, ...]
    name: str | None = None
    identity: IdentityId | None = None

    @property
    def psk(self) -> bytes:
        """For message 2 of the handshake, 32 bytes: who has it holds the token."""
        return _derived(self.secret, b"psk")

    @property
    def proof(self) -> bytes:
        """For the joiner's first transport message, 32 bytes: what uses the token up."""
        return _derived(self.secret, b"proof")

    def to_text(self) -> str:
        """The word. Raises `CardError` for values that `parse` would refuse."""
        values: dict[str, codec.Value] = {
            "v": 1,
            "id": self.token_id,
            "s": self.secret,
            "exp": self.not_after,
            "net": self.network,
            "iss": bytes(self.issuer),
            "node": bytes(self.node_id),
            "addr": [str(address) for address in self.addresses],
        }
        if self.name is not None:
            values["name"] = self.name
        if self.identity is not None:
            values["for"] = bytes(self.identity)
        body = codec.encode(values)
        _read(body)
        return _text(body)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the word. Raises `CardError`; it repeats nothing of the token."""
        if len(text) > MAX_TOKEN:
            raise CardError("too-large", f"join token of {len(text)} characters, limit {MAX_TOKEN}")
        if not _TEXT.fullmatch(text):
            raise CardError("text-invalid", "that is no whole join token: join1 and letters a-z and 2-7 expected")
        letters = text.removeprefix("join1").upper()
        try:
            data = base64.b32decode(letters + "=" * (-len(letters) % 8))
        except (binascii.Error, ValueError):
            data = b""
        body = data[:-_CHECKSUM]
        if _text(body) != text:
            raise CardError("text-invalid", "the join token is mistyped or cut short: its checksum does not fit")
        values = _read(body)
        return cls(
            token_id=values["id"],
            secret=values["s"],
            not_after=values["exp"],
            network=values["net"],
            issuer=values["iss"],
            node_id=values["node"],
            addresses=values["addr"],
            name=values.get("name"),
            identity=values.get("for"),
        )


def _read(body: bytes) -> dict[str, Any]:
    return fields.read_map(body, _FIELDS, limit=_MAX_BODY, what="join token")


def _text(body: bytes) -> str:
    data = body + hashlib.sha256(body).digest()[:_CHECKSUM]
    return f"join1{base64.b32encode(data).rstrip(b'=').decode().lower()}"


def _derived(secret: bytes, info: bytes) -> bytes:
    """Protocol rule P17."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
