"""Watching: what changes in a node's folder is in force within a second; what cannot be used changes nothing."""

from collections.abc import Callable, Iterable
from pathlib import Path

import trio

from cards import CardError, Fact, NodeId
from p2pnoise.events import FileRejected
from p2pnoise.node.driver.node import Node
from p2pnoise.node.effects import BansChanged, FactOffered, Input, OwnCardChanged, PinsChanged, PolicyChanged

from .fault import Fault
from .node_folder import NodeFolder

__all__ = ["watch"]

POLL = 0.25  # seconds between two looks at the watched files; a stat each


async def watch(folder: NodeFolder, node: Node, network: str) -> None:
    """Hand the node what changes, until cancelled; FileRejected names a file that cannot be used."""
    readers: dict[Path, Callable[[], list[Input]]] = {
        folder.policy: lambda: _policy(folder, network),
        folder.revocations: lambda: _facts(folder.revocations, folder.read_revocations),
        folder.statements: lambda: _facts(folder.statements, folder.read_statements),
        folder.pins: lambda: _pins(folder),
        folder.bans: lambda: _bans(folder),
        folder.card: lambda: _card(folder, node.node_id),
    }
    facts = (folder.revocations, folder.statements)
    # Nothing counts as seen: a file that changed while the node started must not be missed.
    seen: dict[Path, tuple[int, int, int] | None] = dict.fromkeys(readers)
    while True:
        await trio.sleep(POLL)
        for path, read in readers.items():
            stamp = _stamp(path)
            if stamp == seen[path]:
                continue
            seen[path] = stamp
            try:
                for given in read():
                    await node.offer(given)
            except (Fault, CardError, OSError) as error:
                hint = getattr(error, "hint", "")
                reason = str(error).removeprefix(f"{path}: ") + (f" (fix: {hint})" if hint else "")
                node.tell(FileRejected(file=path.name, reason=reason))
            else:
                if path == folder.policy:  # whose issuers may have signed what was a stranger's before
                    seen.update(dict.fromkeys(facts))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _facts(path: Path, read: Callable[[], Iterable[Fact]]) -> list[Input]:
    if not path.exists():
        raise Fault("it is gone", "put it back; what it said stays in force")
    return [FactOffered(fact, path.name) for fact in read()]


def _pins(folder: NodeFolder) -> list[Input]:
    if not folder.pins.exists():
        raise Fault("it is gone", "put it back, or an empty one; the pins in force stay in force")
    wanted = folder.read_pins()
    return [PinsChanged(wanted.held, wanted.untied)]


def _bans(folder: NodeFolder) -> list[Input]:
    if not folder.bans.exists():
        raise Fault("it is gone", "put it back, or an empty one; the bans in force stay in force")
    return [BansChanged(folder.read_bans())]


def _policy(folder: NodeFolder, network: str) -> list[Input]:
    policy = folder.read_policy()
    if policy is None:
        raise Fault("it is gone", "put it back; the policy in force stays in force")
    if policy.network != network:
        raise Fault(f"it names network {policy.network}, this node runs in {network}")
    return [PolicyChanged(policy)]


def _card(folder: NodeFolder, node_id: NodeId) -> list[Input]:
    card = folder.read_card()
    if card is None:
        raise Fault("it is gone", "put it back; the card in use stays in use")
    if card.node_id != node_id:
        raise Fault(f"it names node {card.node_id.short}, this one is {node_id.short}")
    return [OwnCardChanged(card)]
