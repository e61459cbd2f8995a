"""Address records: where a node says that it can be dialled, signed by its node key and numbered.

    envelope   [1, body, signature]

Cards are slow and signed offline; addresses are fast and signed by the node itself.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from . import codec, fields
from .fields import Field
from .findings import CardError, Finding
from .keys import NodeId
from .statements import RECORD, SignatureCache, frame, verify

MAX_RECORD = 512  # bytes; two addresses make about 200
_AROUND_BODY = 71  # bytes of the envelope around a body of 256 or more
MAX_ADDRESSES = 8
MAX_LIFETIME = 7 * 86400  # seconds; a record that outlives its node by more misleads for longer
_MAX_HOST = 128

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Address(NamedTuple):
    """A host (IP address or lower-case DNS name) and a TCP port from 1 to 65535."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `host:port` or `[v6]:port`, in the one form that `str` writes. Raises `CardError` bad-address."""
        host, separator, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not separator or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise CardError("bad-address", f"{text[:80]!r} is not host:port with a port from 1 to 65535")
        address = cls(bare, int(port))
        if not _is_host(bare) or str(address) != text:
            raise CardError("bad-address", f"{text[:80]!r} has no valid host")
        return address

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_host(host: str) -> bool:
    if len(host) > _MAX_HOST:
        return False
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        # A number as last label would be read as IPv4 by many resolvers, so that a name could hide an address.
        last = host.rpartition(".")[2]
        return all(_LABEL.fullmatch(label) for label in host.split(".")) and not _NUMBER.fullmatch(last)
    if isinstance(ip, ipaddress.IPv6Address) and (ip.scope_id is not None or ip.ipv4_mapped is not None):
        # A zone means nothing on another machine and may hold any text. A mapped address is IPv4 in disguise, and
        # versions of Python write it differently.
        return False
    return str(ip) == host


def _address(value: Any, where: str) -> Address:
    if not isinstance(value, str):
        raise CardError("malformed", f"{where} holds a {type(value).__name__}, text expected")
    return Address.parse(value)


_RECORD_FIELDS: Mapping[str, Field] = {
    "v": Field(fields.version),
    "net": Field(fields.name(32)),
    "node": Field(lambda value, where: NodeId(fields.binary(32)(value, where))),
    "seq": Field(fields.counter),
    "iat": Field(fields.integer),
    "exp": Field(fields.integer),
    "addr": Field(fields.array(_address, MAX_ADDRESSES, least=0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRecord:
    """An address record as claimed. Times in seconds since 1970; no addresses means: do not dial me."""

    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    network: str
    node_id: NodeId
    sequence: int
    issued_at: int
    not_after: int
    addresses: tuple[Address, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope of at most 512 bytes. Raises `CardError`."""
        envelope = codec.decode(raw, limit=MAX_RECORD, what="address record")
        if not isinstance(envelope, list) or len(envelope) != 3:
            raise CardError("malformed", "an address record is an array of three parts")
        fields.version(envelope[0], "address record version")
        return cls.from_body(envelope[1], envelope[2])

    @classmethod
    def from_body(cls, body: Any, signature: Any) -> Self:
        """From its two parts as carried. Raises `CardError`."""
        if not isinstance(body, bytes):
            raise CardError("malformed", f"the record is a {type(body).__name__}, binary expected")
        signature = fields.binary(64)(signature, "record signature")
        values = fields.read_map(body, _RECORD_FIELDS, limit=MAX_RECORD - _AROUND_BODY, what="record")
        if not 0 < values["exp"] - values["iat"] <= MAX_LIFETIME:
            raise CardError("bad-validity", f"record of {values['exp'] - values['iat']} s, allowed 1 to {MAX_LIFETIME}")
        return cls(
            body=body,
            signature=signature,
            network=values["net"],
            node_id=values["node"],
            sequence=values["seq"],
            issued_at=values["iat"],
            not_after=values["exp"],
            addresses=values["addr"],
        )

    @property
    def raw(self) -> bytes:
        return codec.encode([1, self.body, self.signature])

    def check(self, *, network: str, now: int, leeway: int, signatures: SignatureCache | None = None) -> Finding | None:
        """None if the node signed it for `network` and it is valid at `now`, else the first finding."""
        if self.network != network:
            return Finding("wrong-network", f"address record for network {self.network}, ours is {network}")
        if self.issued_at > now + leeway:
            return Finding("not-yet-valid", f"address record made {self.issued_at - now} s in the future")
        if now >= self.not_after:
            return Finding("expired", f"address record ended {now - self.not_after} s ago")
        check = signatures.verify if signatures is not None else verify
        if not check(self.node_id.signing_key, self.signature, frame(RECORD, self.body)):
            return Finding("record-invalid", f"address record not signed by node {self.node_id.short}")
        return None
