"""The Go profile, beside what its transcripts show: its payloads, its refusals, and its missing end of stream."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError
from p2pnoise.noisesocket import (
    GO,
    EndOfStream,
    FramingError,
    HandshakePayload,
    MessageReceived,
    NegotiationError,
    Rejected,
    Truncated,
)
from p2pnoise.noisesocket import padded_len as pad_to

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])
REFUSAL = bytes.fromhex("0001ff")


@pytest.fixture
def make_go_pair(make_pair):
    def make(pattern="XX", **options):
        return make_pair(pattern, application_prologue=b"", profile=GO, **options)

    return make


def test_every_handshake_payload_has_two_zero_bytes_in_front(make_go_pair):
    pair = make_go_pair("XX", padding=pad_to(100))
    pair.exchange(iter([b"one", b"two", b"three"]))
    assert pair.packets[0][-5:] == b"\x00\x00one"
    assert [len(packet) for packet in pair.packets] == [10 + 32 + 2 + 3, 4 + 98 + 3, 4 + 66 + 5]
    bodies = [e.body for e in pair.responder_events + pair.initiator_events if isinstance(e, HandshakePayload)]
    assert bodies == [b"one", b"three", b"two"]


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x01x", b"\x01\x00x"])
def test_a_payload_in_another_form_is_refused(make_go_pair, play, payload):
    pair = make_go_pair("XX")
    packet = pair.initiator.send_handshake()[:-2]
    packet = packet[:8] + (32 + len(payload)).to_bytes(2, "big") + packet[10:] + payload
    with pytest.raises(FramingError, match="in Go's form"):
        play.feed(pair.responder, packet)


def test_the_longest_body_passes_and_a_longer_one_is_our_fault(make_go_pair, play):
    pair = make_go_pair("XX")
    limit = 65535 - 32 - 2
    with pytest.raises(LocalProtocolError, match=f"payload of {limit + 3} bytes, at most {limit + 2}"):
        pair.initiator.send_handshake(bytes(limit + 1))
    assert play.feed(pair.responder, pair.initiator.send_handshake(bytes(limit)))[0].body == bytes(limit)


@pytest.mark.parametrize("step", [None, 1])
@every_pattern
def test_a_refusal_in_place_of_the_answer_is_understood(make_go_pair, play, pattern, step):
    pair = make_go_pair(pattern)
    pair.initiator.send_handshake()
    assert play.feed(pair.initiator, REFUSAL, step=step) == [Rejected(())]
    assert not pair.initiator.my_turn


@pytest.mark.parametrize("step", [None, 1])
def test_a_refusal_of_message_3_is_understood_where_the_first_packet_should_be(make_go_pair, play, step):
    pair = make_go_pair("XX")
    pair.exchange()
    assert play.feed(pair.initiator, REFUSAL, step=step) == [Rejected(())]


def test_a_refusal_is_none_behind_a_packet(make_go_pair, play):
    pair = make_go_pair("XX")
    pair.exchange()
    play.feed(pair.initiator, pair.responder.send_message(b"x"))
    with pytest.raises(FramingError, match="transport message of 1 bytes"):
        play.feed(pair.initiator, REFUSAL)


def test_another_single_byte_is_no_refusal(make_go_pair, play):
    pair = make_go_pair("XX")
    pair.exchange()
    with pytest.raises(FramingError, match="transport message of 1 bytes"):
        play.feed(pair.initiator, bytes.fromhex("0001fe"))


def test_we_refuse_as_the_reference_does(make_go_pair, play):
    """At every step, where our own profile is silent after its first answer."""
    unknown, unreadable, third = (
        make_go_pair(),
        make_go_pair("IK", initiator={"rs": play.initiator_s.public}),
        make_go_pair(),
    )
    with pytest.raises(NegotiationError):
        play.feed(unknown.responder, bytes.fromhex("0006" + "0002" + "01010109"))
    with pytest.raises(DecryptError):
        play.feed(unreadable.responder, unreadable.initiator.send_handshake())
    third.exchange(messages=2)
    packet = bytearray(third.initiator.send_handshake())
    packet[-1] ^= 1
    with pytest.raises(DecryptError):
        play.feed(third.responder, bytes(packet))
    for pair in (unknown, unreadable, third):
        assert pair.responder.reject() == REFUSAL


def test_an_empty_message_is_a_message_and_the_carrier_s_end_between_two_is_the_end(make_go_pair, play):
    pair = make_go_pair()
    pair.exchange()
    wire = pair.responder.send_message(b"")
    assert play.feed_and_end(pair.initiator, wire) == [MessageReceived(b""), EndOfStream()]
    assert pair.initiator.send_end() == b""


def test_the_carrier_s_end_inside_a_packet_is_a_truncation(make_go_pair, play):
    pair = make_go_pair()
    pair.exchange()
    wire = pair.responder.send_message(b"x")
    assert play.feed_and_end(pair.initiator, wire[:-1]) == [Truncated()]


def test_a_bare_length_of_0_is_a_clean_protocol_error(make_go_pair, play):
    """The reference writes one for an empty Write, and its own peer fails on it."""
    pair = make_go_pair()
    pair.exchange()
    with pytest.raises(FramingError, match="transport message of 0 bytes, at least 18"):
        play.feed(pair.initiator, bytes(2))


@pytest.mark.parametrize("surplus", [1, 2, 3])
def test_a_body_len_beyond_the_plaintext_is_refused(make_go_pair, play, surplus):
    """The reference accepts 1 and 2 too many, and hands on what lies behind the plaintext."""
    pair = make_go_pair()
    pair.exchange()
    plaintext = (5 + surplus).to_bytes(2, "big") + b"hello"
    noise_message = pair.responder._exchange.outcome.send.encrypt_with_ad(b"", plaintext)
    with pytest.raises(FramingError, match=f"body_len {5 + surplus}, at most the 5 bytes"):
        play.feed(pair.initiator, len(noise_message).to_bytes(2, "big") + noise_message)
