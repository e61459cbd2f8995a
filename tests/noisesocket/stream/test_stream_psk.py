"""A NoiseStream whose serving side finds the psk by the payload of message 1."""

import pytest
import trio
import trio.testing

from p2pnoise import NoiseStream, PeerProtocolError, PeerRefused, TruncatedError, anyone, open_noise_stream, serve_noise
from p2pnoise.noise import Protocol

IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
IK_PSK2 = Protocol.parse("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
PSKS = {b"ada": b"\x41" * 32, b"bob": b"\x42" * 32}


async def psk_of(rs, payload):
    await trio.lowlevel.checkpoint()
    assert len(rs) == 32
    return PSKS.get(payload)


@pytest.fixture
def pair(streams):
    """A client with this psk, a server that asks `psk_of`; neither has said anything."""

    def make(psk, payload=b"ada", asked=psk_of):
        near, far = trio.testing.memory_stream_pair()
        return (
            NoiseStream(near, streams.client_connection(protocol=IK_PSK2, psks={2: psk}), payload=payload),
            NoiseStream(
                far,
                streams.server_connection(accepts=(IK_PSK2, IK), psks={2: None}),
                verify=anyone,
                psk_of=asked,
            ),
        )

    return make


async def fails(stream, error):
    with pytest.raises(error):
        await stream.do_handshake()


@pytest.mark.parametrize("name", PSKS)
async def test_the_payload_of_message_1_says_which_psk(pair, streams, name):
    client, server = await streams.shake_hands(*pair(PSKS[name], name))
    await client.send_all(b"hello")
    assert await server.receive_some() == b"hello"
    assert server.peer_payload == name


async def test_who_has_another_psk_is_not_heard(pair):
    client, server = pair(PSKS[b"bob"], b"ada")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails, client, PeerProtocolError)
        await server.do_handshake()
    with pytest.raises(TruncatedError):
        await server.receive_some()


async def test_who_names_no_psk_that_there_is_gets_no_answer(pair):
    client, server = pair(PSKS[b"ada"], b"eve")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails, client, TruncatedError)
        nursery.start_soon(fails, server, PeerRefused)


async def test_psk_of_is_not_asked_for_a_pattern_without_psks(streams):
    async def never(rs, payload):
        raise AssertionError

    async with trio.open_nursery() as nursery:

        async def handler(stream):
            assert await stream.receive_some() == b"hello"
            nursery.cancel_scope.cancel()

        async def serve(task_status):
            await serve_noise(
                handler,
                0,
                host="127.0.0.1",
                s=streams.server,
                verify=anyone,
                accepts=(IK_PSK2, IK),
                psks={2: None},
                psk_of=never,
                task_status=task_status,
            )

        (listener,) = await nursery.start(serve)
        port = listener.transport_listener.socket.getsockname()[1]
        async with await open_noise_stream("127.0.0.1", port, s=streams.client, rs=streams.server.public) as stream:
            await stream.send_all(b"hello")
            await trio.sleep_forever()
