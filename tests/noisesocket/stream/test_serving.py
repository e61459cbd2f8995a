"""Opening, accepting and serving NoiseStreams, and what those who stall a handshake cannot do."""

from functools import partial

import pytest
import trio
import trio.testing

from p2pnoise import (
    HandshakeTimeout,
    KeyPair,
    LocalProtocolError,
    NoiseListener,
    NoiseStream,
    PeerRefused,
    TruncatedError,
    anyone,
    open_noise_stream,
    serve_noise,
)
from p2pnoise.noise import DH_448
from p2pnoise.noisesocket.introduction import MAX_PAYLOAD
from p2pnoise.noisesocket.stream import HalfOpen
from p2pnoise.noisesocket.stream.half_open import host_of


async def echo(stream):
    """A handler that sends back what it gets."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


@pytest.fixture
async def served(streams, nursery):
    """Starts `serve_noise` on a free port; returns how to open a stream to it."""

    async def serve(handler=echo, **options):
        options = {"s": streams.server, "verify": anyone} | options
        listeners = await nursery.start(partial(serve_noise, handler, 0, host="127.0.0.1", **options))
        port = listeners[0].transport_listener.socket.getsockname()[1]
        return partial(open_noise_stream, "127.0.0.1", port, s=streams.client, rs=streams.server.public)

    return serve


async def test_what_is_opened_and_served_talks(streams, served):
    opened = await served(payload=b"server")
    async with await opened(payload=b"client") as stream:
        assert (stream.protocol, stream.peer_payload) == (streams.ik, b"server")
        await stream.send_all(b"echo")
        assert await stream.receive_some() == b"echo"


async def test_nobody_at_an_address_or_a_name_is_an_oserror(streams):
    async with (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0] as listener:
        port = listener.socket.getsockname()[1]
    for host in ("127.0.0.1", "localhost", b"localhost"):
        with pytest.raises(OSError, match="connect"):
            await open_noise_stream(host, port, s=streams.client, rs=streams.server.public)


async def test_a_name_is_resolved(streams, nursery):
    serve = partial(serve_noise, echo, 0, s=streams.server, verify=anyone)
    port = (await nursery.start(serve))[0].transport_listener.socket.getsockname()[1]
    async with await open_noise_stream("localhost", port, s=streams.client, rs=streams.server.public) as stream:
        await stream.send_all(b"echo")
        assert await stream.receive_some() == b"echo"


async def test_without_the_server_s_key_it_is_xx_and_verify_must_say_whom_we_want(streams, served):
    opened = await served()
    async with await opened(rs=None, verify=lambda rs, _payload: rs == streams.server.public) as stream:
        assert stream.protocol == streams.xx
    with pytest.raises(LocalProtocolError, match="neither rs nor verify"):
        await opened(rs=None)
    with pytest.raises(PeerRefused):
        await opened(rs=None, verify=lambda _rs, _payload: False)


async def test_a_key_can_be_wanted_of_a_protocol_that_does_not_need_it_beforehand(streams, served):
    opened = await served()
    async with await opened(protocol=streams.xx) as stream:
        assert (stream.protocol, stream.rs) == (streams.xx, streams.server.public)
    with pytest.raises(PeerRefused, match="not the one we want"):
        await opened(protocol=streams.xx, rs=streams.stranger.public)


async def test_psks_and_other_protocols_go_to_the_connection(streams, served):
    protocol = streams.xx.parse("Noise_IKpsk2_25519_AESGCM_SHA256")
    shared = {"psks": {2: b"p" * 32}}
    opened = await served(accepts=(protocol,), **shared)
    async with await opened(protocol=protocol, **shared) as stream:
        await stream.send_all(b"echo")
        assert await stream.receive_some() == b"echo"


async def test_another_application_prologue_is_no_connection(served):
    opened = await served(application_prologue=b"one")
    with pytest.raises(TruncatedError):
        await opened(application_prologue=b"two")


async def test_a_server_goes_on_after_handshakes_that_failed(streams, served):
    seen = []
    opened = await served(verify=lambda rs, _payload: seen.append(rs) or rs == streams.client.public)
    for _ in range(3):
        async with await opened(s=streams.stranger, protocol=streams.xx) as stream:
            with pytest.raises(TruncatedError):
                await stream.receive_some()
    async with await opened() as stream:
        await stream.send_all(b"still there")
        assert await stream.receive_some() == b"still there"
    assert seen == [streams.stranger.public] * 3 + [streams.client.public]


async def test_a_handler_s_exception_ends_the_server_as_trio_s_does(streams):
    async def fail(stream):
        raise ZeroDivisionError(stream)

    async def dial(port):
        async with await open_noise_stream("127.0.0.1", port, s=streams.client, rs=streams.server.public) as stream:
            await stream.receive_some()

    async def serve_and_dial():
        async with trio.open_nursery() as nursery:
            serve = partial(serve_noise, fail, 0, host="127.0.0.1", s=streams.server, verify=anyone)
            port = (await nursery.start(serve))[0].transport_listener.socket.getsockname()[1]
            nursery.start_soon(dial, port)

    with pytest.raises(BaseExceptionGroup) as caught:
        await serve_and_dial()
    assert caught.value.subgroup(ZeroDivisionError) is not None


@pytest.mark.parametrize(
    ("pattern", "keys", "fault"),
    [
        ("IK", {"s": None}, "static key"),
        ("XX", {"s": None}, "static key"),
        ("NNpsk0", {"s": None}, "needs psk0"),
        ("XXpsk3", {"psks": {2: bytes(32)}}, "needs psk3"),
        ("XXpsk3", {"psks": {3: bytes(31)}}, "psk3 of 31 bytes"),
        ("XXfallback", {}, "beforehand"),
    ],
)
def test_a_server_whose_keys_do_not_fit_says_so_before_it_listens(streams, pattern, keys, fault):
    accepts = (streams.xx.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"),)
    with pytest.raises(LocalProtocolError, match=fault):
        NoiseListener(None, **{"s": streams.server, "verify": anyone, "accepts": accepts} | keys)


def test_a_server_whose_payload_is_too_long_says_so_before_it_listens(streams):
    with pytest.raises(LocalProtocolError, match="payload of 65001 bytes, at most 65000"):
        NoiseListener(None, s=streams.server, verify=anyone, payload=bytes(65_001))


@pytest.mark.parametrize("pattern", ["XX", "IK", "IX", "NXpsk0", "IXpsk1"])
async def test_the_longest_payload_fits_whatever_the_initiator_chooses(streams, pattern):
    protocol = streams.xx.parse(f"Noise_{pattern}_448_ChaChaPoly_SHA512")
    s = KeyPair.from_private(b"\x01" * 56, DH_448)
    keys = {"s": s, "psks": dict.fromkeys(protocol.pattern.psks, bytes(32))}
    rs = s.public if pattern == "IK" else None
    near, far = trio.testing.memory_stream_pair()
    client = NoiseStream(near, streams.client_connection(rs=rs, protocol=protocol, **keys), verify=anyone)
    connection = streams.server_connection(accepts=(protocol,), **keys)
    server = NoiseStream(far, connection, verify=anyone, payload=bytes(MAX_PAYLOAD))
    await streams.shake_hands(client, server)
    assert len(client.peer_payload) == MAX_PAYLOAD


@pytest.mark.parametrize("most", [{"at_most": 0}, {"at_most_per_host": 0}])
def test_no_place_for_any_handshake_is_our_fault(most):
    with pytest.raises(LocalProtocolError, match="at least 1 of each"):
        HalfOpen(**most)


class MemoryListener(trio.abc.Listener):
    """Brings memory streams, each from a host."""

    def __init__(self):
        self._send, self._receive = trio.open_memory_channel(float("inf"))
        self._hosts = {}

    def dial(self, host):
        near, far = trio.testing.memory_stream_pair()
        self._hosts[far] = host
        self._send.send_nowait(far)
        return near

    def host_of(self, stream):
        return self._hosts[stream]

    async def accept(self):
        return await self._receive.receive()

    async def aclose(self):
        self._receive.close()


@pytest.fixture
def memory_listener():
    return MemoryListener()


@pytest.fixture
async def half_open(streams, nursery, memory_listener):
    """A served memory listener; returns its HalfOpen."""
    half_open = HalfOpen(timeout=10.0, at_most=100, at_most_per_host=10)
    listener = NoiseListener(
        memory_listener,
        s=streams.server,
        verify=anyone,
        application_prologue=streams.prologue,
        half_open=half_open,
        host_of=memory_listener.host_of,
    )

    async def handle(stream):
        try:
            await echo(stream)
        except trio.BrokenResourceError:
            return

    nursery.start_soon(trio.serve_listeners, handle, [listener])
    return half_open


async def can_connect(streams, memory_listener, host):
    stream = NoiseStream(memory_listener.dial(host), streams.client_connection())
    async with stream:
        await stream.send_all(b"echo")
        return await stream.receive_some() == b"echo"


async def test_thousands_that_stall_from_one_address_do_not_keep_another_out(
    streams, autojump_clock, memory_listener, half_open
):
    stalled = [memory_listener.dial("stalling") for _ in range(5000)]
    await trio.testing.wait_all_tasks_blocked()
    assert len(half_open) == 10
    began = autojump_clock.current_time()
    assert await can_connect(streams, memory_listener, "honest")
    assert autojump_clock.current_time() == began
    for stream in stalled[:-10]:
        assert await stream.receive_some() == b""  # closed without a word


async def test_an_honest_handshake_from_the_stalling_address_gets_through_too(streams, memory_listener, half_open):
    stalled = [memory_listener.dial("stalling") for _ in range(500)]
    assert await can_connect(streams, memory_listener, "stalling")
    assert len(half_open) < 10 < len(stalled)


async def test_those_that_stall_from_many_addresses_are_bounded_and_the_oldest_goes_first(
    streams, memory_listener, half_open
):
    stalled = [memory_listener.dial(host) for host in range(500)]
    await trio.testing.wait_all_tasks_blocked()
    assert len(half_open) == 100
    assert await can_connect(streams, memory_listener, "honest")
    assert await stalled[0].receive_some() == b""


async def test_a_stalled_handshake_ends_at_the_deadline_and_leaves_its_place(
    autojump_clock, memory_listener, half_open
):
    stalled = memory_listener.dial("stalling")
    began = autojump_clock.current_time()
    assert await stalled.receive_some() == b""
    assert autojump_clock.current_time() - began == pytest.approx(10)
    assert len(half_open) == 0


async def test_a_finished_handshake_and_a_closed_stream_leave_their_places(streams, memory_listener):
    half_open = HalfOpen()
    listener = NoiseListener(
        memory_listener,
        s=streams.server,
        verify=anyone,
        application_prologue=streams.prologue,
        half_open=half_open,
        host_of=memory_listener.host_of,
    )
    client = NoiseStream(memory_listener.dial("one"), streams.client_connection())
    memory_listener.dial("two")
    finished, unused = await listener.accept(), await listener.accept()
    assert len(half_open) == 2
    await streams.shake_hands(client, finished)
    assert len(half_open) == 1
    await unused.aclose()
    assert len(half_open) == 0
    assert half_open._hosts == {}


async def test_the_deadline_runs_from_the_accepting(autojump_clock, streams, memory_listener):
    listener = NoiseListener(memory_listener, s=streams.server, verify=anyone, host_of=memory_listener.host_of)
    memory_listener.dial("slow")
    stream = await listener.accept()
    await trio.sleep(9)
    began = autojump_clock.current_time()
    with pytest.raises(HandshakeTimeout):
        await stream.do_handshake()
    assert autojump_clock.current_time() - began == pytest.approx(1)


async def test_a_host_is_an_address_or_a_network_of_one_customer(tcp):
    client, server = await tcp()
    assert host_of(server) == "127.0.0.1"
    await client.aclose()
    assert host_of(trio.testing.memory_stream_pair()[0]) is None


async def test_a_unix_socket_has_no_host():
    one, two = (trio.SocketStream(socket) for socket in trio.socket.socketpair())
    assert host_of(one) is None
    async with one, two:
        pass
