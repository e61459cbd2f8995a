"""Service: a TCP service of one node that others use, as it is asked for: by whom exposed, and where forwarded from.

A stream of the protocol tcp/SERVICE carries one connection, byte for byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cards import Address, NodeId
from cards.fields import name as name_field
from cards.findings import USAGE
from cli.output import Fault
from p2pnoise.config import Bootstrap, listen_address

__all__ = ["ANYONE", "Exposed", "Forwarded", "local_address"]

ANYONE = "*"
"""In place of groups: every peer whose card counts. No group can have this name."""

_service = name_field(60)  # with what goes before it, as many characters as a protocol may have
_group = name_field(32)
_peer = name_field(64)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A service of ours at the address `to`, for peers of any of `groups`, or for all by `ANYONE`."""

    service: str
    to: Address
    groups: tuple[str, ...]

    @classmethod
    def parse(cls, service: str, to: str, groups: Sequence[str]) -> Self:
        """Raises CardError bad-name and bad-address, and Fault where the groups say nothing, or two things."""
        names = tuple(dict.fromkeys(groups))
        if not names:
            text = f"{service[:60]!r} is exposed to nobody"
            raise Fault(text, "name a group that may use it, or all peers: --any, groups = ['*']", code=USAGE)
        if ANYONE in names and len(names) > 1:
            raise Fault("all peers and certain groups are asked for", "name groups, or all peers", code=USAGE)
        if ANYONE not in names:
            names = tuple(_group(one, "group") for one in names)
        return cls(_service(service, "service"), local_address(to), names)

    @property
    def protocol(self) -> str:
        return f"tcp/{self.service}"

    def allows(self, groups: Sequence[str]) -> bool:
        """Whether a peer of these groups may use it."""
        return ANYONE in self.groups or not set(self.groups).isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The service of a peer, which is named as for `Node.open_stream`, for whoever connects to `listen`."""

    listen: Address
    peer: str
    service: str

    @classmethod
    def parse(cls, listen: str, to: str) -> Self:
        """`to` is PEER:SERVICE. Raises CardError bad-address, bad-name and text-invalid, and Fault."""
        peer, separator, service = to.rpartition(":")
        if not separator:
            raise Fault(f"{to[:80]!r} is not PEER:SERVICE", "for example bob:web", code=USAGE)
        if "@" in peer:
            Bootstrap.parse(peer)
        elif peer.startswith("node1"):
            NodeId.parse(peer)
        else:
            _peer(peer, "peer")
        return cls(local_address(listen, listens=True), peer, _service(service, "service"))

    @property
    def protocol(self) -> str:
        return f"tcp/{self.service}"

    @property
    def target(self) -> str:
        """As PEER:SERVICE."""
        return f"{self.peer}:{self.service}"

    @property
    def place(self) -> object:
        """What two forwards may not share: an address, but for any free port each has one of its own."""
        return self.listen if self.listen.port else (self.listen, self.target)


def local_address(text: str, *, listens: bool = False) -> Address:
    """`host:port`, or a port of this machine by itself; port 0 only to listen. Raises CardError bad-address."""
    whole = f"127.0.0.1:{text}" if text.isascii() and text.isdigit() else text
    return listen_address(whole) if listens else Address.parse(whole)
