"""Frames on a link: what ends it, what is skipped, what is packed."""

import pytest

from p2pnoise.node.frames import (
    MAX_BODY,
    Code,
    FrameError,
    Hello,
    Kind,
    decode_handshake,
    encode_frame,
    split_frames,
)
from p2pnoise.node.link import Stage

BOOT = b"b" * 16


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@pytest.fixture
def carl(net, ada):
    return net.puppet(ada, "carl").come_up()


@pytest.fixture
def greeting(net, ada):
    """A puppet whose handshake is done and that has said nothing yet."""
    return net.puppet(ada, "carl").handshake()


BAD = {
    "a second HELLO": encode_frame(Kind.HELLO, Hello(BOOT, b"").encode()),
    "a truncated frame": b"\x04\x00\x09short",
    "half a header": b"\x04\x00",
    "PING of 33 bytes": encode_frame(Kind.PING, bytes(33)),
    "CLOSE of no bytes": encode_frame(Kind.CLOSE, b""),
    "CLOSE of two bytes": encode_frame(Kind.CLOSE, b"\x00\x00"),
    "two CLOSEs": encode_frame(Kind.CLOSE, b"\x01") * 2,
    "gossip that is none": encode_frame(Kind.GOSSIP, b"\xc1"),
    "empty gossip": encode_frame(Kind.GOSSIP, b""),
    "gossip of an item that is none": encode_frame(Kind.GOSSIP, b"\x93\x01\x08\x91\x90"),
    "more gossip than a message holds": encode_frame(Kind.GOSSIP, bytes(64_001)),
}


@pytest.mark.parametrize("what", BAD)
def test_it_ends_the_link_at_once(ada, carl, what):
    carl.message(BAD[what])
    assert carl.ended
    assert not ada.links
    assert len(ada.told("peer-lost")) == 1


@pytest.mark.parametrize("kind", [Kind.PING, Kind.PONG, Kind.GOSSIP, 77])
def test_nothing_but_close_comes_before_hello(ada, greeting, kind):
    greeting.frame(kind)
    assert greeting.ended
    assert not ada.told("peer-verified")


def test_close_may_come_in_place_of_hello(ada, greeting):
    greeting.frame(Kind.CLOSE, bytes([Code.BUSY])).say(greeting.conn.send_end())
    assert [event.reason for event in ada.told("refused-by-peer")] == ["busy"]
    assert not ada.links


HELLOS = {
    "oversized": encode_frame(Kind.HELLO, bytes(1_025)),
    "not msgpack": encode_frame(Kind.HELLO, b"\xc1"),
    "short boot id": encode_frame(Kind.HELLO, Hello(b"short", b"").encode()),
    "odd replaces": encode_frame(Kind.HELLO, Hello(BOOT, b"odd").encode()),
    "33 features": encode_frame(Kind.HELLO, Hello(BOOT, b"", ("f",) * 33).encode()),
}


@pytest.mark.parametrize("what", HELLOS)
def test_a_bad_hello_ends_the_link(ada, greeting, what):
    greeting.message(HELLOS[what])
    assert greeting.ended
    assert not ada.told("peer-verified")


def test_a_hello_of_a_newer_node_is_understood():
    from cards.codec import encode  # noqa: PLC0415

    assert Hello.decode(encode([1, BOOT, b"", ["muxed"], "more", 7])) == Hello(BOOT, b"", ("muxed",))


def test_frames_of_unknown_types_are_skipped_and_counted(carl):
    carl.message(encode_frame(99, b"news"), encode_frame(200, b""), encode_frame(Kind.PING, b"still there?"))
    assert carl.link.skipped_frames == 2
    assert (Kind.PONG, b"still there?") in carl.inbox


def test_a_flood_of_pings_is_answered_in_as_few_messages_as_can_be(carl):
    """21,000 pings fit one message; were each answered in a message of its own, one would cost us eight."""
    heard = len(carl.heard)
    pings = 21_000
    carl.message(*[encode_frame(Kind.PING, b"")] * pings)
    assert len(carl.heard) - heard < pings * 3 + 200
    assert carl.inbox.count((Kind.PONG, b"")) == pings


def test_what_one_input_leads_to_travels_in_one_message(net):
    low, high = net.pair()
    sent = []
    net.tamper = lambda _source, _target, data: sent.append(data) or data
    low.links[low.link_number(high)].ping(net.now)
    low.links[low.link_number(high)].send_gossip(b"\x93\x02\x63\x01")
    low.core.links.agenda.touch_all()
    net.wait(0)
    from p2pnoise.node import effects as io  # noqa: PLC0415

    net.give(low, io.Tick())
    assert len(sent) == 2  # ours, and the answer
    assert int.from_bytes(sent[0][:2], "big") == len(sent[0]) - 2


def test_more_than_a_message_holds_is_split_between_frames(net):
    low, high = net.pair()
    link = low.links[low.link_number(high)]
    for _ in range(3):
        link.send_gossip(bytes(MAX_BODY // 2))
    data, _ = link.take_output()
    assert len(data) > MAX_BODY


def test_a_close_without_an_end_leaves_the_link_to_its_pings(net, ada, carl):
    carl.frame(Kind.CLOSE, bytes([Code.NOT_TRUSTED]))
    assert carl.link.stage is Stage.UP
    net.wait(26)
    assert not ada.links


def test_an_unknown_code_means_not_trusted(ada, carl):
    carl.frame(Kind.CLOSE, b"\xee")
    assert [event.reason for event in ada.told("refused-by-peer")] == ["not-trusted"]


def test_frames_are_split_as_they_were_joined():
    frames = [(1, b""), (4, b"x" * 65_000), (99, b"tail")]
    assert split_frames(b"".join(encode_frame(kind, payload) for kind, payload in frames)) == frames


@pytest.mark.parametrize(
    "body", [b"", b"\x90", b"\x91\x01", b"\x92\x02\xc4\x00", b"\x92\x01\xc3", b"\xc4\x00", b"\x92\xc3\x00"]
)
def test_a_handshake_payload_is_a_card_or_a_refusal(body):
    with pytest.raises(FrameError):
        decode_handshake(body)


UNKNOWN = {
    "version 2": bytes.fromhex("0006") + bytes.fromhex("000201010109") + b"\x00\x00",
    "another cipher": bytes.fromhex("0006") + bytes.fromhex("000101020109") + b"\x00\x00",
    "five bytes": bytes.fromhex("0005") + bytes.fromhex("0001010101"),
    "none": bytes.fromhex("0000") + b"\x00\x00",
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_unknown_negotiation_hears_the_same_constant_bytes(net, ada, what):
    puppet = net.puppet(ada, "carl").say(UNKNOWN[what])
    assert puppet.heard.hex() == "000b" + "0001ff" + "01010109" + "0101010e" + "0000"
    assert puppet.ended
    assert len(ada.told("connection-failed")) == 1


def test_a_reject_is_no_ban(net):
    """Anybody on the path can write one: the dial failed, and that is all."""
    low, high = net.two()
    reject = bytes.fromhex("000b0001ff010101090101010e0000")
    net.tamper = lambda source, _target, data: reject if source is low and data else data
    net.link(high, low)
    assert high.told("dial-failed")
    net.tamper = None
    net.link(high, low)
    assert high.up(low)
