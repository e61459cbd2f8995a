"""Testing: networks of real nodes in memory, for tests of what is built on them; no sockets, no threads, no files.

    from p2pnoise import answering
    from p2pnoise.testing import connected_nodes

    async def upper(request):
        return request.data.upper()

    async def test_bob_answers(autojump_clock):
        async with connected_nodes(2, handlers={"upper/1": answering(upper)}) as (alice, bob):
            assert await alice.request("bob", "upper/1", b"hello") == b"HELLO"

Cards, handshakes, links and gossip are those of any node; only carriers, clock, chance and the store are others. With
`autojump_clock` of pytest-trio, or `trio.run(..., clock=MockClock(autojump_threshold=0))`, time stands still while
anything happens and jumps when nothing does, so that hours pass in milliseconds. Keys, cards and choices follow from
`seed`; the order in which trio runs tasks that are ready does not.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import trio

from cards import (
    Address,
    Card,
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    RevocationList,
    grant,
    make_card,
    make_list,
)
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.events import Event
from p2pnoise.node.driver.memory_world import MemoryNetwork
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import open_node_in
from p2pnoise.node.driver.switchboard import Handler
from p2pnoise.node.effects import FactOffered
from p2pnoise.noise import Entropy

__all__ = ["Network", "connected_nodes", "network"]

START = 1_800_000_000
"""Seconds since 1970 at which every network begins."""
PATIENCE = 600.0
"""Seconds of trio's clock that a condition has to come true; a guess: more than it takes a node to be linked again."""
_NAMES = ("alice", "bob", "carol")  # and node-3, node-4 after them
_DAY = 86_400  # seconds
_NETWORK = "test"


class Network:
    """An issuer and the nodes that run by its leave, from `network`. Nodes are called by their names."""

    def __init__(self, *, seed: int, config: NodeConfig, handlers: Mapping[str, Handler]) -> None:
        """For `network`."""
        self.nodes: dict[str, Node] = {}
        """Those that run, by name."""
        self.events: dict[str, list[Event]] = {}
        """All that each node has told, by name."""
        self._seed = seed
        self._config = config
        self._handlers = handlers
        self._memory = MemoryNetwork(START)
        self._news = trio.lowlevel.ParkingLot()
        self._cards: dict[str, Card] = {}  # that nodes have run with, by name
        self.issuer = IssuerKey.generate(self._stream("issuer"))
        """Signs the cards of all."""
        self.policy = Policy(network=_NETWORK, issuers={"test": self.issuer.public})
        """What all nodes trust."""
        self.revocations = make_list(self.issuer, network=_NETWORK, sequence=1, now=self.now)
        """The issuer's newest list."""

    @property
    def now(self) -> int:
        """Seconds since 1970 on the clock of all nodes."""
        return self._memory.unix()

    def keys(self, name: str) -> tuple[NodeKey, IdentityKey]:
        """The keys of this name, whether a node has it or not."""
        return NodeKey.generate(self._stream(f"{name} node")), IdentityKey.generate(self._stream(f"{name} identity"))

    def issue(
        self, name: str, *, groups: Sequence[str] = (), capabilities: Sequence[str] = (), sequence: int = 1
    ) -> Card:
        """A card for the keys of this name, granted by the issuer now.

        One of a higher `sequence` takes the place of the one before: give it to `run`, or hand it to the node that runs
        by `node.offer(OwnCardChanged(card))`.
        """
        key, identity = self.keys(name)
        card = make_card(identity, key, network=_NETWORK, now=self.now, name=name, sequence=sequence)
        entropy = self._stream(f"{name} grant")
        return grant(
            self.issuer,
            card,
            serial=sequence,
            now=self.now,
            groups=groups,
            capabilities=capabilities,
            entropy=entropy,
        )

    async def revoke(self, *names: str, at: str | None = None, reason: str = "lost") -> RevocationList:
        """Have the issuer revoke these identities, in a list that is handed to the node `at`, or else to the first.

        Gossip brings it to all others: `wait_until` their events say so.
        """
        until = self.now + 400 * _DAY
        entries = [Entry(bytes(self.keys(name)[1].public), self.now, reason, until) for name in names]
        self.revocations = make_list(
            self.issuer,
            network=_NETWORK,
            sequence=self.revocations.sequence + 1,
            now=self.now,
            entries=[*self.revocations.entries, *entries],
        )
        there = self.nodes[at] if at is not None else next(iter(self.nodes.values()))
        await there.offer(FactOffered(self.revocations, "a test"))
        return self.revocations

    def cut(self, one: str, other: str) -> int:
        """Break the connections between two nodes, as a pulled cable would; how many. The nodes may dial again."""
        carriers = self._memory.between(*(self.nodes[name].addresses[0].host for name in (one, other)))
        for carrier in carriers:
            carrier.break_off()
        return len(carriers)

    async def wait_until(self, condition: Callable[[], bool], *, timeout: float = PATIENCE) -> None:  # noqa: ASYNC109
        """Wait until `condition()` is true. It is asked whenever a node tells an event.

        Raises trio.TooSlowError after `timeout` seconds of trio's clock: nodes that cannot link dial for ever.
        """
        with trio.fail_after(timeout):
            await trio.lowlevel.checkpoint()
            while not condition():
                await self._news.park()

    @asynccontextmanager
    async def run(
        self,
        name: str,
        *,
        card: Card | None = None,
        handlers: Mapping[str, Handler] | None = None,
        bootstrap: Sequence[str] | None = None,
    ) -> AsyncIterator[Node]:
        """One more node, as a block; it begins with the nodes `bootstrap`, or else with all. Knows nothing from before.

        Without a `card` it has the one that it ran with before, as a node that starts again, or else a new one.
        It is linked a moment later: `await net.wait_until(lambda: net.linked("bob", "alice"))`.
        """
        key, _ = self.keys(name)
        known = [*self.events, name]
        address = Address(f"10.0.{known.index(name) // 250}.{known.index(name) % 250 + 1}", 7060)
        told = self.events.setdefault(name, [])

        def tell(event: Event) -> None:
            told.append(event)
            self._news.unpark_all()

        card = self._cards[name] = card or self._cards.get(name) or self.issue(name)
        begin = self.nodes if bootstrap is None else bootstrap
        others = tuple(Bootstrap(self.nodes[one].addresses[0], self.nodes[one].node_id) for one in begin)
        async with open_node_in(
            self._memory.world(address.host, self._random(f"{name} {len(told)}")),
            key=key,
            card=card,
            policy=self.policy,
            listen=[address],
            facts=[self.revocations],
            config=replace(self._config, bootstrap=(*self._config.bootstrap, *others)),
            handlers=self._handlers if handlers is None else handlers,
            on_event=tell,
        ) as node:
            self.nodes[name] = node
            try:
                yield node
            finally:
                del self.nodes[name]

    def linked(self, one: str, other: str) -> bool:
        """Whether a link between two nodes that run stands, as the first of them sees it."""
        here, there = self.nodes.get(one), self.nodes.get(other)
        if here is None or there is None:
            return False
        return any(peer.linked and peer.node_id == there.node_id for peer in here.peers)

    def _random(self, what: str) -> random.Random:
        return random.Random(f"{self._seed} {what}")  # noqa: S311 - repeatable on purpose

    def _stream(self, what: str) -> Entropy:
        return self._random(what).randbytes


@asynccontextmanager
async def network(
    count: int,
    *,
    handlers: Mapping[str, Handler] | None = None,
    seed: int = 0,
    config: NodeConfig | None = None,
) -> AsyncIterator[Network]:
    """A network of `count` nodes that know each other: alice, bob, carol, node-3, node-4 ...

    Each has the same `handlers` and `config`. A few are all linked with each other; of many, each with some, as in any
    network. An error of a handler comes out of the block, as `open_node` says.
    """
    net = Network(seed=seed, config=config or NodeConfig(), handlers=handlers or {})
    async with AsyncExitStack() as stack:
        for name in (*_NAMES, *(f"node-{number}" for number in range(len(_NAMES), count)))[:count]:
            await stack.enter_async_context(net.run(name))
        few = count <= net._config.target_links  # noqa: SLF001 - of one module
        await net.wait_until(
            lambda: all(
                len(node.peers) == count - 1 and (not few or all(peer.linked for peer in node.peers))
                for node in net.nodes.values()
            )
        )
        yield net


@asynccontextmanager
async def connected_nodes(
    count: int,
    *,
    handlers: Mapping[str, Handler] | None = None,
    seed: int = 0,
    config: NodeConfig | None = None,
) -> AsyncIterator[tuple[Node, ...]]:
    """The nodes of `network` alone, in the order of their names: `as (alice, bob)`."""
    async with network(count, handlers=handlers, seed=seed, config=config) as net:
        yield tuple(net.nodes.values())
