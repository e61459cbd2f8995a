"""The ends of a NoiseStream: the peer's word, a truncation and a fault are three results; and use out of turn."""

import pytest
import trio
import trio.testing

from p2pnoise import (
    LocalProtocolError,
    NoiseStream,
    NoiseStreamError,
    P2PNoiseError,
    PeerProtocolError,
    TruncatedError,
    anyone,
)
from p2pnoise.noisesocket import MAX_BODY

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])


async def receive_all(stream, max_bytes=None):
    """All of it, up to the end."""
    data = b""
    while piece := await stream.receive_some(max_bytes):
        data += piece
    return data


@every_pattern
async def test_both_sides_learn_the_same_of_each_other(streams, carriers, pattern):
    client, server = await streams.open_pair(await carriers(), pattern)
    async with client, server:
        assert (client.rs, server.rs) == (streams.server.public, streams.client.public)
        assert (client.peer_payload, server.peer_payload) == (b"server", b"client")
        assert client.handshake_hash == server.handshake_hash
        assert client.protocol == server.protocol == {"XX": streams.xx, "IK": streams.ik}[pattern]
        assert (client.early_data_taken, server.early_data) == (False, b"")


@pytest.mark.parametrize("attribute", ["rs", "protocol", "handshake_hash", "peer_payload", "early_data"])
async def test_nothing_is_known_of_the_peer_before_the_handshake_is_done(streams, attribute):
    client, _server = streams.pair(trio.testing.memory_stream_pair())
    with pytest.raises(LocalProtocolError, match="the handshake is not done"):
        getattr(client, attribute)


@pytest.mark.parametrize("max_bytes", [None, 1000, 10**9])
async def test_data_of_any_length_arrive_whole_in_both_directions(streams, carriers, max_bytes):
    data = bytes(number % 251 for number in range(20 * MAX_BODY + 1))

    async def send(stream):
        await stream.send_all(data)
        await stream.send_eof()

    async def receive(stream):
        assert await receive_all(stream, max_bytes) == data

    async with trio.open_nursery() as nursery:
        for stream in await streams.open_pair(await carriers()):
            nursery.start_soon(send, stream)
            nursery.start_soon(receive, stream)


@every_pattern
async def test_every_byte_may_come_by_itself(streams, pattern):
    near, far = trio.testing.memory_stream_pair()
    middle, end = trio.testing.memory_stream_pair()

    async def one_by_one(source, drain):
        async for piece in source:
            for byte in piece:
                await drain.send_all(bytes([byte]))

    client, server = streams.pair((near, end), pattern)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one_by_one, far, middle)
        nursery.start_soon(one_by_one, middle, far)
        nursery.start_soon(client.do_handshake)
        await server.do_handshake()
        await client.send_all(b"by itself")
        await client.send_eof()
        assert await receive_all(server) == b"by itself"
        nursery.cancel_scope.cancel()


async def test_the_peer_s_word_is_a_clean_end_and_the_other_direction_goes_on(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    async with client, server:
        await client.send_eof()
        await client.send_eof()
        assert [await server.receive_some(), await server.receive_some()] == [b"", b""]
        await server.send_all(b"still here")
        assert await client.receive_some() == b"still here"


async def test_closing_says_that_it_is_the_end(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    await client.send_all(b"last")
    await client.aclose()
    assert await receive_all(server) == b"last"


async def test_a_carrier_that_just_ends_is_a_truncation_and_every_call_says_so(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    await client.send_all(b"before")
    await client.transport_stream.aclose()
    assert await server.receive_some() == b"before"
    calls = [server.receive_some, server.receive_some, server.do_handshake, server.send_eof]
    for call in [*calls, lambda: server.send_all(b"x"), server.wait_send_all_might_not_block]:
        with pytest.raises(TruncatedError, match="ended before the peer's data did"):
            await call()
    await server.aclose()


async def test_what_the_protocol_forbids_is_the_peer_s_fault_and_closes_without_a_word(streams):
    carriers = trio.testing.memory_stream_pair()
    client, server = await streams.open_pair(carriers)
    await carriers[0].send_all(b"\0\x12" + bytes(18))
    with pytest.raises(PeerProtocolError, match="does not authenticate") as caught:
        await server.receive_some()
    assert caught.value.__cause__ is not None
    assert await carriers[0].receive_some() == b""
    with pytest.raises(PeerProtocolError):
        await server.send_all(b"x")
    await client.transport_stream.aclose()


def test_each_bad_end_is_trio_s_broken_resource_and_our_own_error():
    for error in (TruncatedError, PeerProtocolError, NoiseStreamError):
        assert issubclass(error, trio.BrokenResourceError)
        assert issubclass(error, P2PNoiseError)


async def test_data_that_came_with_the_last_handshake_message_are_not_lost(streams):
    carriers = trio.testing.memory_stream_pair()
    client, server = streams.pair(carriers, "XX")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"at once")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(server.do_handshake)
        await trio.testing.wait_all_tasks_blocked()
        assert await server.receive_some() == b"at once"


@pytest.mark.parametrize("call", ["send_all", "receive_some"])
async def test_a_second_task_in_one_direction_is_refused_loudly(streams, call):
    client, _server = await streams.open_pair(trio.testing.lockstep_stream_pair())
    arguments = [b"x"] if call == "send_all" else []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(getattr(client, call), *arguments)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError, match="another task is"):
            await getattr(client, call)(*arguments)
        nursery.cancel_scope.cancel()


async def test_two_tasks_may_begin_with_one_handshake(streams):
    client, server = streams.pair(trio.testing.memory_stream_pair())

    async def receive(stream, expected):
        assert await stream.receive_some() == expected

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"there")
        nursery.start_soon(server.send_all, b"back")
        nursery.start_soon(receive, client, b"back")
        nursery.start_soon(receive, server, b"there")


async def test_a_padding_policy_hides_lengths_on_the_way(streams):
    carriers = trio.testing.memory_stream_pair()
    client, server = await streams.open_pair(carriers, connections={"padding": lambda length: -(-length // 256) * 256})
    sizes = []

    async def note_and_pass(data, send_all=carriers[0].send_all):
        sizes.append(len(data))
        await send_all(data)

    carriers[0].send_all = note_and_pass
    for data in (b"x", b"x" * 256):
        await client.send_all(data)
        assert await server.receive_some() == data
    assert sizes == [2 + 2 + 256 + 16] * 2


async def test_after_a_one_way_handshake_the_initiator_hears_nothing_and_both_close_cleanly(streams, carriers):
    protocol = streams.xx.parse("Noise_N_25519_ChaChaPoly_BLAKE2s")
    near, far = await carriers()
    client = NoiseStream(near, streams.client_connection("IK", s=None, protocol=protocol), verify=anyone)
    server = NoiseStream(far, streams.server_connection(accepts=(protocol,)), verify=anyone)
    await streams.shake_hands(client, server)
    await far.send_all(b"\0\x20" + bytes(32))
    assert await client.receive_some() == b""
    await client.send_all(b"there")
    assert await server.receive_some() == b"there"
    with pytest.raises(LocalProtocolError, match="one-way"):
        await server.send_all(b"back")
    await client.aclose()
    assert await server.receive_some() == b""
    await server.aclose()
