"""Watching: what changes in a node's folder is in force within a second; what cannot be used changes nothing."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import trio

from cards import Card, CardError, Fact
from cards.text import to_armor
from p2pnoise.events import FileRejected
from p2pnoise.node.bans import Ban
from p2pnoise.node.driver.node import Node
from p2pnoise.node.effects import BansChanged, FactOffered, Input, OwnCardChanged, PinsChanged, PolicyChanged

from . import bans, documents, reading, writing
from .contents import Contents
from .fault import Fault
from .node_folder import NodeFolder

__all__ = ["Watcher"]

Reader: TypeAlias = Callable[[], Awaitable[list[Input]]]
"""Reads a file and gives what follows for the core. Raises `Fault`, CardError or OSError, and has changed nothing."""

POLL = 0.25  # seconds between two looks at the watched files; a stat each


class Watcher:
    """Hands a node what changes in its folder. FileRejected names a file that cannot be used."""

    def __init__(
        self, folder: NodeFolder, node: Node, network: str, card: Card, *, next_key: trio.Event | None = None
    ) -> None:
        """`network` is the one that the node runs in: a policy for another is refused. `card` is what it began with.

        `next_key` is set when card and key of another node have been put in place, which this one is to become, and
        all that it needs is in `next`. Without it such a card is refused.
        """
        self.rejected: dict[str, str] = {}
        """Why files that lie there now are not in force, by name."""
        self.taken: dict[str, float] = {}
        """When what files say now was put in force, by name, in seconds since 1970."""
        self.next: Contents | None = None
        """What the next node begins with, once there is one."""
        self._next_key = next_key
        self._node = node
        self._folder = folder
        self._readers: dict[Path, Reader] = {
            folder.policy: lambda: _policy(folder, network),
            folder.revocations: lambda: _facts(folder.revocations, folder.read_revocations),
            folder.statements: lambda: _facts(folder.statements, folder.read_statements),
            folder.pins: lambda: _pins(folder),
            folder.bans: lambda: _bans(folder),
            folder.card: self._read_card,
        }
        # Nothing counts as seen: a file that changed while the node started must not be missed.
        self._seen: dict[Path, tuple[int, int, int] | None] = dict.fromkeys(self._readers)
        self._kept = card  # the node's own card that its file was last compared with
        self._banned: tuple[Ban, ...] = ()  # by the node itself, and written or told of
        self._looking = trio.Lock()

    def add(self, path: Path, read: Reader) -> None:
        """Watch another file, too."""
        self._readers[path] = read
        self._seen[path] = None

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(POLL)
            await self.look()

    async def look(self) -> None:
        """Look now. What has changed by then is in force when this returns, or rejected."""
        async with self._looking:
            await self._keep_bans()
            kept = await self._keep_card()
            for path, read in list(self._readers.items()):
                stamp = _stamp(path)
                if stamp == self._seen[path] or (path == self._folder.card and not kept):
                    continue
                self._seen[path] = stamp
                if await self._take(path, read):
                    await self._node.settle()
                    self.taken[path.name] = time.time()

    async def _keep_card(self) -> bool:
        """Have card.pem say what the network gave back to a node that was restored from a backup, so that it lasts.

        Whether that is done, or has failed: until then the file may hold a card that counts no more.
        """
        card, path = self._node.core.card, self._folder.card
        if card is self._kept:
            return True
        try:
            await trio.to_thread.run_sync(self._put, card, path)
        except BlockingIOError:  # somebody changes the folder, and perhaps this file: at the next look
            return False
        except (Fault, CardError, OSError) as error:  # the database has it until then
            self._node.tell(FileRejected(file=path.name, reason=f"card {card.sequence} is not in it: {error}"))
        self._kept = card
        return True

    async def _keep_bans(self) -> None:
        """Have bans.toml say whom the node has banned by itself, so that it lasts, is listed, and can be lifted."""
        made = self._node.core.bans.made
        if made and made != self._banned:
            try:
                await trio.to_thread.run_sync(self._add_bans, made)
            except BlockingIOError:  # at the next look
                return
            except (Fault, OSError) as error:  # they hold while the node runs
                self._node.tell(FileRejected(file=self._folder.bans.name, reason=f"bans were not added: {error}"))
        self._banned = made

    def _add_bans(self, made: Sequence[Ban]) -> None:
        with reading.lock(self._folder.path, wait=False):
            bans.add(self._folder.bans, made)

    def _put(self, card: Card, path: Path) -> None:
        with reading.lock(self._folder.path, wait=False):
            held = self._folder.read_card()
            if held is not None and self._is_older(held, card, path):
                writing.write(path, to_armor(documents.CARD, card.raw).encode(), force=True)
                self._seen[path] = _stamp(path)

    def _is_older(self, held: Card, card: Card, path: Path) -> bool:
        """Whether a file that holds this card is to be written anew; what a person has just put there is not."""
        if (held.identity, held.node_id) != (card.identity, card.node_id) or held.raw == card.raw:
            return False
        seen = self._seen[path]
        unread = held.raw != self._kept.raw if seen is None else _stamp(path) != seen
        return held.sequence < card.sequence or (held.card_id == card.card_id and not unread)

    async def _read_card(self) -> list[Input]:
        card, node_id = self._folder.read_card(), self._node.node_id
        if card is None:
            raise Fault("it is gone", "put it back; the card in use stays in use")
        if card.node_id == node_id:
            return [OwnCardChanged(card)]
        if self._next_key is None or self._folder.read_node().public != card.node_id:
            fix = "install the card of this node; where its key lies here, too, start this program again"
            raise Fault(f"it names node {card.node_id.short}, this one is {node_id.short}", fix)
        # A node that could not begin again must not end; nor may it begin without what it goes by now.
        folder = self._folder
        needed = (folder.policy, folder.revocations, folder.statements, folder.pins, folder.bans)
        broken = [path.name for path in needed if path.name in self.rejected]
        if broken:
            text = f"this one goes on as node {node_id.short}, until {' and '.join(broken)} can be used"
            raise Fault(text, f"p2pnoise status says what is wrong with {broken[0]}")
        self.next = Contents.read(self._folder, before=node_id)
        self._next_key.set()
        return []

    async def _take(self, path: Path, read: Reader) -> bool:
        try:
            for given in await read():
                await self._node.offer(given)
        except (Fault, CardError, OSError) as error:
            hint = getattr(error, "hint", "")
            reason = str(error).removeprefix(f"{path}: ") + (f" (fix: {hint})" if hint else "")
            self.rejected[path.name] = reason
            self._node.tell(FileRejected(file=path.name, reason=reason))
            return False
        self.rejected.pop(path.name, None)
        if path == self._folder.policy:  # whose issuers may have signed what was a stranger's before
            self._seen.update(dict.fromkeys((self._folder.revocations, self._folder.statements)))
        if path != self._folder.card and self._folder.card.name in self.rejected:
            self._seen[self._folder.card] = None  # which may have waited for this file
        return True


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def _facts(path: Path, read: Callable[[], Iterable[Fact]]) -> list[Input]:
    if not path.exists():  # noqa: ASYNC240 - a stat, as of every file here
        raise Fault("it is gone", "put it back; what it said stays in force")
    return [FactOffered(fact, path.name) for fact in read()]


async def _pins(folder: NodeFolder) -> list[Input]:
    if not folder.pins.exists():
        raise Fault("it is gone", "put it back, or an empty one; the pins in force stay in force")
    wanted = folder.read_pins()
    return [PinsChanged(wanted.held, wanted.untied)]


async def _bans(folder: NodeFolder) -> list[Input]:
    if not folder.bans.exists():
        raise Fault("it is gone", "put it back, or an empty one; the bans in force stay in force")
    return [BansChanged(folder.read_bans())]


async def _policy(folder: NodeFolder, network: str) -> list[Input]:
    policy = folder.read_policy()
    if policy is None:
        raise Fault("it is gone", "put it back; the policy in force stays in force")
    if policy.network != network:
        raise Fault(f"it names network {policy.network}, this node runs in {network}")
    return [PolicyChanged(policy)]
