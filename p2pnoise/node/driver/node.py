"""Node and open_node: a running peer, as an application holds it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from cards import Address, Card, Fact, IdentityId, NodeKey, Policy, RevocationList
from p2pnoise.config import NodeConfig
from p2pnoise.events import Event, Stopped
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore

from .driver import Driver
from .failures import Failures
from .real_world import RealWorld
from .surroundings import Surroundings

__all__ = ["Node", "open_node", "open_node_in"]


class Node:
    """One running node, made by `open_node`. Its core may be read between two awaits, never changed."""

    def __init__(self, driver: Driver, addresses: tuple[Address, ...]) -> None:
        self.core = driver.core
        self.addresses = addresses
        self._driver = driver

    async def offer(self, given: io.Input) -> None:
        """Hand the core an input: a list, a policy, a new card of our own. Waits while the core is busy.

        Raises `trio.BrokenResourceError` when the node has ended.
        """
        await self._driver.offer(given)


@asynccontextmanager
async def open_node(
    *,
    key: NodeKey,
    card: Card,
    policy: Policy,
    database: Path,
    listen: Sequence[Address],
    advertise: Sequence[Address] = (),
    facts: Sequence[Fact] = (),
    pins: Mapping[str, IdentityId] | None = None,
    config: NodeConfig | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> AsyncIterator[Node]:
    """Run a node for as long as the block lasts; leaving it ends all links, and nothing outlives it.

    It listens at `listen` (port 0 lets the system choose) and lets others know `advertise`, or else where it listens.
    `facts` are revocation lists and statements held in files, `pins` identities by the names that belong to them.
    `on_event` is called for every event, in order, between two inputs: it must not block. Raises `StoreError` and
    `ListenError`, before the block or, where the disk fails later, from it.
    """
    async with open_node_in(
        RealWorld(database),
        key=key,
        card=card,
        policy=policy,
        listen=listen,
        advertise=advertise,
        facts=facts,
        pins=pins,
        config=config,
        on_event=on_event,
    ) as node:
        yield node


@asynccontextmanager
async def open_node_in(
    surroundings: Surroundings,
    *,
    key: NodeKey,
    card: Card,
    policy: Policy,
    listen: Sequence[Address],
    advertise: Sequence[Address] = (),
    facts: Sequence[Fact] = (),
    pins: Mapping[str, IdentityId] | None = None,
    config: NodeConfig | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> AsyncIterator[Node]:
    """As `open_node`, in any surroundings."""
    core = NodeCore(
        config or NodeConfig(),
        key=key,
        card=card,
        policy=policy,
        random=surroundings.random,
        entropy=surroundings.entropy,
    )
    keeper = await surroundings.open_keeper(network=policy.network, node_id=key.public)
    started = False
    raised: BaseException | None = None
    outer = trio.CancelScope()
    failures = Failures(outer.cancel)
    try:
        driver = Driver(core, surroundings, keeper, on_event=on_event, fail=failures.add)
        rows = await driver.load(_given(pins, facts))
        listening = await surroundings.listen(listen)
        try:
            started = True
            # A wildcard is no address that others could dial.
            dialable = tuple(one for one in listening.addresses if one.host not in ("0.0.0.0", "::"))  # noqa: S104
            with outer:
                async with trio.open_nursery() as nursery:
                    await nursery.start(driver.run, listening, tuple(advertise) or dialable, rows)
                    if not failures:
                        try:
                            yield Node(driver, listening.addresses)
                        except BaseException as error:  # noqa: BLE001 - raised again below, without a group around it
                            raised = error
                    nursery.cancel_scope.cancel()
                    with trio.CancelScope(shield=True):
                        await driver.stop()
        finally:
            listening.close()
    finally:
        keeper.close()
        if started:
            on_event(Stopped(node_id=key.public))
    failures.come_out(raised)


def _given(pins: Mapping[str, IdentityId] | None, facts: Sequence[Fact]) -> list[io.Input]:
    """What our operator gave in files, as inputs."""
    files = {True: "revocations.pem", False: "statements.pem"}
    return [
        io.PinsChanged(pins or {}),
        *(io.FactOffered(fact, files[isinstance(fact, RevocationList)]) for fact in facts),
    ]
