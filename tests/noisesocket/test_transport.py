"""The Transport of a finished handshake by itself: data of any length, the ends of both profiles, and faults."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, Protocol
from p2pnoise.noisesocket import (
    MAX_BODY,
    NEED_DATA,
    P2PNOISE,
    PLAIN,
    EndOfStream,
    FramingError,
    MessageReceived,
    Truncated,
)
from p2pnoise.noisesocket.framing import encode_field

reusing_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def make_transports(make_open_pair):
    def make(**options):
        pair = make_open_pair("IK", **options)
        return pair.initiator.transport, pair.responder.transport

    return make


def received(transport, wire, step=None):
    """What `next_data` gives for all of it, up to NEED_DATA."""
    seen = []
    for start in range(0, len(wire), step or len(wire) or 1):
        transport.receive_data(bytes(wire[start : start + (step or len(wire))]))
        seen += iter(transport.next_data, NEED_DATA)
    return seen


@pytest.mark.parametrize("length", [1, 64, MAX_BODY, MAX_BODY + 1, 8 * MAX_BODY, 8 * MAX_BODY + 1])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_of_any_length_and_kind_arrive_whole(make_transports, length, kind):
    sender, receiver = make_transports()
    data = bytes(number % 251 for number in range(length))
    wire = sender.send_data(kind(data))
    assert len(wire) == length + -(-length // MAX_BODY) * (2 + 2 + 16)
    assert received(receiver, wire) == [data]


def test_no_data_are_no_bytes(make_transports):
    sender, _receiver = make_transports()
    assert sender.send_data(b"") == b""


def test_a_memoryview_of_wider_items_is_sent_byte_for_byte(make_transports):
    sender, receiver = make_transports()
    assert received(receiver, sender.send_data(memoryview(b"12345678").cast("I"))) == [b"12345678"]


def test_the_messages_of_data_are_those_of_send_message(make_transports):
    one, two = make_transports()[0], make_transports()[0]
    data = b"x" * MAX_BODY + b"y" * 10
    assert one.send_data(data) == two.send_message(data[:MAX_BODY]) + two.send_message(data[MAX_BODY:])


def test_every_message_of_data_is_padded(make_transports):
    sender, receiver = make_transports(padding=lambda length: -(-length // 1000) * 1000)
    wire = sender.send_data(b"x" * (MAX_BODY + 1))
    assert len(wire) == 2 + 65535 + 2 + 2 + 1000 + 16
    assert received(receiver, wire) == [b"x" * (MAX_BODY + 1)]


@reusing_fixtures
@given(bodies=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=20), data=st.data())
def test_bodies_are_joined_without_loss_however_they_arrive(make_transports, bodies, data):
    sender, receiver = make_transports(padding=lambda length: -(-length // 16) * 16)
    wire = b"".join(map(sender.send_message, bodies))
    seen = []
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        receiver.receive_data(wire[:cut])
        wire = wire[cut:]
        seen += iter(receiver.next_data, NEED_DATA)
    assert b"".join(seen) == b"".join(bodies)


def test_data_before_a_fault_are_handed_over_and_the_fault_stays(make_transports):
    sender, receiver = make_transports()
    good, bad, after = (bytearray(sender.send_data(body)) for body in (b"good", b"bad", b"after"))
    bad[-1] ^= 1
    receiver.receive_data(bytes(good + bad + after))
    assert receiver.next_data() == b"good"
    for _ in range(2):
        with pytest.raises(DecryptError):
            receiver.next_data()


def test_what_a_fault_wrote_over_the_body_before_it_is_put_back(make_transports):
    """Each message is decrypted over the last two bytes of the body before."""
    sender, receiver = make_transports()
    good, bad = bytearray(sender.send_data(b"good")), bytearray(sender.send_data(b"bad"))
    bad[-1] ^= 1
    receiver.receive_data(bytes(good + bad))
    assert receiver.next_data() == b"good"


def test_data_and_the_end_behind_them_are_told_one_after_the_other(make_transports):
    sender, receiver = make_transports()
    assert received(receiver, sender.send_data(b"last") + sender.send_end()) == [b"last", EndOfStream()]


def test_bytes_after_the_end_are_refused(make_transports):
    sender, receiver = make_transports()
    receiver.receive_data(sender.send_end() + b"x")
    assert receiver.next_data() == EndOfStream()
    with pytest.raises(FramingError, match="1 bytes after the end"):
        receiver.next_data()


def test_nothing_is_sent_after_the_end(make_transports):
    sender, _receiver = make_transports()
    sender.send_end()
    for data in (b"x", b"", b"x" * (MAX_BODY + 1)):
        with pytest.raises(LocalProtocolError, match="ended our direction"):
            sender.send_data(data)


def test_in_the_plain_profile_an_empty_body_is_a_message_and_no_end(make_transports):
    sender, receiver = make_transports(profile=PLAIN)
    wire = sender.send_message(b"") + sender.send_message(b"x")
    receiver.receive_data(wire)
    assert [receiver.next_event(), receiver.next_event()] == [MessageReceived(b""), MessageReceived(b"x")]


def test_in_the_plain_profile_empty_bodies_alone_are_no_data(make_transports):
    sender, receiver = make_transports(profile=PLAIN)
    assert received(receiver, sender.send_message(b"")) == []


def test_in_the_plain_profile_the_carrier_s_end_between_messages_is_the_end(make_transports):
    sender, receiver = make_transports(profile=PLAIN)
    assert sender.send_end() == b""
    receiver.receive_data(b"")
    assert receiver.next_data() == EndOfStream()
    assert receiver.next_data() is NEED_DATA


def test_in_the_plain_profile_the_carrier_s_end_inside_a_message_is_a_truncation(make_transports):
    sender, receiver = make_transports(profile=PLAIN)
    receiver.receive_data(bytes(sender.send_data(b"cut"))[:-1])
    receiver.receive_data(b"")
    assert receiver.next_data() == Truncated()


def test_a_message_too_short_is_refused_before_it_is_there(make_transports):
    _sender, receiver = make_transports()
    receiver.receive_data(encode_field(bytes(17))[:2])
    with pytest.raises(FramingError, match="transport message of 17 bytes, at least 18"):
        receiver.next_data()


@pytest.mark.parametrize("profile", [P2PNOISE, PLAIN], ids=["p2pnoise", "plain"])
def test_after_a_one_way_handshake_the_responder_s_direction_has_ended(make_pair, play, profile):
    protocol = Protocol.parse("Noise_N_25519_ChaChaPoly_BLAKE2s")
    initiator = {"protocol": protocol, "rs": play.responder_s.public}
    pair = make_pair(profile=profile, initiator=initiator, responder={"accepts": (protocol,)})
    pair.exchange()
    initiator, responder = pair.initiator.transport, pair.responder.transport
    assert pair.initiator_events[-1] == EndOfStream()
    assert received(responder, initiator.send_data(b"there")) == [b"there"]
    assert responder.send_end() == b""
    initiator.receive_data(encode_field(bytes(32)))
    with pytest.raises(FramingError, match="34 bytes after the end"):
        initiator.next_data()
