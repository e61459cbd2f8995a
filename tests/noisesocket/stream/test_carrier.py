"""The short way to a socket: whose descriptor it uses, what it holds, and what an idle stream costs."""

import gc
import os
import tracemalloc

import pytest
import trio
import trio.testing

from p2pnoise.noisesocket.stream import carrier
from p2pnoise.noisesocket.stream.carrier import SocketCarrier, StreamCarrier, carrier_for

CONNECTIONS = 100
MOST_PER_CONNECTION = 10 * 1024


async def test_sockets_go_the_short_way_and_all_else_through_trio(tcp):
    assert [type(carrier_for(stream)) for stream in await tcp()] == [SocketCarrier] * 2
    assert type(carrier_for(trio.testing.memory_stream_pair()[0])) is StreamCarrier


async def test_a_descriptor_that_was_closed_and_given_to_another_is_not_touched(streams, tcp):
    client, server = await streams.open_pair(await tcp())
    descriptor = client.transport_stream.socket.fileno()
    reader, writer = os.pipe()
    client.transport_stream.socket.close()
    os.dup2(writer, descriptor)
    try:
        for call in (lambda: client.send_all(b"secret"), client.receive_some):
            with pytest.raises(trio.ClosedResourceError):
                await call()
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
    finally:
        for number in {reader, writer, descriptor}:
            os.close(number)
    await client.aclose()
    await server.aclose()


async def test_idle_streams_share_one_buffer(streams, tcp):
    pairs = [await streams.open_pair(await tcp()) for _ in range(5)]
    async with trio.open_nursery() as nursery:
        for client, server in pairs:
            nursery.start_soon(server.receive_some)
            await client.send_all(b"x")
        await trio.testing.wait_all_tasks_blocked()
        for client, _server in pairs:
            nursery.start_soon(client.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        assert len(carrier._buffers) == 1
        nursery.cancel_scope.cancel()


async def test_a_buffer_that_another_thread_takes_first_is_no_fault(streams, tcp, monkeypatch):
    class TakenMeanwhile(list):
        def __bool__(self):
            return True

    monkeypatch.setattr(carrier, "_buffers", TakenMeanwhile())
    client, server = await streams.open_pair(await tcp())
    await client.send_all(b"x")
    assert await server.receive_some() == b"x"


async def test_streams_that_read_at_the_same_time_do_not_mix_their_bytes(streams, tcp):
    async def send(stream, letter):
        for _ in range(20):
            await stream.send_all(letter * 100_000)
        await stream.send_eof()

    async def receive(stream, letter):
        length = 0
        while data := await stream.receive_some():
            assert data.count(letter) == len(data)
            length += len(data)
        assert length == 2_000_000

    async with trio.open_nursery() as nursery:
        for letter in (b"a", b"b", b"c", b"d"):
            client, server = await streams.open_pair(await tcp())
            nursery.start_soon(send, client, letter)
            nursery.start_soon(receive, server, letter)


async def test_an_idle_stream_and_its_task_hold_less_than_ten_kibibytes(streams, tcp):
    carriers = [await tcp() for _ in range(CONNECTIONS + 1)]
    clients, servers = zip(*(streams.pair(pair) for pair in carriers), strict=True)
    await streams.shake_hands(clients[0], servers[0])  # what is loaded and made once

    async def serve(stream):
        await stream.do_handshake()
        await stream.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, servers[0])
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        mine = [streams.pair(pair)[1] for pair in carriers[1:]]
        for stream in mine:
            nursery.start_soon(serve, stream)
        for client in clients[1:]:
            await client.do_handshake()
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        nursery.cancel_scope.cancel()
    grown = sum(difference.size_diff for difference in after.compare_to(before, "filename"))
    assert grown / CONNECTIONS < MOST_PER_CONNECTION
