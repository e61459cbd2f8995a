"""Whatever a stranger sends: a documented error, never a wrong byte, never another exception."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noisesocket import EndOfStream, HandshakeCompleted, HandshakePayload, MessageReceived, Truncated

# The fixtures build new objects at each call, so one of them serves all examples.
reusing_fixtures = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

STATES = [
    (pattern, role, messages)
    for pattern, count in (("XX", 3), ("IK", 2))
    for role in ("initiator", "responder")
    for messages in range(count + 1)
]
every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: "-".join(map(str, state)))
every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])
BODIES = [b"first", b"second", b"third"]


def flips(packet):
    """The packet with each of its bits flipped."""
    for bit in range(len(packet) * 8):
        flipped = bytearray(packet)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


@pytest.mark.parametrize(("pattern", "number"), [("XX", 0), ("XX", 1), ("XX", 2), ("IK", 0), ("IK", 1)])
def test_every_flipped_bit_of_a_handshake_is_refused_before_a_transport_byte(make_pair, play, pattern, number):
    recorded = make_pair(pattern)
    recorded.exchange(iter(BODIES))
    for flipped in flips(recorded.packets[number]):
        pair = make_pair(pattern)
        pair.exchange(iter(BODIES), messages=number)
        writer, reader = (pair.initiator, pair.responder) if number % 2 == 0 else (pair.responder, pair.initiator)
        writer.send_handshake(BODIES[number])
        try:
            events = play.feed_and_end(reader, flipped)
        except RemoteProtocolError:
            continue
        # A length that says more waits until the carrier's end; XX's first message is clear.
        assert not any(isinstance(event, HandshakeCompleted) for event in events)
        if Truncated() in events and not any(isinstance(event, HandshakePayload) for event in events):
            continue
        assert (pattern, number) == ("XX", 0)
        twin = make_pair(pattern)
        twin.initiator.send_handshake(BODIES[0])
        play.feed(twin.responder, flipped)
        with pytest.raises(RemoteProtocolError):
            play.feed(twin.initiator, twin.responder.send_handshake())


@every_pattern
def test_every_flipped_bit_of_a_transport_packet_is_refused(make_open_pair, play, pattern):
    packet = make_open_pair(pattern).initiator.send_message(b"body")
    for flipped in flips(packet):
        responder = make_open_pair(pattern).responder
        try:
            assert play.feed_and_end(responder, flipped) == [Truncated()]
        except RemoteProtocolError:
            continue


@every_pattern
def test_a_stream_cut_at_any_offset_gives_a_true_prefix_and_a_truncation(make_pair, play, pattern):
    pair = make_pair(pattern)
    pair.exchange(messages=2)
    wire = pair.initiator.send_handshake() if pattern == "XX" else b""
    wire += b"".join(pair.initiator.send_message(body) for body in BODIES) + pair.initiator.send_end()
    for length in range(len(wire) + 1):
        twin = make_pair(pattern)
        twin.exchange(messages=2)
        *events, last = play.feed_and_end(twin.responder, wire[:length])
        bodies = [event.body for event in events if isinstance(event, MessageReceived)]
        assert bodies == BODIES[: len(bodies)]
        assert last == (EndOfStream() if length == len(wire) else Truncated())
        assert (bodies == BODIES) == (length >= len(wire) - 20)


@every_pattern
def test_a_handshake_cut_at_any_offset_gives_a_truncation(make_pair, play, pattern):
    recorded = make_pair(pattern)
    recorded.exchange(iter(BODIES))
    for number, packet in enumerate(recorded.packets):
        for length in range(len(packet)):
            pair = make_pair(pattern)
            pair.exchange(iter(BODIES), messages=number)
            writer, reader = (pair.initiator, pair.responder)[:: 1 if number % 2 == 0 else -1]
            writer.send_handshake(BODIES[number])
            assert play.feed_and_end(reader, packet[:length]) == [Truncated()]


@every_state
@reusing_fixtures
@given(data=st.binary(max_size=300), step=st.integers(1, 300))
def test_arbitrary_bytes_in_any_state_raise_only_documented_errors(make_pair, play, state, data, step):
    pattern, role, messages = state
    pair = make_pair(pattern)
    pair.exchange(messages=messages)
    connection = getattr(pair, role)
    try:
        play.feed(connection, data, step=step)
        connection.receive_data(b"")
        events = play.drain(connection)
    except RemoteProtocolError as error:
        with pytest.raises(type(error)):
            connection.next_event()
    else:
        assert not any(isinstance(event, MessageReceived) for event in events)


@every_state
@reusing_fixtures
@given(data=st.data())
def test_well_framed_nonsense_in_any_state_raises_only_documented_errors(make_pair, play, state, data):
    """Lengths that fit, so that it gets past the framing."""
    pattern, role, messages = state
    pair = make_pair(pattern)
    pair.exchange(messages=messages)
    connection = getattr(pair, role)
    negotiation = st.sampled_from(
        [b"", *map(bytes.fromhex, ("000101010109", "00010101010e", "0001ff", "0001ff01010109"))]
    )
    fields = data.draw(st.lists(st.one_of(negotiation, st.binary(max_size=120)), max_size=4))
    wire = b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    try:
        events = play.feed_and_end(connection, wire)
    except RemoteProtocolError:
        return
    assert not any(isinstance(event, MessageReceived) for event in events)


@every_pattern
@reusing_fixtures
@given(bodies=st.lists(st.binary(min_size=1, max_size=200), max_size=8), step=st.integers(1, 500))
def test_what_was_sent_arrives_however_it_is_cut(make_open_pair, play, pattern, bodies, step):
    pair = make_open_pair(pattern, padding=lambda body_len: body_len + 3)
    wire = b"".join(pair.responder.send_message(body) for body in bodies) + pair.responder.send_end()
    assert play.feed(pair.initiator, wire, step=step) == [*map(MessageReceived, bodies), EndOfStream()]
