"""Daemon: a node that runs from its folder, with all that an operator has beside it, joined for as long as it runs."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from cards import CardError
from cli import control as words
from cli.folders import NodeFolder
from cli.output import say
from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import Event, FileRejected, PeerLost
from p2pnoise.folder.contents import Contents
from p2pnoise.folder.opening import open_watched
from p2pnoise.folder.watching import Watcher
from p2pnoise.node.driver.node import Node

from . import control, scraping
from .chain import is_silence
from .config import DaemonConfig
from .diary import Diary
from .explanation import Subject
from .hosting import host
from .notify import Notifier
from .printing import Printer
from .reloading import Reloading
from .services import Services
from .signals import StopWord, heed

if TYPE_CHECKING:
    from .metrics import Counts

__all__ = ["Daemon", "run"]

MAX_LOST = 10_000  # peers, as many as a node may have links


@dataclass(slots=True)
class Daemon:
    """What the verbs of the control socket act on. `started` is in seconds since 1970."""

    home: NodeFolder
    node: Node
    watcher: Watcher
    diary: Diary
    services: Services
    reloading: Reloading
    notifier: Notifier
    lost: deque[tuple[float, PeerLost]]
    """The last that were lost, with the time, the newest last."""
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

    async def reload(self, since: float | None = None) -> Mapping[str, Any]:
        """Take up what has changed in the folder, now; say what was taken up since then, and whom that cut off.

        `since` is in seconds since 1970: it may all have been seen already by whoever watches the folder.
        """
        since = time.time() if since is None else since
        self.notifier.reloading()
        try:
            await self.watcher.look()
        finally:
            self.notifier.ready(self.summary)
        return {
            "taken": [name for name, at in self.watcher.taken.items() if at >= since],
            "rejected": [{"file": name, "reason": reason} for name, reason in self.watcher.rejected.items()],
            "cut": [
                {"name": lost.name, "node_id": str(lost.node_id), "reason": lost.reason}
                for at, lost in self.lost
                if at >= since
            ],
        }

    async def reload_again(self) -> None:
        """The same, by a signal: what is broken as before is named again, for whoever looks at the log."""
        broken = dict(self.watcher.rejected)
        await self.reload()
        for name, reason in self.watcher.rejected.items():
            if broken.get(name) == reason:
                self.node.tell(FileRejected(file=name, reason=reason))

    @property
    def summary(self) -> str:
        """How the node is, in a few words."""
        where = " and ".join(map(str, self.node.addresses)) or "nowhere"
        return f"{self.node.core.card.label} on {where}, {len(self.node.core.table)} in the table"


async def run(
    home: NodeFolder,
    *,
    file: Path,
    read: Callable[[], DaemonConfig],
    word: StopWord,
    started: Callable[[Node, DaemonConfig], None],
) -> None:
    """Run the node of this folder until `word` is said. Raises `Fault`, `StoreError` and `ListenError`.

    Where card and key of its next node are put in place, it goes on as that one, in the same process; where that one
    could not begin, it stays what it is.
    `read` gives what the configuration `file` says now, which is watched, and what goes before it.
    """
    config = read()
    daemon: Daemon | None = None
    printer, diary, counts = Printer(config.log), Diary(), _counts(config)
    lost: deque[tuple[float, PeerLost]] = deque(maxlen=MAX_LOST)

    def tell(event: Event) -> None:
        diary.take(event, time.time())
        if isinstance(event, PeerLost):
            lost.append((time.time(), event))
        if counts is not None:
            counts.take(event)
        printer.tell(event)

    async def reload() -> None:
        if daemon is not None:  # before, its files are read anyway
            await daemon.reload_again()

    async with trio.open_nursery() as outer:
        # Before the node says that it listens: from then on a signal must not find the system's default in place.
        await outer.start(heed, word, reload)
        contents: Contents | None = None
        while not word.said:  # more than once where the node's key is replaced
            next_key = trio.Event()
            async with open_watched(
                home,
                listen=config.listen,
                advertise=config.advertise,
                config=config.node,
                on_event=tell,
                contents=contents,
                next_key=next_key,
            ) as (node, watcher):
                services = Services(node)
                reloading = Reloading(node, services, printer, file=file, read=read, started=config)
                outer.start_soon(_end_in_time, node, word, reloading)
                await services.set(config.expose, config.forward)
                daemon = Daemon(home, node, watcher, diary, services, reloading, Notifier(), lost)
                begun = partial(started, node, config)
                await _run(daemon, printer=printer, counts=counts, word=word, next_key=next_key, started=begun)
            daemon = None
            # By what was good until now: the files may be broken by the time at which the next node begins.
            config, contents = reloading.in_force, watcher.next
        outer.cancel_scope.cancel()
    printer.close()


async def _run(
    daemon: Daemon,
    *,
    printer: Printer,
    counts: "Counts | None",
    word: StopWord,
    next_key: trio.Event,
    started: Callable[[], None],
) -> None:
    """All that goes on beside the node, until it is to stop and has served what it served."""
    from .verbs import verbs_of  # noqa: PLC0415 - they stand on this module

    async with trio.open_nursery() as nursery:
        await nursery.start(control.serve, words.path_of(daemon.home), verbs_of(daemon))
        await nursery.start(host, daemon.node, daemon.home, daemon.reloading.config.enrol)
        metrics = daemon.reloading.config.metrics
        if metrics is not None and counts is not None:
            from .metrics import NodeMetrics  # noqa: PLC0415 - of an extra

            page = NodeMetrics(daemon.node, counts, started=daemon.started).text
            for address in await nursery.start(scraping.serve, metrics.listen, page):
                say(f"metrics at http://{address}/metrics")
        nursery.start_soon(printer.keep_time)
        nursery.start_soon(daemon.notifier.keep_alive)
        daemon.watcher.add(daemon.reloading.file, daemon.reloading.take)
        daemon.notifier.ready(daemon.summary)
        started()
        await _first_of(word.wait, next_key.wait)
        if word.said:
            daemon.notifier.stopping("finishing what is being served")
        with trio.move_on_after(daemon.reloading.config.stop_timeout / 2):
            await daemon.node.drain()
        nursery.cancel_scope.cancel()


async def _first_of(*waits: Callable[[], Awaitable[None]]) -> None:
    """Return when one of them does."""
    async with trio.open_nursery() as nursery:

        async def wait(one: Callable[[], Awaitable[None]]) -> None:
            await one()
            nursery.cancel_scope.cancel()

        for one in waits:
            nursery.start_soon(wait, one)


async def _end_in_time(node: Node, word: StopWord, reloading: Reloading) -> None:
    """Once the word to stop is said: wait for nobody any more when time is up, or when it is said again."""
    await word.wait()
    with trio.move_on_after(reloading.config.stop_timeout):
        await word.wait_again()
    node.hurry()


def _counts(config: DaemonConfig) -> "Counts | None":
    """What counts from the first event on, where somebody may ask."""
    if config.metrics is None:
        return None
    from .metrics import Counts  # noqa: PLC0415 - of an extra

    return Counts()
