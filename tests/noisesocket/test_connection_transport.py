"""The transport of a NoiseSocketConnection: messages, the end of stream, and what is refused."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, NonceExhausted
from p2pnoise.noisesocket import (
    MAX_BODY,
    NEED_DATA,
    EndOfStream,
    FramingError,
    HandshakeCompleted,
    MessageReceived,
    Truncated,
)
from p2pnoise.noisesocket.framing import MAX_PACKET, encode_field

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])


def raw_packet(connection, plaintext):
    """A packet of a peer that encrypts whatever it likes."""
    return encode_field(connection._exchange.outcome.send.encrypt_with_ad(b"", plaintext))


@pytest.mark.parametrize("step", [None, 1, 7])
@every_pattern
def test_messages_arrive_in_order_in_both_directions(make_open_pair, play, pattern, step):
    pair = make_open_pair(pattern)
    bodies = [b"one", b"\0", b"three" * 100]
    for sender, receiver in ((pair.initiator, pair.responder), (pair.responder, pair.initiator)):
        wire = b"".join(sender.send_message(body) for body in bodies)
        assert play.feed(receiver, wire, step=step) == [MessageReceived(body) for body in bodies]


def test_the_longest_body_passes_and_a_longer_one_is_our_fault(make_open_pair, play):
    pair = make_open_pair()
    with pytest.raises(LocalProtocolError, match=f"body of {MAX_BODY + 1} bytes, at most {MAX_BODY}"):
        pair.initiator.send_message(bytes(MAX_BODY + 1))
    packet = pair.initiator.send_message(b"x" * MAX_BODY)
    assert len(packet) == 2 + 65535
    assert play.feed(pair.responder, packet) == [MessageReceived(b"x" * MAX_BODY)]


def test_an_empty_body_is_our_fault(make_open_pair):
    with pytest.raises(LocalProtocolError, match="body of 0 bytes, at least 1"):
        make_open_pair().initiator.send_message(b"")


def test_padding_hides_the_length_and_the_end(make_open_pair, play):
    pair = make_open_pair(padding=lambda _: 100)
    packets = [pair.initiator.send_message(b"x"), pair.initiator.send_message(b"y" * 100), pair.initiator.send_end()]
    assert [len(packet) for packet in packets] == [2 + 2 + 100 + 16] * 3
    assert play.feed(pair.responder, b"".join(packets)) == [
        MessageReceived(b"x"),
        MessageReceived(b"y" * 100),
        EndOfStream(),
    ]


def test_padding_beyond_the_longest_message_is_left_out(make_open_pair, play):
    pair = make_open_pair(padding=lambda _: 10**9)
    assert play.feed(pair.responder, pair.initiator.send_message(b"x")) == [MessageReceived(b"x")]


def test_an_end_of_stream_closes_one_direction_only(make_open_pair, play):
    pair = make_open_pair()
    end = pair.initiator.send_end()
    for send in (lambda: pair.initiator.send_message(b"x"), pair.initiator.send_end):
        with pytest.raises(LocalProtocolError, match="ended our direction"):
            send()
    assert play.feed_and_end(pair.responder, end) == [EndOfStream()]
    assert play.feed(pair.initiator, pair.responder.send_message(b"still here")) == [MessageReceived(b"still here")]


def test_nothing_follows_an_end_of_stream(make_open_pair, play):
    pair = make_open_pair()
    wire = pair.initiator.send_end() + raw_packet(pair.initiator, b"\x00\x01x")
    with pytest.raises(FramingError, match="21 bytes after the end, nothing follows"):
        play.feed(pair.responder, wire)


def test_the_carrier_s_end_without_an_end_of_stream_is_a_truncation(make_open_pair, play):
    pair = make_open_pair()
    packet = pair.initiator.send_message(b"body")
    assert play.feed_and_end(pair.responder, packet) == [MessageReceived(b"body"), Truncated()]
    assert pair.responder.next_event() is NEED_DATA


@pytest.mark.parametrize("length", range(18))
def test_a_transport_message_too_short_for_body_len_and_tag_is_refused_at_its_length(make_open_pair, play, length):
    pair = make_open_pair()
    with pytest.raises(FramingError, match=f"transport message of {length} bytes, at least 18"):
        play.feed(pair.responder, length.to_bytes(2, "big"))


def test_body_len_one_beyond_the_payload_is_refused(make_open_pair, play):
    """The Go reference returns a byte from behind the plaintext."""
    pair = make_open_pair()
    with pytest.raises(FramingError, match="body_len 5, at most the 4"):
        play.feed(pair.responder, raw_packet(pair.initiator, b"\x00\x05body"))


def test_padding_of_any_value_is_ignored(make_open_pair, play):
    pair = make_open_pair()
    wire = raw_packet(pair.initiator, b"\x00\x01x" + bytes(range(256)))
    assert play.feed(pair.responder, wire) == [MessageReceived(b"x")]


@pytest.mark.parametrize("change", ["replayed", "swapped", "reflected"])
def test_packets_that_are_not_the_next_one_are_refused(make_open_pair, play, change):
    pair = make_open_pair()
    one, two = pair.initiator.send_message(b"one"), pair.initiator.send_message(b"two")
    wire = {"replayed": one + one, "swapped": two + one, "reflected": pair.responder.send_message(b"one")}[change]
    with pytest.raises(DecryptError):
        play.feed(pair.responder, wire)


def test_after_a_peer_s_fault_every_call_raises_the_same_error(make_open_pair, play):
    pair = make_open_pair()
    with pytest.raises(FramingError) as first:
        play.feed(pair.responder, bytes(2))
    calls = (
        pair.responder.next_event,
        pair.responder.send_handshake,
        pair.responder.send_end,
        lambda: pair.responder.send_message(b"x"),
        lambda: pair.responder.send_message(b""),
        lambda: pair.responder.receive_data(b"x"),
    )
    for call in calls:
        with pytest.raises(FramingError) as again:
            call()
        assert again.value is first.value


def test_an_exhausted_nonce_is_never_used(make_open_pair):
    pair = make_open_pair()
    pair.initiator._exchange.outcome.send.n = 2**64 - 1
    with pytest.raises(NonceExhausted):
        pair.initiator.send_message(b"x")


def test_feeding_stops_where_events_are_not_read(make_open_pair, play):
    pair = make_open_pair()
    pair.responder.receive_data(bytes(MAX_PACKET))
    with pytest.raises(LocalProtocolError, match="unread, at most 131074"):
        pair.responder.receive_data(b"x")
    with pytest.raises(FramingError):
        play.drain(pair.responder)


def test_many_small_messages_in_one_block_are_read(make_open_pair, play):
    pair = make_open_pair()
    wire = b"".join(pair.initiator.send_message(b"x") for _ in range(5000))
    assert play.feed(pair.responder, wire) == [MessageReceived(b"x")] * 5000


def test_the_writer_of_the_last_handshake_message_may_send_before_it_reads_its_event(make_pair, play):
    pair = make_pair("XX")
    pair.exchange(messages=2)
    play.feed(pair.responder, pair.initiator.send_handshake() + pair.initiator.send_message(b"x"))
    assert isinstance(pair.initiator.next_event(), HandshakeCompleted)


@every_pattern
def test_each_connection_has_a_handshake_hash_of_its_own(make_open_pair, pattern):
    one = make_open_pair(pattern)
    two = make_open_pair(pattern, application_prologue=b"another")
    assert one.initiator.handshake_hash == one.responder.handshake_hash
    assert one.initiator.handshake_hash != two.initiator.handshake_hash


def test_the_handshake_s_keys_are_forgotten(make_open_pair):
    pair = make_open_pair()
    assert pair.initiator._exchange._state is None
    assert pair.responder._exchange._state is None
    assert pair.responder._exchange._opening is None
