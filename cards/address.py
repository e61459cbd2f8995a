"""Address records: where a node says that it can be dialled, signed by its node key and numbered.

    envelope   [1, body, signature]

Cards are slow and signed offline; addresses are fast and signed by the node itself.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self, cast

from . import fields
from .fields import Field
from .findings import CardError, Finding
from .keys import NodeId
from .signed import Signed
from .statements import RECORD, SignatureCache

MAX_RECORD = 512  # bytes; two addresses make about 200
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


@dataclass(frozen=True, kw_only=True, eq=False)
class AddressRecord(Signed):
    """Where a node can be dialled until just before `not_after`; no addresses means: do not dial me."""

    what: ClassVar = "address record"
    label: ClassVar = "ADDRESS RECORD"
    context: ClassVar = RECORD
    invalid: ClassVar = "record-invalid"
    limit: ClassVar = MAX_RECORD
    table: ClassVar[Mapping[str, Field]] = {
        "node": Field(lambda value, where: NodeId(fields.binary(32)(value, where))),
        "seq": Field(fields.counter),
        "exp": Field(fields.integer),
        "addr": Field(fields.array(_address, MAX_ADDRESSES, least=0)),
    }

    @property
    def signers(self) -> tuple[bytes, ...]:
        return (self.node_id.signing_key,)

    def check_values(self) -> None:
        if not 0 < self.not_after - self.issued_at <= MAX_LIFETIME:
            raise CardError(
                "bad-validity", f"record of {self.not_after - self.issued_at} s, allowed 1 to {MAX_LIFETIME}"
            )

    @cached_property
    def node_id(self) -> NodeId:
        """Whose addresses these are."""
        return cast("NodeId", self.values["node"])

    @cached_property
    def sequence(self) -> int:
        """Counts up with every record of this node."""
        return int(self.values["seq"])

    @cached_property
    def not_after(self) -> int:
        """From this second since 1970 on it says nothing any more."""
        return int(self.values["exp"])

    @cached_property
    def addresses(self) -> tuple[Address, ...]:
        """Where the node can be dialled, in its order."""
        return cast("tuple[Address, ...]", self.values["addr"])

    def check(
        self, *, network: str, now: int | None, leeway: int, signatures: SignatureCache | None = None
    ) -> Finding | None:
        """As `Signed.check`, and expired once it has ended."""
        if now is not None and self.network == network and now >= self.not_after:
            return Finding("expired", f"address record ended {now - self.not_after} s ago")
        return super().check(network=network, now=now, leeway=leeway, signatures=signatures)
