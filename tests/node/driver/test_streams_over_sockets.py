"""Streams between nodes over real sockets: what holds in memory holds there, too."""

import random

import pytest
import trio

from p2pnoise.node.driver.errors import PeerGone
from p2pnoise.node.driver.messages import receiving
from p2pnoise.node.driver.requests import answering
from p2pnoise.node.effects import FactOffered
from tests.patience import PATIENCE


async def echo(stream):
    while data := await stream.receive_some():
        await stream.send_all(data)


async def wait(_stream):
    await trio.sleep_forever()


async def drain(stream):
    while await stream.receive_some():
        pass


@pytest.fixture
async def pair(net):
    async with net.node("ada") as ada, net.node("bob", bootstrap=[ada.bootstrap]) as bob:
        await bob.tells("peer-verified", node_id=ada.node_id)
        yield ada, bob


async def test_megabytes_there_and_back_on_ten_streams_come_whole(net, pair):
    ada, bob = pair
    bob.node.handle("echo/1", echo)

    async def check(number):
        data = random.Random(number).randbytes(1_000_000)
        got = bytearray()
        async with await ada.node.open_stream("bob", "echo/1") as stream, trio.open_nursery() as nursery:

            async def send():
                await stream.send_all(data)
                await stream.send_eof()

            nursery.start_soon(send)
            while part := await stream.receive_some():
                got += part
        assert got == data

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(check, number)


async def test_requests_and_messages_in_both_directions(net, pair):
    ada, bob = pair
    received = []

    async def upper(request):
        return request.data.upper()

    async def take(message):
        received.append((message.peer.name, message.data))

    for one in pair:
        one.node.handle("upper/1", answering(upper))
        one.node.handle("note/1", receiving(take))
    assert await ada.node.request("bob", "upper/1", b"a") == b"A"
    assert await bob.node.request("ada", "upper/1", b"b") == b"B"
    await ada.node.send("bob", "note/1", b"to bob")
    await bob.node.send("ada", "note/1", b"to ada")
    await net.until(lambda: len(received) == 2)
    assert sorted(received) == [("ada", b"to bob"), ("bob", b"to ada")]


async def test_a_stream_dials_a_peer_that_nobody_is_linked_with(net):
    async with net.node("ada", handlers={"echo/1": echo}) as ada, net.node("bob", target_links=0) as bob:
        stream = await bob.node.open_stream(f"{ada.node_id}@{ada.address}", "echo/1")
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        assert stream.peer.name == "ada"


async def test_a_reader_that_stops_holds_up_its_own_stream_alone(net, pair):
    ada, bob = pair
    bob.node.handle("deaf/1", wait)
    bob.node.handle("echo/1", echo)
    with trio.fail_after(PATIENCE):
        clogged = await ada.node.open_stream("bob", "deaf/1")
        with trio.move_on_after(0.5):
            await clogged.send_all(bytes(10_000_000))
        async with await ada.node.open_stream("bob", "echo/1") as stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some() == b"hello"


async def test_a_revocation_ends_streams_that_are_busy(net, pair):
    ada, bob = pair

    async def pour(stream):
        while True:
            await stream.send_all(bytes(100_000))

    bob.node.handle("pour/1", pour)
    stream = await ada.node.open_stream("bob", "pour/1")
    await stream.receive_some()
    await ada.node.offer(FactOffered(net.list(2, "bob"), "a test"))
    with trio.fail_after(PATIENCE), pytest.raises(PeerGone, match="revoked"):
        await drain(stream)
