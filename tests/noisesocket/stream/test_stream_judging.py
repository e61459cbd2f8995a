"""Who the peer may be: judged in the handshake, before more is said, and impossible to forget."""

import pytest
import trio
import trio.testing

from p2pnoise import (
    HandshakeRejected,
    HandshakeTimeout,
    LocalProtocolError,
    NoiseStream,
    PeerProtocolError,
    PeerRefused,
    TruncatedError,
)

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])


def noting(carrier):
    """Has a memory carrier note what it is given to send."""
    sent = []
    send_all = carrier.send_all

    async def note_and_send(data):
        sent.append(bytes(data))
        await send_all(data)

    carrier.send_all = note_and_send
    return sent


async def both_fail(client, server, client_error, server_error):
    """Has both do the handshake, and fail so."""

    async def fail(stream, error):
        with pytest.raises(error):
            await stream.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, client, client_error)
        nursery.start_soon(fail, server, server_error)


@every_pattern
async def test_verify_sees_the_peer_s_key_and_payload_once(streams, carriers, pattern):
    seen = []
    judge = {"verify": lambda *judged: seen.append(judged) or True}
    await streams.open_pair(await carriers(), pattern, client=judge, server=judge)
    assert sorted(seen) == sorted([(streams.server.public, b"server"), (streams.client.public, b"client")])


@pytest.mark.parametrize(("pattern", "flights"), [("XX", 1), ("IK", 1)])
async def test_an_initiator_that_refuses_says_nothing_more(streams, pattern, flights):
    near, far = trio.testing.memory_stream_pair()
    sent = noting(near)
    client, server = streams.pair((near, far), pattern, client={"verify": lambda _rs, _payload: False})
    if pattern == "XX":
        await both_fail(client, server, PeerRefused, TruncatedError)
    else:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            with pytest.raises(PeerRefused, match="verify refused"):
                await client.do_handshake()
        with pytest.raises(TruncatedError):
            await server.receive_some()
    assert len(sent) == flights


@pytest.mark.parametrize(("pattern", "flights"), [("XX", 1), ("IK", 0)])
async def test_a_responder_that_refuses_answers_nothing_more(streams, pattern, flights):
    near, far = trio.testing.memory_stream_pair()
    sent = noting(far)
    client, server = streams.pair((near, far), pattern, server={"verify": lambda _rs, _payload: False})

    async def refuse():
        with pytest.raises(PeerRefused):
            await server.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(TruncatedError):
            await client.receive_some()
    assert len(sent) == flights


async def test_with_xx_too_the_peer_must_have_the_key_we_want(streams):
    wanted = {"rs": streams.stranger.public}
    client, server = streams.pair(trio.testing.memory_stream_pair(), "XX", client=wanted)
    await both_fail(client, server, PeerRefused, TruncatedError)


async def test_another_member_at_the_address_we_dial_is_no_peer(streams):
    """The key is the address, whatever `verify` thinks of who is there."""
    near, far = trio.testing.memory_stream_pair()
    client, _ = streams.pair((near, trio.testing.memory_stream_pair()[0]))
    server = NoiseStream(far, streams.server_connection(s=streams.stranger), verify=lambda _rs, _payload: True)
    await both_fail(client, server, TruncatedError, PeerProtocolError)


def test_whom_we_want_cannot_be_forgotten(streams):
    for connection in (streams.client_connection("XX"), streams.server_connection()):
        with pytest.raises(LocalProtocolError, match="neither rs nor verify"):
            NoiseStream(trio.testing.memory_stream_pair()[0], connection)


async def test_a_pinned_key_is_enough_to_say_whom_we_want(streams):
    near, far = trio.testing.memory_stream_pair()
    client = NoiseStream(near, streams.client_connection("IK"))
    server = NoiseStream(far, streams.server_connection(), rs=streams.client.public)
    await streams.shake_hands(client, server)


async def test_a_verify_that_raises_closes_the_stream_and_is_heard(streams):
    near, far = trio.testing.memory_stream_pair()
    client, server = streams.pair((near, far), server={"verify": lambda _rs, _payload: 1 // 0})

    async def judge():
        with pytest.raises(ZeroDivisionError):
            await server.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(judge)
        with pytest.raises(TruncatedError):
            await client.do_handshake()


@pytest.mark.parametrize("silent", [0, 1])
async def test_a_handshake_that_stalls_ends_at_its_deadline(streams, autojump_clock, silent):
    pair = streams.pair(trio.testing.memory_stream_pair())
    began = autojump_clock.current_time()
    with pytest.raises(HandshakeTimeout, match="not finished in time"):
        await pair[silent].do_handshake()
    assert autojump_clock.current_time() - began == pytest.approx(10)


async def test_a_rejected_protocol_is_named(streams):
    near, far = trio.testing.memory_stream_pair()
    client, _ = streams.pair((near, trio.testing.memory_stream_pair()[0]))
    responder = streams.server_connection(accepts=(streams.xx,))

    async def reject():
        responder.receive_data(bytes(await far.receive_some()))
        with pytest.raises(Exception, match="accept"):
            responder.next_event()
        await far.send_all(responder.reject())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reject)
        with pytest.raises(HandshakeRejected, match=streams.xx.name):
            await client.do_handshake()


async def test_a_responder_that_does_not_speak_our_protocol_closes_without_a_word(streams):
    near, far = trio.testing.memory_stream_pair()
    client, _ = streams.pair((near, trio.testing.memory_stream_pair()[0]))
    server = NoiseStream(far, streams.server_connection(accepts=(streams.xx,)), verify=lambda _rs, _payload: True)
    sent = noting(far)
    await both_fail(client, server, TruncatedError, PeerProtocolError)
    assert sent == []


async def test_a_payload_where_none_belongs_is_the_peer_s_fault(streams):
    near, far = trio.testing.memory_stream_pair()
    client, server = streams.pair((near, far), "XX")
    await near.send_all(streams.client_connection("XX").send_handshake(b"in clear"))
    with pytest.raises(PeerProtocolError, match="payload of 8 bytes in a message that carries none"):
        await server.do_handshake()
    await client.aclose()


async def test_a_payload_that_no_message_encrypts_is_our_fault(streams):
    protocol = streams.xx.parse("Noise_NN_25519_ChaChaPoly_BLAKE2s")
    connection = streams.client_connection("XX", s=None, protocol=protocol)
    client = NoiseStream(
        trio.testing.memory_stream_pair()[0], connection, verify=lambda _rs, _payload: True, payload=b"x"
    )
    with pytest.raises(LocalProtocolError, match="encrypts no message of ours"):
        await client.do_handshake()


async def test_a_peer_without_a_static_key_is_judged_by_its_payload(streams):
    protocol = streams.xx.parse("Noise_NN_25519_ChaChaPoly_BLAKE2s")
    near, far = trio.testing.memory_stream_pair()
    seen = []
    judge = {"verify": lambda *judged: seen.append(judged) or True}
    client = NoiseStream(near, streams.client_connection("XX", s=None, protocol=protocol), **judge)
    server = NoiseStream(far, streams.server_connection(s=None, accepts=(protocol,)), **judge, payload=b"server")
    await streams.shake_hands(client, server)
    assert sorted(seen) == [(b"", b""), (b"", b"server")]
    assert client.rs is server.rs is None


async def test_the_initiator_of_a_one_way_handshake_judges_too(streams):
    protocol = streams.xx.parse("Noise_N_25519_ChaChaPoly_BLAKE2s")
    judged = []
    for kind in ({"verify": lambda *seen: judged.append(seen)}, {"rs": streams.stranger.public}):
        connection = streams.client_connection("IK", s=None, protocol=protocol)
        client = NoiseStream(trio.testing.memory_stream_pair()[0], connection, **kind)
        with pytest.raises(PeerRefused):
            await client.do_handshake()
    assert judged == [(streams.server.public, b"")]


async def test_a_connection_that_has_begun_already_skips_no_judging(streams):
    near, far = trio.testing.memory_stream_pair()
    connection = streams.client_connection("XX")
    await near.send_all(connection.send_handshake())
    client = NoiseStream(near, connection, verify=lambda _rs, _payload: False)
    server = NoiseStream(far, streams.server_connection(), verify=lambda _rs, _payload: True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.do_handshake)
        with pytest.raises(PeerRefused):
            await client.do_handshake()
    await server.aclose()
