"""Daemon: a node that runs from its folder, with all that an operator has beside it, joined for as long as it runs."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import trio

from cards import Address, CardError
from cli import control as words
from cli.folders import NodeFolder
from p2pnoise.config import NodeConfig
from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import Event, PeerLost
from p2pnoise.folder.opening import open_watched
from p2pnoise.folder.watching import Watcher
from p2pnoise.node.driver.node import Node

from . import control
from .diary import Diary
from .explanation import Subject, is_silence
from .services import Services

__all__ = ["Daemon", "run"]


@dataclass(slots=True)
class Daemon:
    """What the verbs of the control socket act on. `started` is in seconds since 1970."""

    home: NodeFolder
    node: Node
    watcher: Watcher
    diary: Diary
    services: Services
    started: float = field(default_factory=time.time)

    async def try_dial(self, subject: Subject, seconds: float) -> None:
        """Have a subject dialled, so that what is known of it is of now; at most for so many seconds."""
        (address, _), *_ = subject.addresses
        node_id = subject.node_id
        with trio.move_on_after(seconds):
            try:
                await self.node.connect(f"{node_id}@{address}" if node_id is not None else address)
            except (P2PNoiseError, CardError):
                if node_id is None or not any(is_silence(entry.event) for entry in self.diary.about([node_id])[:1]):
                    return
            else:
                return
            # Whoever is told our card first says nothing where it does not count. Without a Node ID it has to show its
            # own first, which may say why: it is of another network, say.
            with suppress(P2PNoiseError, CardError):
                await self.node.connect(address)

    async def reload(self) -> Mapping[str, Any]:
        """Take up what has changed in the folder, now, and say what that was and whom it cut off."""
        before = time.time()
        taken = await self.watcher.look()
        return {
            "taken": taken,
            "rejected": [{"file": name, "reason": reason} for name, reason in self.watcher.rejected.items()],
            "cut": [
                {"name": entry.event.name, "node_id": str(entry.event.node_id), "reason": entry.event.reason}
                for entry in self.diary.last()
                if isinstance(entry.event, PeerLost) and entry.last >= before
            ],
        }


async def run(
    home: NodeFolder,
    *,
    listen: Sequence[Address],
    advertise: Sequence[Address],
    config: NodeConfig,
    on_event: Callable[[Event], None],
    word: trio.Event,
    started: Callable[[Node], None],
) -> None:
    """Run the node of this folder until `word` is set. Raises `Fault`, `StoreError` and `ListenError`."""
    from .verbs import verbs_of  # noqa: PLC0415 - they stand on this module

    diary = Diary()

    def tell(event: Event) -> None:
        diary.take(event, time.time())
        on_event(event)

    async with open_watched(home, listen=listen, advertise=advertise, config=config, on_event=tell) as (node, watcher):
        daemon = Daemon(home, node, watcher, diary, Services(node))
        async with trio.open_nursery() as nursery:
            await nursery.start(control.serve, words.path_of(home), verbs_of(daemon))
            started(node)
            await word.wait()
            nursery.cancel_scope.cancel()
