"""Watching a node's folder: what is written to it, and when."""

import random

import pytest
import trio

from cards import grant, make_card
from cards.text import to_armor
from p2pnoise.events import OwnCardRejected
from p2pnoise.folder import bans, documents, reading
from p2pnoise.folder.node_folder import NodeFolder
from p2pnoise.folder.watching import Watcher
from p2pnoise.node.effects import OwnCardChanged
from p2pnoise.node.scores import ban_for
from p2pnoise.testing import network


@pytest.fixture(autouse=True)
def no_threads(monkeypatch):
    """The clock would jump while one works."""

    async def at_once(function, *args):
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


def renewed(net):
    """The next card of alice."""
    key, identity = net.keys("alice")
    sequence = net.nodes["alice"].core.card.sequence + 1
    card = make_card(identity, key, network="test", now=net.now, name="alice", sequence=sequence)
    return grant(net.issuer, card, serial=9, now=net.now, lifetime=60, entropy=random.Random(1).randbytes)


async def test_the_card_is_written_once_nobody_else_changes_the_folder(autojump_clock, tmp_path):
    async with network(1) as net:
        node, folder, old = net.nodes["alice"], NodeFolder(tmp_path), net.nodes["alice"].core.card
        folder.card.write_text(to_armor(documents.CARD, old.raw))
        watcher = Watcher(folder, node, "test", old)
        new = renewed(net)
        await node.offer(OwnCardChanged(new))
        with reading.lock(tmp_path):
            await watcher.look()
            assert folder.read_card().raw == old.raw
        await watcher.look()
        assert folder.read_card().raw == new.raw
        assert not [event for event in net.events["alice"] if isinstance(event, OwnCardRejected)]


async def test_what_is_written_is_in_force_within_a_second(autojump_clock, nursery, tmp_path):
    async with network(1) as net:
        node, folder, old = net.nodes["alice"], NodeFolder(tmp_path), net.nodes["alice"].core.card
        folder.card.write_text(to_armor(documents.CARD, old.raw))
        nursery.start_soon(Watcher(folder, node, "test", old).watch)
        await trio.sleep(10)
        new = renewed(net)
        folder.card.write_text(to_armor(documents.CARD, new.raw))
        await trio.sleep(1)
        assert node.core.card.raw == new.raw
        nursery.cancel_scope.cancel()


async def test_whom_a_node_bans_by_itself_stands_in_the_file(autojump_clock, tmp_path):
    async with network(1) as net:
        node, folder = net.nodes["alice"], NodeFolder(tmp_path)
        folder.card.write_text(to_armor(documents.CARD, node.core.card.raw))
        watcher = Watcher(folder, node, "test", node.core.card)
        ban = ban_for(net.keys("bob")[0].public, "bob", "nonsense", net.now)
        node.core.bans.make(ban, net.now)
        with reading.lock(tmp_path):
            await watcher.look()
            assert not folder.bans.exists()
        await watcher.look()
        assert bans.read(folder.bans) == (ban,)
