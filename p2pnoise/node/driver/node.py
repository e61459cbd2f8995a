"""Node: a running peer, as an application holds it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from cards import Address, NodeId
from p2pnoise.events import Event
from p2pnoise.node import effects as io

from .driver import Driver
from .errors import PeerTimeout, not_opened
from .failures import Failures
from .messages import Outbox
from .naming import find, where
from .peer_stream import PeerStream
from .peers import Peer, PeerRef, known_peers, peer_value
from .requests import MAX_RESPONSE, ask
from .subscription import MAX_EVENTS, Subscription
from .switchboard import Handler

__all__ = ["Listeners", "Node"]


class Listeners:
    """Who is told of a node's events: one function, which is told first, and any subscriptions."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._subscriptions: set[Subscription] = set()
        self._ended = False

    def tell(self, event: Event) -> None:
        """Something happened."""
        self._on_event(event)
        for subscription in self._subscriptions:
            subscription.put(event)

    def subscribe(self, most: int) -> Subscription:
        """A new subscription, from now on."""
        subscription = Subscription(most, self._subscriptions.discard)
        if self._ended:
            subscription.end()
        else:
            self._subscriptions.add(subscription)
        return subscription

    def end(self) -> None:
        """Nothing more will happen."""
        self._ended = True
        for subscription in self._subscriptions:
            subscription.end()


class Node:
    """One running node, made by `open_node`. For the tasks of one trio run.

    A peer is named by a `Peer`, a `NodeId`, `node1...`, `node1...@host:port`, or by its name: the one known peer that
    has it, or the one that it is pinned to. What names a peer raises UnknownPeer, AmbiguousPeer, and CardError for a
    mistyped Node ID or address. No error of these methods harms the node.
    """

    def __init__(
        self,
        driver: Driver,
        listeners: Listeners,
        addresses: tuple[Address, ...],
        block: trio.Nursery,
        failures: Failures,
    ) -> None:
        """For `open_node`."""
        self.addresses = addresses
        """Where it accepts connections."""
        self.core = driver.core
        """Its core, which may be read between two awaits, never changed. What is in there may change any time."""
        self._driver = driver
        self._listeners = listeners
        self._block = block
        self._failures = failures
        self._outbox = Outbox(self._open, block)

    @property
    def node_id(self) -> NodeId:
        """Our own."""
        return self.core.node_id

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All other nodes whose cards count, linked or not, as known now."""
        return tuple(known_peers(self.core))

    async def open_stream(self, peer: PeerRef, protocol: str, *, timeout: float = 30.0) -> PeerStream:  # noqa: ASYNC109 - it says which error comes of it
        """A new stream to `peer` for `protocol`: 1 to 64 characters of a-z 0-9 . _ / -.

        A peer that is not linked is dialled for it, at each of its addresses. `timeout` is in seconds. The peer may
        still refuse it, as it does where it has no handler for `protocol`: then the first use raises StreamReset.

        Raises StreamNotOpened, by one of its kinds, PeerTimeout, and LocalProtocolError for what is no protocol.
        """
        node_id, address = find(self.core, peer)
        with _within(timeout, f"no stream to {node_id.short}"):
            return await self._open(node_id, address, protocol)

    def handle(self, protocol: str, handler: Handler) -> None:
        """Have `handler(stream)` called, in a task of its own, for each stream that a peer opens for `protocol`.

        The stream is closed when the handler returns, and broken off where it fails or the node stops. What it raises
        comes out of the block of `open_node`, but the end of its own stream: StreamReset, PeerGone and
        trio.ClosedResourceError. Raises LocalProtocolError for what is no protocol, or has a handler.
        """
        self._driver.switchboard.handle(protocol, handler)

    def unhandle(self, protocol: str) -> None:
        """Serve no further streams for `protocol`, which are refused as unknown; those that are being served go on.

        Raises LocalProtocolError for what has no handler.
        """
        self._driver.switchboard.unhandle(protocol)

    async def request(
        self,
        peer: PeerRef,
        protocol: str,
        data: bytes,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109
        max_response: int = MAX_RESPONSE,
    ) -> bytes:
        """The answer of `peer`, whose handler is of `answering`, to `data`; all within `timeout` seconds.

        Raises RequestRefused where the peer gives none, ResponseTooLarge above `max_response` bytes, PeerGone where the
        link ends meanwhile, PeerTimeout, and what `open_stream` raises.
        """
        node_id, address = find(self.core, peer)
        with _within(timeout, f"no answer of {node_id.short} to {protocol}"):
            return await ask(await self._open(node_id, address, protocol), data, max_response)

    async def send(self, peer: PeerRef, protocol: str, message: bytes, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Have `message` sent to `peer`, whose handler is of `receiving`. Returns once it is with the link, or waits.

        It is received at most once, and after all that were sent to the same peer by the same protocol before. There is
        no receipt: what was on its way when a link ends is lost. At most 128 KiB wait for a peer that does not read;
        then this does, for at most `timeout` seconds. Cancelled, a message of at most 65,506 bytes is sent or is not; a
        longer one breaks the stream off, and with it what waits.

        Raises StreamReset where the peer broke the messages before off (no handler, one too large), PeerGone,
        PeerTimeout, and what `open_stream` raises. This message is not received then.
        """
        node_id, address = find(self.core, peer)
        with _within(timeout, f"a message of {len(message)} bytes did not leave for {node_id.short}"):
            await self._outbox.send(node_id, address, protocol, message)

    async def connect(self, peer: PeerRef | Address, *, timeout: float = 30.0) -> Peer:  # noqa: ASYNC109
        """A link to `peer`, dialled now, however many there are and whenever a dial failed before; who it is.

        `peer` may also be an `Address` or `host:port`: then any verified peer that answers there will do. Returns once
        both sides have judged the other well; a link that stands already is as good. Raises what `open_stream` raises.
        """
        address = where(peer)
        node_id = None
        if address is None and not isinstance(peer, Address):
            node_id, address = find(self.core, peer)
        with _within(timeout, f"no link to {node_id.short if node_id is not None else address}"):
            return await self._connect(node_id, address)

    def disconnect(self, peer: PeerRef, *, hold: float = 60.0) -> None:
        """End every link to `peer` with a goodbye, and do not dial it for `hold` seconds by ourselves.

        A stream that an application opens dials it nevertheless, `connect` ends the wait, and it may dial us at any
        time: to keep it out, ban it. Raises UnknownPeer, AmbiguousPeer, CardError, and ValueError for a negative hold.
        """
        if not 0 <= hold < float("inf"):
            raise ValueError(f"hold of {hold} seconds")
        node_id, _ = find(self.core, peer)
        self._driver.post(io.DisconnectWanted(node_id, hold))

    async def ping(self, peer: PeerRef, *, timeout: float = 30.0) -> float:  # noqa: ASYNC109
        """Seconds of one round trip to `peer` over its link; one that is not linked is connected first.

        What waits for the link on both sides counts, too. Raises what `open_stream` raises.
        """
        node_id, address = find(self.core, peer)
        with _within(timeout, f"no answer of {node_id.short} to a ping"):
            reached = await self._connect(node_id, address)
            return await self._driver.asking.ping(reached.node_id)

    async def drain(self) -> None:
        """Serve no stream that is opened from now on, and wait until the handlers of the others have returned.

        Before the block is left, which cancels them. Cancelled itself, it leaves the others being served.
        """
        await self._driver.drain()

    def hurry(self) -> None:
        """Have `drain` wait for no handler, and the end of the block for no goodbye; both also if they do so now."""
        self._driver.hurry()

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes that came, and bytes that were handed to carriers, of all connections since the start."""
        return self._driver.carriers.received, self._driver.carriers.sent

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run `function(*args)` in a task beside the handlers, until it returns or the node is left.

        What it raises comes out of the block of `open_node`.
        """
        self._block.start_soon(self._failures.catch, function, *args)

    def events(self, *, most: int = MAX_EVENTS) -> Subscription:
        """What happens from now on: `with node.events() as events: async for event in events: ...`.

        They are of the classes in `p2pnoise.events`. `most` of them, at least 1, wait for a slow listener; EventsMissed
        stands for those that had no room. Ends when the node has stopped. Raises ValueError for a `most` of less.
        """
        return self._listeners.subscribe(most)

    def tell(self, event: Event) -> None:
        """Have all who listen hear of something that happened beside the core."""
        self._listeners.tell(event)

    async def offer(self, given: io.Input) -> None:
        """Hand the core an input: a list, a policy, a new card of our own. Waits while the core is busy.

        It is taken in order with all else, so that it may be in force only a moment after this returns.
        Raises trio.BrokenResourceError when the node has ended.
        """
        await self._driver.offer(given)

    async def settle(self) -> None:
        """Return when all that was offered before is in force, and carried out as far as that takes no waiting."""
        await self._driver.settle()

    async def _connect(self, node_id: NodeId | None, address: Address | None) -> Peer:
        reached = peer_value(self.core, await self._driver.asking.connect(node_id, address))
        if reached is None:
            raise not_opened(io.Refusal.NOT_TRUSTED, "its card does not count any longer")
        return reached

    async def _open(self, node_id: NodeId, address: Address | None, protocol: str) -> PeerStream:
        return await self._driver.switchboard.open(node_id, address, protocol)


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    """Raises PeerTimeout, which says `what`, after so many seconds."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise PeerTimeout(f"{what} within {seconds:g} s")
