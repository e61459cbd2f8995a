"""Peers that mean harm, over real sockets: each is cut off within its limit, and the good ones notice nothing."""

import gc
import os
import random
import resource
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from p2pnoise.node.effects import FactOffered
from p2pnoise.node.link import Link
from tests.patience import PATIENCE

TIMEOUT = 0.5  # seconds for a handshake, where a stranger is to be cut off for it


@asynccontextmanager
async def besieged(net, **config):
    """A node that is linked with a good peer. Afterwards they still are, and a newcomer gets in.

    Nobody's time to shake hands ends in the test, unless it says so: a busy machine takes longer than anybody waits.
    """
    config = {"handshake_timeout": 10 * PATIENCE, "close_timeout": 1.0} | config
    async with net.node("ada", **config) as ada, net.node("bob", bootstrap=[ada.bootstrap]) as bob:
        await ada.tells("peer-verified", node_id=bob.node_id)
        yield ada
        async with net.node("cleo", bootstrap=[ada.bootstrap]) as cleo:
            await cleo.tells("peer-verified", node_id=ada.node_id)
        assert ada.linked(bob)
        assert ada.told("peer-lost", node_id=bob.node_id) == []
        assert bob.told("peer-lost", node_id=ada.node_id) == []
        await net.until(lambda: len(ada.carriers.serving) <= 2)
        await net.until(lambda: len(ada.carriers) <= 2)


async def ended(stream):
    """Read until the other side has ended the connection."""
    with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
        while await stream.receive_some(65_536):
            pass


def first_message(net, victim, pattern):
    key, _ = net.keys("mallory")
    link = Link(
        initiator=True,
        address=victim.address,
        static=driver_key(key),
        own_card=net.card("mallory").raw,
        entropy=os.urandom,
        now=0,
        rs=victim.node_id if pattern == "IK" else None,
    )
    link.start()
    return link.take_output()[0]


def driver_key(key):
    from p2pnoise.noise import KeyPair  # noqa: PLC0415 - one use

    return KeyPair.from_private(key.static)


@pytest.mark.parametrize("seed", range(3))
async def test_garbage_is_cut_off(net, seed):
    rng = random.Random(seed)
    async with besieged(net) as ada:
        for _ in range(30):
            async with await net.connect(ada) as stream:
                await stream.send_all(rng.randbytes(rng.choice([1, 2, 7, 8, 9, 100, 3000])))
                if rng.random() < 0.5:
                    await stream.send_eof()
                else:
                    continue  # and gone at once
                await ended(stream)


async def test_megabytes_of_garbage_are_cut_off(net):
    async with besieged(net) as ada, await net.connect(ada) as stream:
        with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(bytes(65_536))


@pytest.mark.parametrize("pattern", ["IK", "XX"])
async def test_half_a_handshake_is_cut_off_when_its_time_is_up(net, pattern):
    async def stop_after(ada, share):
        message, begun = first_message(net, ada, pattern), trio.current_time()
        async with await net.connect(ada) as stream:
            await stream.send_all(message[: int(len(message) * share)])
            await ended(stream)
        assert trio.current_time() - begun >= TIMEOUT

    async with besieged(net, handshake_timeout=TIMEOUT) as ada, trio.open_nursery() as nursery:
        for share in (0.0, 0.05, 0.1, 0.5, 0.9, 0.99):
            nursery.start_soon(stop_after, ada, share)


async def test_a_handshake_without_its_last_message_is_cut_off(net):
    async with besieged(net, handshake_timeout=TIMEOUT) as ada, await net.connect(ada) as stream:
        await stream.send_all(first_message(net, ada, "XX"))
        assert await stream.receive_some(100)  # it answers
        await ended(stream)


async def test_a_slow_trickle_buys_no_time(net):
    async with (
        besieged(net, handshake_timeout=TIMEOUT) as ada,
        await net.connect(ada) as stream,
        trio.open_nursery() as nursery,
    ):

        async def trickle():
            with suppress(trio.BrokenResourceError):
                for byte in first_message(net, ada, "IK"):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(TIMEOUT / 50)

        nursery.start_soon(trickle)
        await ended(stream)
        assert ada.told("peer-verified", node_id=net.card("mallory").node_id) == []
        nursery.cancel_scope.cancel()


async def test_connections_that_close_at_once_leave_nothing(net):
    async with besieged(net) as ada:
        for _ in range(200):
            await trio.aclose_forcefully(await net.connect(ada))


async def test_two_hundred_connections_from_one_address_are_bounded(net):
    async with besieged(net) as ada, AsyncExitStack() as streams:
        config = ada.node.core.config
        gone = 0

        async def watch(stream):
            nonlocal gone
            await ended(stream)
            gone += 1

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(watch, await streams.enter_async_context(await net.connect(ada)))
            await net.until(lambda: gone >= 200 - config.max_handshakes_per_host)
            strangers = [link for link in ada.node.core.links.all.values() if link.address.host == net.HOSTILE]
            assert len(strangers) == config.max_handshakes_per_host
            nursery.cancel_scope.cancel()


async def test_a_newcomer_too_many_is_let_go_at_once(net, monkeypatch):
    """Not after the time that last words may take: nothing was said."""
    monkeypatch.setattr("p2pnoise.node.driver.carriers.LINGER", 10 * PATIENCE)
    async with besieged(net, max_handshakes_per_host=4) as ada, AsyncExitStack() as first:
        for _ in range(4):
            await first.enter_async_context(await net.connect(ada))
        await net.until(lambda: len(ada.node.core.links.all) == 5)
        async with await net.connect(ada) as last:
            await ended(last)
            await net.until(lambda: len(ada.carriers.serving) == 5)


async def test_a_peer_that_asks_for_ever_and_never_reads_is_cut_off(net):
    async with besieged(net) as ada:
        puppet = await net.puppet(ada, "mallory", small=True)
        with trio.fail_after(PATIENCE):
            await puppet.ask_without_reading()
        lost = await ada.tells("peer-lost", node_id=puppet.node_id)
        assert "does not read" in lost.reason


async def test_a_peer_that_does_not_read_its_goodbye_is_let_go(net):
    """It is revoked while it does not read: its link must end, and its socket with it."""
    async with besieged(net) as ada:
        puppet = await net.puppet(ada, "mallory", small=True)
        connection = next(
            ada.carriers._connections[number]
            for number, link in ada.node.core.links.all.items()
            if link.node_id == puppet.node_id
        )
        connection.unsent.append(bytes(16 * 1024 * 1024))
        connection.wake.set()
        await ada.node.offer(FactOffered(net.list(2, "mallory"), "a test"))
        await ada.tells("peer-lost", node_id=puppet.node_id)
        await net.until(lambda: len(ada.carriers.serving) == 1)
        await trio.aclose_forcefully(puppet.stream)


async def test_last_words_that_cannot_leave_end_one_connection_and_not_the_node(net):
    async with besieged(net) as ada:
        stream = await net.connect(ada, small=True)
        await net.until(lambda: len(ada.carriers) == 2)
        number = max(ada.carriers._connections)
        connection = ada.carriers._connections[number]
        connection.unsent.append(bytes(16 * 1024 * 1024))
        ada.carriers.end(number)
        await net.until(lambda: number not in ada.carriers.serving)
        await trio.aclose_forcefully(stream)


def memory():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
async def test_memory_stays_bounded_under_attack(net):
    async def pour(ada):
        with trio.move_on_after(3):
            while True:
                async with await net.connect(ada) as stream:
                    with suppress(trio.BrokenResourceError):
                        await stream.send_all(first_message(net, ada, "XX") + bytes(65_536))

    async def flood(ada, name):
        puppet = await net.puppet(ada, name, small=True)
        await puppet.ask_without_reading()

    async with besieged(net) as ada:
        await flood(ada, "warm-up")
        before = memory()
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(pour, ada)
                nursery.start_soon(flood, ada, f"mallory-{number}")
        assert memory() - before < 48 * 2**20  # about 10 are used
