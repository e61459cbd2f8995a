"""Early data over NoiseStream: only where asked for, at most once, and the client learns what became of them."""

import time

import pytest
import trio
import trio.testing

from p2pnoise import EarlyData, LocalProtocolError, NoiseStream, PeerProtocolError, anyone
from p2pnoise.noisesocket import HandshakePayload
from p2pnoise.noisesocket.stream import handshake

WINDOW = 10.0


class Clock:
    """The wall clock of both sides, in seconds."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(handshake, "time", clock)
    return clock


@pytest.fixture
def early(clock):
    """EarlyData whose first window is over."""
    early = EarlyData(window=WINDOW)
    clock.now += 2 * WINDOW
    return early


async def first_flight(streams, early_data):
    """A recording of a first message with these early data."""
    near, far = trio.testing.memory_stream_pair()
    client, _ = streams.pair((near, trio.testing.memory_stream_pair()[0]), client={"early_data": early_data})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        flight = bytes(await far.receive_some())
        nursery.cancel_scope.cancel()
    return flight


async def answered(streams, flight, take):
    """The responder's stream after this first message."""
    near, far = trio.testing.memory_stream_pair()
    server = NoiseStream(far, streams.server_connection(), verify=anyone, take_early_data=take)
    await near.send_all(flight)
    await server.do_handshake()
    return server


async def test_early_data_are_handed_over_where_they_are_asked_for(streams, carriers, early):
    client, server = await streams.open_pair(
        await carriers(), client={"early_data": b"early"}, server={"take_early_data": early}
    )
    assert (server.early_data, client.early_data_taken) == (b"early", True)
    assert server.peer_payload == b"client"
    assert client.peer_payload == b"server"


async def test_early_data_are_not_handed_over_where_nobody_asked(streams, carriers):
    client, server = await streams.open_pair(await carriers(), client={"early_data": b"early"})
    assert (server.early_data, client.early_data_taken) == (b"", False)
    await client.send_all(b"again")
    assert await server.receive_some() == b"again"


async def test_a_recorded_first_message_brings_its_early_data_once(streams, early):
    flight = await first_flight(streams, b"pay 5")
    taken = [(await answered(streams, flight, early)).early_data for _ in range(3)]
    assert taken == [b"pay 5", b"", b""]


async def test_two_listeners_that_share_it_take_early_data_once(streams, early):
    flight = await first_flight(streams, b"pay 5")
    one, two = await answered(streams, flight, early), await answered(streams, flight, early)
    assert (one.early_data, two.early_data) == (b"pay 5", b"")


@pytest.mark.parametrize("seconds", [-WINDOW - 1, WINDOW + 1])
async def test_early_data_out_of_their_window_are_not_taken(streams, early, clock, seconds):
    clock.now += 3 * WINDOW
    flight = await first_flight(streams, b"stale")
    clock.now += seconds
    assert (await answered(streams, flight, early)).early_data == b""


async def test_for_one_window_after_the_start_no_early_data_are_taken(streams, clock):
    early = EarlyData(window=WINDOW)
    assert (await answered(streams, await first_flight(streams, b"soon"), early)).early_data == b""
    clock.now += WINDOW + 1
    assert (await answered(streams, await first_flight(streams, b"later"), early)).early_data == b"later"


async def test_what_is_full_takes_no_early_data(streams, clock):
    early = EarlyData(window=WINDOW, capacity=1)
    clock.now += 2 * WINDOW
    taken = [(await answered(streams, await first_flight(streams, b"x"), early)).early_data for _ in range(2)]
    assert taken == [b"x", b""]


async def test_early_data_of_whom_verify_refuses_fill_nothing(streams, clock):
    early = EarlyData(window=WINDOW, capacity=1)
    clock.now += 2 * WINDOW
    near, far = trio.testing.memory_stream_pair()
    refusing = NoiseStream(far, streams.server_connection(), verify=lambda *_: False, take_early_data=early)
    await near.send_all(await first_flight(streams, b"x"))
    with pytest.raises(Exception, match="refused"):
        await refusing.do_handshake()
    assert (await answered(streams, await first_flight(streams, b"y"), early)).early_data == b"y"


async def test_a_responder_that_claims_to_have_taken_what_was_not_sent_is_at_fault(streams):
    near, far = trio.testing.memory_stream_pair()
    client, _ = streams.pair((near, trio.testing.memory_stream_pair()[0]))
    responder = streams.server_connection()

    async def lie():
        responder.receive_data(bytes(await far.receive_some()))
        assert isinstance(responder.next_event(), HandshakePayload)
        await far.send_all(responder.send_handshake(b"\1"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lie)
        with pytest.raises(PeerProtocolError, match="early data taken where there were none"):
            await client.do_handshake()


def test_early_data_of_an_initiator_that_does_not_know_its_peer_are_our_fault(streams):
    with pytest.raises(LocalProtocolError, match="early data go with a first message that is encrypted"):
        streams.pair(trio.testing.memory_stream_pair(), "XX", client={"early_data": b"x"})


def test_the_wall_clock_is_what_both_sides_share():
    assert handshake.time is time
