"""open_node: the life of a node, from what it kept to its last goodbye, as one block."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from cards import Address, Card, Fact, IdentityId, Memo, NodeKey, Policy, RevocationList
from p2pnoise.config import NodeConfig, listen_address
from p2pnoise.events import Event, Stopped
from p2pnoise.node import effects as io
from p2pnoise.node.bans import Ban
from p2pnoise.node.core import NodeCore

from .driver import Driver
from .failures import Failures
from .node import Listeners, Node
from .real_world import RealWorld
from .surroundings import Surroundings
from .switchboard import Handler

__all__ = ["dialable", "open_node", "open_node_in"]


@asynccontextmanager
async def open_node(
    *,
    key: NodeKey,
    card: Card,
    policy: Policy,
    database: Path,
    listen: Sequence[Address | str],
    advertise: Sequence[Address | str] = (),
    facts: Sequence[Fact] = (),
    pins: Mapping[str, IdentityId] | None = None,
    bans: Sequence[Ban] = (),
    config: NodeConfig | None = None,
    handlers: Mapping[str, Handler] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> AsyncIterator[Node]:
    """Run a node for as long as the block lasts; leaving it ends all links, and nothing outlives it.

    It listens at `listen`, addresses or texts `host:port` (port 0 lets the system choose), and lets others know
    `advertise`, or else where it listens.
    `facts` are revocation lists and statements held in files, `pins` identities by the names that belong to them,
    `bans` keys whose bearers are refused.
    `handlers` serve streams by their protocols, as `Node.handle` says. `on_event` is called for every event, in order,
    between two inputs: it must not block.

    Leaving cancels all handlers at once and takes at most `close_timeout` of the configuration. An error of the block,
    of a handler or of `on_event` ends the node and comes out as it was raised; several come out as one group. Raises
    `StoreError` and `ListenError`, before the block or, where the disk fails later, from it.
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
        bans=bans,
        config=config,
        handlers=handlers,
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
    listen: Sequence[Address | str],
    advertise: Sequence[Address | str] = (),
    facts: Sequence[Fact] = (),
    pins: Mapping[str, IdentityId] | None = None,
    bans: Sequence[Ban] = (),
    config: NodeConfig | None = None,
    handlers: Mapping[str, Handler] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    memo: Memo | None = None,
) -> AsyncIterator[Node]:
    """As `open_node`, in any surroundings. `memo` is for worlds of many nodes, which may share one."""
    told = tuple(one if isinstance(one, Address) else Address.parse(one) for one in advertise)
    core = NodeCore(
        config or NodeConfig(),
        key=key,
        card=card,
        policy=policy,
        random=surroundings.random,
        entropy=surroundings.entropy,
        memo=memo,
    )
    keeper = await surroundings.open_keeper(network=policy.network, node_id=key.public)
    listeners = Listeners(on_event)
    started = False
    raised: BaseException | None = None
    whole = trio.CancelScope()
    failures = Failures(whole.cancel)
    try:
        with whole:
            async with trio.open_nursery() as block:
                driver = Driver(core, surroundings, keeper, on_event=listeners.tell, failures=failures, block=block)
                try:
                    for protocol, handler in (handlers or {}).items():
                        driver.switchboard.handle(protocol, handler)
                    await driver.load(_given(pins, bans, facts))
                    listening = await surroundings.listen([listen_address(one) for one in listen])
                    started = True
                    # Cancelled half way, `start` would wait for the end of a task that nobody ends.
                    with trio.CancelScope(shield=True):
                        await block.start(driver.run, listening, told or dialable(listening.addresses))
                    if not failures:
                        yield Node(driver, listeners, listening.addresses, block, failures)
                except BaseException as error:  # noqa: BLE001 - it comes out below, without a group around it
                    raised = error
                block.cancel_scope.cancel()
                if started:
                    with trio.CancelScope(shield=True):
                        await driver.stop()
    finally:
        keeper.close()
        if started:
            listeners.tell(Stopped(node_id=key.public))
        listeners.end()
    failures.come_out(raised)


def _given(pins: Mapping[str, IdentityId] | None, bans: Sequence[Ban], facts: Sequence[Fact]) -> list[io.Input]:
    """What our operator gave in files, as inputs."""
    files = {True: "revocations.pem", False: "statements.pem"}
    return [
        io.PinsChanged(pins or {}),
        io.BansChanged(tuple(bans)),
        *(io.FactOffered(fact, files[isinstance(fact, RevocationList)]) for fact in facts),
    ]


def dialable(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """Where others can dial a node that listens there: at no wildcard."""
    return tuple(address for address in addresses if address.host not in ("0.0.0.0", "::"))  # noqa: S104
