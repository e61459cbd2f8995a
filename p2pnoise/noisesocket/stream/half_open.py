"""HalfOpen: how many handshakes may be under way at a listener, in all and from one host, and for how long.

Where places run out the oldest handshake goes, of the same host first: an honest one takes a round trip, and those
that stall are old. So whoever stalls thousands from one address only drops their own.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import trio

from p2pnoise.errors import LocalProtocolError

__all__ = ["HANDSHAKE_TIMEOUT", "MAX_HANDSHAKES", "MAX_HANDSHAKES_PER_HOST", "HalfOpen", "Place", "host_of"]

HANDSHAKE_TIMEOUT = 10.0
"""Seconds. A guess: honest handshakes take one or two round trips, 1.5 s over the slowest of satellites."""
MAX_HANDSHAKES = 1024
"""A guess: some megabytes, and as many handshakes as one core finishes in a second."""
MAX_HANDSHAKES_PER_HOST = 64
"""A guess: enough for an office behind one address."""

Host = bytes | str


class Place(NamedTuple):
    """The place of one handshake."""

    scope: trio.CancelScope
    """Cuts it short."""
    leave: Callable[[], None]
    """To be called when it is over; once more does no harm."""


class HalfOpen:
    """The handshakes under way, each by the scope that cuts it short."""

    __slots__ = ("_at_most", "_at_most_per_host", "_hosts", "_places", "_timeout")

    def __init__(
        self,
        timeout: float = HANDSHAKE_TIMEOUT,
        at_most: int = MAX_HANDSHAKES,
        at_most_per_host: int = MAX_HANDSHAKES_PER_HOST,
    ) -> None:
        """`timeout` in seconds from the accepting. Raises LocalProtocolError if there is no place at all."""
        if at_most < 1 or at_most_per_host < 1:
            raise LocalProtocolError(
                f"{at_most} handshakes at most, {at_most_per_host} of one host: at least 1 of each"
            )
        self._timeout = timeout
        self._at_most = at_most
        self._at_most_per_host = at_most_per_host
        # Dictionaries for their order: the oldest is the first.
        self._places: dict[trio.CancelScope, Host | None] = {}
        self._hosts: dict[Host, dict[trio.CancelScope, None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def take_place(self, host: Host | None) -> Place:
        """A place for one more handshake, with this host. To make room, the oldest is cut short."""
        of_host = self._hosts.get(host, {}) if host is not None else {}
        if len(of_host) >= self._at_most_per_host:
            self._cut_short(next(iter(of_host)))
        if len(self._places) >= self._at_most:
            self._cut_short(next(iter(self._places)))
        scope = trio.CancelScope(deadline=trio.current_time() + self._timeout)
        self._places[scope] = host
        if host is not None:
            self._hosts.setdefault(host, {})[scope] = None
        return Place(scope, partial(self._leave, scope))

    def _leave(self, scope: trio.CancelScope) -> None:
        if scope not in self._places:
            return
        host = self._places.pop(scope)
        if host is not None:
            of_host = self._hosts[host]
            del of_host[scope]
            if not of_host:
                del self._hosts[host]

    def _cut_short(self, scope: trio.CancelScope) -> None:
        self._leave(scope)
        scope.cancel()


def host_of(stream: trio.abc.Stream) -> Host | None:
    """The IPv4 address or the IPv6 /64 that a stream comes from; None for what has none, as a Unix socket."""
    if not isinstance(stream, trio.SocketStream):
        return None
    family = stream.socket.family
    if family not in {trio.socket.AF_INET, trio.socket.AF_INET6}:
        return None
    try:
        address: str = stream.socket.getpeername()[0]
    except OSError:
        return b"gone"  # reset since it was accepted
    if family == trio.socket.AF_INET:
        return address
    packed = trio.socket.inet_pton(family, address.partition("%")[0])
    # An IPv4 host at a socket that speaks both: ::ffff:0:0/96 is one /64.
    return packed if packed.startswith(_IPV4_MAPPED) else packed[:8]


_IPV4_MAPPED = bytes(10) + b"\xff\xff"
