"""The sides of `p2pnoise bench node` that are ours: streams between real nodes, with cards, lists and a store each."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from cards import Address, Card, IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card, make_list
from cli.bench.certificates import CLIENT, HOST, SERVER
from cli.bench.child import Handler
from cli.bench.sides import Secrets
from cli.daemon.service import ANYONE, Exposed, Forwarded
from cli.daemon.services import Services
from p2pnoise import Node, NodeConfig, PeerStream, open_node
from p2pnoise.events import PeerLost
from p2pnoise.noise import Entropy

__all__ = ["NODE", "NODE_LINKS", "NODE_PEERS", "NODE_SERVICES", "NODE_SIDES", "make_node_side"]

NODE = "node"
"""Each connection is a stream, all over one link between two nodes."""
NODE_LINKS = "node, a link each"
"""Each is a stream over a link of its own between the same two nodes, which ends with it."""
NODE_PEERS = "node, a peer each"
"""Each is a stream from a node that the server has never met, over a link that stays."""
NODE_SERVICES = "node, a service"
"""Each is a TCP connection that one node forwards to the other, which exposes who takes it: `forward` and `expose`."""
NODE_SIDES = frozenset({NODE, NODE_LINKS, NODE_PEERS, NODE_SERVICES})

_NETWORK = "bench"
_PROTOCOL = "bench/1"
_SERVICE = "bench"
_STAYS, _ENDS = (
    3600.0,
    0.05,
)  # seconds that a link stays without a stream; the second is more than a link takes to come up
_SERVER, _CLIENT = 1, 2  # serial numbers of their cards


class _Network:
    """An issuer and the nodes that run by its leave; both processes make the same ones of one secret."""

    def __init__(self, secrets: Secrets) -> None:
        self._secret = "".join(secrets.noise.values())
        self._now = secrets.began
        self._issuer = IssuerKey.generate(self._entropy("issuer"))

    def _entropy(self, what: str) -> Entropy:
        # Keys for one run on the loopback interface; both processes must draw the same ones.
        return random.Random(f"{self._secret} {what}").randbytes  # noqa: S311

    def key(self, serial: int) -> NodeKey:
        """That of the node whose card has this serial number."""
        return NodeKey.generate(self._entropy(f"node {serial}"))

    def _card(self, name: str, serial: int) -> Card:
        identity = IdentityKey.generate(self._entropy(f"identity {serial}"))
        card = make_card(identity, self.key(serial), network=_NETWORK, now=self._now, name=name)
        return grant(self._issuer, card, serial=serial, now=self._now, entropy=self._entropy(f"grant {serial}"))

    @asynccontextmanager
    async def run(self, name: str, serial: int, *, idle_timeout: float) -> AsyncIterator[Node]:
        """A node that dials nobody by itself, on a free port."""
        with TemporaryDirectory() as folder:
            async with open_node(
                key=self.key(serial),
                card=self._card(name, serial),
                policy=Policy(network=_NETWORK, issuers={"bench": self._issuer.public}),
                database=Path(folder) / "peers.sqlite",
                listen=[Address(HOST, 0)],
                facts=[make_list(self._issuer, network=_NETWORK, sequence=1, now=self._now)],
                config=NodeConfig(target_links=0, idle_timeout=idle_timeout),
            ) as node:
                yield node


class _Nodes:
    """One node that serves, and one that opens streams to it."""

    def __init__(self, secrets: Secrets, *, idle_timeout: float = _STAYS) -> None:
        self._network = _Network(secrets)
        self._server_id = self._network.key(_SERVER).public
        self._idle_timeout = idle_timeout
        self._client: Node | None = None
        self._starting = trio.Lock()

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        node = await self._start(nursery, SERVER, _SERVER)
        node.handle(_PROTOCOL, handler)
        return node.addresses[0].port

    async def connect(self, nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        return await self._open(await self._started_client(nursery), port)

    def peer(self, stream: Any) -> str:
        return stream.peer.name or ""

    async def _open(self, node: Node, port: int) -> PeerStream:
        return await node.open_stream(f"{self._server_id}@{HOST}:{port}", _PROTOCOL)

    async def _started_client(self, nursery: trio.Nursery) -> Node:
        async with self._starting:
            if self._client is None:
                self._client = await self._start(nursery, CLIENT, _CLIENT)
        return self._client

    async def _start(self, nursery: trio.Nursery, name: str, serial: int) -> Node:
        async def run(*, task_status: trio.TaskStatus[Node]) -> None:
            async with self._network.run(name, serial, idle_timeout=self._idle_timeout) as node:
                task_status.started(node)
                await trio.sleep_forever()

        started: Node = await nursery.start(run)
        return started


class _Links(_Nodes):
    """As above, and the link ends with its stream."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets, idle_timeout=_ENDS)

    async def connect(self, nursery: trio.Nursery, port: int) -> "_WithItsLink":
        node = await self._started_client(nursery)
        return _WithItsLink(await self._open(node, port), node)


class _WithItsLink(trio.abc.Stream):
    """A stream whose link ends with it, before `aclose` returns."""

    def __init__(self, stream: PeerStream, node: Node) -> None:
        self.peer = stream.peer
        self._stream = stream
        self._node = node

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        with self._node.events() as events:
            await self._stream.aclose()
            async for event in events:
                if isinstance(event, PeerLost):
                    break
        while self._node.core.links.all:  # noqa: ASYNC110 - until the peer has said goodbye, too; nothing tells of it
            await trio.sleep(0.001)


class _Peers(_Nodes):
    """As above, and each time a node connects that is new."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self._serials = count(_CLIENT)

    async def connect(self, nursery: trio.Nursery, port: int) -> PeerStream:
        return await self._open(await self._start(nursery, CLIENT, next(self._serials)), port)


class _Services(_Nodes):
    """As above, and between TCP connections, as applications have them that know nothing of nodes."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self._node: Node | None = None
        self._forward: Address | None = None

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        listeners = await nursery.start(partial(trio.serve_tcp, handler, 0, host=HOST))
        self._node = await self._start(nursery, SERVER, _SERVER)
        exposed = Exposed(_SERVICE, Address(*listeners[0].socket.getsockname()), (ANYONE,))
        await Services(self._node).set([exposed], [])
        return self._node.addresses[0].port

    async def connect(self, nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        if self._forward is None:
            self._node = await self._started_client(nursery)
            services = Services(self._node)
            peer = f"{self._server_id}@{HOST}:{port}"
            await services.set([], [Forwarded(Address(HOST, 0), peer, _SERVICE)])
            (forwarded,) = services.status()["forwarded"]
            self._forward = Address.parse(forwarded["listen"])
        return await trio.open_tcp_stream(*self._forward)

    def peer(self, stream: Any) -> str:  # noqa: ARG002 - the nodes know whom they serve, the connections do not
        peers = self._node.peers if self._node is not None else ()
        return next((peer.name or "" for peer in peers if peer.linked), "")


def make_node_side(name: str, secrets: Secrets) -> _Nodes:
    """The side of this name."""
    match name:
        case "node":
            return _Nodes(secrets)
        case "node, a link each":
            return _Links(secrets)
        case "node, a service":
            return _Services(secrets)
        case _:
            return _Peers(secrets)
