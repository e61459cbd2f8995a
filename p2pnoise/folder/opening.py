"""open_folder: a node run from its folder, which is watched for as long as it runs."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike
from pathlib import Path

import trio

from cards import Address
from p2pnoise import store
from p2pnoise.config import NodeConfig
from p2pnoise.events import Event
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import open_node
from p2pnoise.node.driver.switchboard import Handler

from . import reading
from .contents import Contents
from .fault import Fault
from .node_folder import NodeFolder
from .watching import Watcher

__all__ = ["open_folder", "open_watched"]


@asynccontextmanager
async def open_folder(
    folder: NodeFolder | str | PathLike[str],
    *,
    listen: Sequence[Address | str],
    advertise: Sequence[Address | str] = (),
    config: NodeConfig | None = None,
    handlers: Mapping[str, Handler] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> AsyncIterator[Node]:
    """Run the node whose folder was made by `p2pnoise id new` and `p2pnoise card install`, as `open_node` does.

    As `p2pnoise run` it watches card.pem, policy.toml, pins.toml, bans.toml, revocations.pem and statements.pem: a new
    one is in force within a second, a broken one changes nothing and is told as `FileRejected`. One process may run a
    folder.
    Raises `Fault` for a folder that cannot be used, with the next step, before anything is opened, and what `open_node`
    raises.
    """
    where = folder if isinstance(folder, NodeFolder) else _at(folder)
    async with open_watched(
        where, listen=listen, advertise=advertise, config=config, handlers=handlers, on_event=on_event
    ) as (node, _):
        yield node


@asynccontextmanager
async def open_watched(
    folder: NodeFolder,
    *,
    listen: Sequence[Address | str],
    advertise: Sequence[Address | str] = (),
    config: NodeConfig | None = None,
    handlers: Mapping[str, Handler] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    contents: Contents | None = None,
    next_key: trio.Event | None = None,
) -> AsyncIterator[tuple[Node, Watcher]]:
    """As `open_folder`, with whoever watches the folder, whose `next_key` this is. `contents` were read already."""
    given = contents or Contents.read(folder)
    with reading.only_one(folder.path, "node"):
        if given.before is not None and folder.database.exists():
            # What the node knew of others by its key before serves it by this one.
            hand_over = partial(store.hand_over, folder.database, old=given.before, new=given.key.public)
            await trio.to_thread.run_sync(hand_over)
        async with open_node(
            key=given.key,
            card=given.card,
            policy=given.policy,
            database=folder.database,
            facts=given.facts,
            pins=given.pins.held,
            bans=given.bans,
            listen=listen,
            advertise=advertise,
            config=config,
            handlers=handlers,
            on_event=on_event,
        ) as node:
            watcher = Watcher(folder, node, given.policy.network, given.card, next_key=next_key)
            node.start_soon(watcher.watch)
            yield node, watcher


def _at(path: str | PathLike[str]) -> NodeFolder:
    try:
        return NodeFolder(Path(path).expanduser())
    except RuntimeError:  # ~ of somebody who is not there
        raise Fault(f"{path}: there is no such user", "name the folder in full") from None
