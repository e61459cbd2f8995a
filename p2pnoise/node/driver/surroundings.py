"""Surroundings: what a node stands in and its core knows nothing of: carriers, chance, the clock, what is kept.

`real_world` has sockets, SQLite and the system's clock; `memory_world` has none of them. Time that passes is trio's own
in both, so that a node in memory runs under a `trio.testing.MockClock`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.errors import P2PNoiseError
from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.noise import Entropy

__all__ = ["Accept", "Carrier", "Keeper", "ListenError", "Listening", "Surroundings"]


class ListenError(P2PNoiseError):
    """The node cannot listen where it was told to; `hint` is what to do next. The node was not started."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Carrier(Protocol):
    """Bytes there and back, in order; broken, it raises `trio.BrokenResourceError`."""

    def send_now(self, data: bytes) -> int:
        """How many of these bytes were taken at once; 0 also where it is broken, which `send_all` then says."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether little of what was taken has not left yet, so that more may be given."""
        ...

    async def wait_for_room(self) -> None:
        """Wait until `has_room`."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send all of it, however long that takes."""
        ...

    async def send_eof(self) -> None:
        """End our direction."""
        ...

    async def receive(self) -> bytes:
        """What is there, at least one byte and at most half a megabyte; b"" at the end."""
        ...

    def close(self) -> None:
        """End both directions at once."""
        ...


Accept: TypeAlias = Callable[[Carrier, Address], Awaitable[None]]


class Listening(Protocol):
    """Where a node accepts carriers."""

    addresses: tuple[Address, ...]

    async def serve(self, accept: Accept) -> None:
        """Have `accept` called, in a task of its own, with each carrier and where it comes from; until cancelled."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


class Keeper(Protocol):
    """What a node must not forget."""

    async def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        """What was kept: trust, and the rows to begin with, or all of them. Raises `StoreError`."""
        ...

    async def more(self) -> io.PeersRestored | None:
        """Some more of the rows, after `load`; None once there are none. Raises `StoreError`."""
        ...

    async def keep(self, changes: Sequence[Store]) -> None:
        """Keep these together; they outlive a power cut once this returns. Raises `StoreError`."""
        ...

    def close(self) -> None:
        """Nothing more is kept."""
        ...


class Surroundings(Protocol):
    """All that a node needs besides its keys, its card and its policy."""

    random: Chance
    entropy: Entropy

    def unix(self) -> int:
        """Seconds since 1970."""
        ...

    async def listen(self, addresses: Sequence[Address]) -> Listening:
        """Listen at all of these, or at none. Raises `ListenError`."""
        ...

    async def dial(self, address: Address) -> Carrier:
        """Raises OSError."""
        ...

    async def open_keeper(self, *, network: str, node_id: NodeId) -> Keeper:
        """What this node keeps. Raises `StoreError`."""
        ...
