"""A member that says of streams and new keys whatever it likes: at worst its own link ends, and all is bounded."""

import pytest

from p2pnoise.node import effects as io
from p2pnoise.node.frames import MAX_BODY, Code, Kind, encode_frame
from p2pnoise.node.link import Stage
from p2pnoise.node.stream_events import End, StreamFinished, StreamOffered, StreamReset
from p2pnoise.node.streams import WINDOW
from tests.fuzz.world import held_bytes

PLACES = 4


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0, max_streams=PLACES)


@pytest.fixture
def bob(net, ada):
    """An honest peer, whom nothing here may disturb."""
    bob = net.member("bob", target_links=0)
    net.link(bob, ada)
    return bob


@pytest.fixture
def carl(net, ada):
    return net.puppet(ada, "carl").come_up().ready()


def frame(kind, number, rest=b""):
    return encode_frame(kind, number.to_bytes(4, "big") + rest)


def offer(number, protocol=b"echo"):
    return frame(Kind.STREAM_OPEN, number, protocol)


def data(number, size):
    """So many bytes of a stream, in frames."""
    return [frame(Kind.STREAM_DATA, number, bytes(part)) for part in split(size)]


def split(size):
    return [min(32_768, size - start) for start in range(0, size, 32_768)]


def say(carl, frames):
    """Frames, as many to a message as fit."""
    body = b""
    for one in frames:
        if len(body) + len(one) > MAX_BODY:
            carl.say(carl.conn.send_message(body))
            body = b""
        body += one
    if body:
        carl.say(carl.conn.send_message(body))
    return carl


BAD = {
    "a window that is overrun": [offer(1), *data(1, WINDOW + 1)],
    "data without an offer": data(1, 1),
    "an offer of our own number": [offer(2)],
    "an offer that comes twice": [offer(1), offer(1)],
    "an offer of no protocol": [offer(1, b"")],
    "an offer of stream 0": [offer(0)],
    "a grant of nothing": [offer(1), frame(Kind.STREAM_WINDOW, 1, bytes(4))],
    "a grant beyond 32 bits": [offer(1), frame(Kind.STREAM_WINDOW, 1, b"\xff" * 4)],
    "data after its end": [offer(1), frame(Kind.STREAM_FIN, 1), *data(1, 1)],
    "an end after a reset": [offer(1), frame(Kind.STREAM_RESET, 1, b"\x00"), frame(Kind.STREAM_FIN, 1)],
    "a frame without an id": [encode_frame(Kind.STREAM_FIN, b"\x00\x00\x01")],
    "new keys of garbage": [encode_frame(Kind.REKEY, b"x" * 48)],
    "a request for new keys by the dialler": [encode_frame(Kind.REKEY_REQUEST, b"")],
    "the end of new keys that nobody began": [encode_frame(Kind.REKEY, b"")],
}


@pytest.mark.parametrize("what", BAD)
def test_it_ends_its_link_and_no_other(ada, bob, carl, what):
    say(carl, BAD[what])
    assert carl.ended
    assert ada.up(bob)
    assert [event.node_id for event in ada.told("peer-lost")] == [carl.key.public]
    assert len(ada.streams_lost) == (sum(isinstance(one.event, StreamOffered) for one in on_streams(ada)) > 0)


def on_streams(member):
    return [one for one in member.effects if isinstance(one, io.OnStream)]


def test_unknown_frames_between_those_of_streams_are_skipped(ada, carl):
    carl.message(offer(1), encode_frame(99, b"news"), *data(1, 5), encode_frame(16, b""), frame(Kind.STREAM_FIN, 1))
    assert ada.received(1) == bytes(5)
    assert ada.on_stream(StreamFinished)
    assert carl.link.skipped_frames == 2


def test_a_flood_of_streams_fills_its_places_and_is_answered_byte_for_byte(ada, bob, carl):
    heard = len(carl.heard)
    say(carl, [offer(number) for number in range(1, 20_001, 2)])
    assert len(ada.on_stream(StreamOffered)) == PLACES
    assert len(carl.link.streams) == PLACES
    busy = [payload for kind, payload in carl.inbox if kind == Kind.STREAM_RESET]
    assert len(busy) == 10_000 - PLACES
    assert len(carl.heard) - heard < 10_000 * len(offer(1)) + 1_000
    assert ada.up(bob)


def test_a_flood_of_streams_that_are_reset_at_once_starts_no_more_than_its_places(ada, carl):
    say(
        carl, [one for number in range(1, 2_001, 2) for one in (offer(number), frame(Kind.STREAM_RESET, number, b"\0"))]
    )
    assert len(ada.on_stream(StreamOffered)) == len(ada.on_stream(StreamReset)) == PLACES
    assert len(carl.link.streams) == PLACES


def test_what_a_peer_can_leave_unread_is_its_places_times_the_window(ada, carl):
    numbers = range(1, 2 * PLACES, 2)
    say(carl, [offer(number) for number in numbers])
    for number in numbers:
        say(carl, data(number, WINDOW))
    assert [len(ada.received(number)) for number in numbers] == [WINDOW] * PLACES
    assert carl.link.stage is Stage.UP
    say(carl, data(1, 1))
    assert carl.ended


def test_frames_for_streams_that_are_gone_leave_nothing_behind(ada, carl):
    say(carl, [offer(1), frame(Kind.STREAM_RESET, 1, b"\x00")])
    net_end(carl, ada, 1, End.CLOSE)
    before = held_bytes(ada.core)
    for _ in range(20):
        say(carl, [*data(1, 60_000), frame(Kind.STREAM_WINDOW, 1, b"\xff" * 4), frame(Kind.STREAM_STOP, 1, b"\x00")])
    assert carl.link.stage is Stage.UP
    assert held_bytes(ada.core) - before < 1_000


def net_end(carl, ada, number, how):
    carl.net.give(ada, io.StreamEnded(carl.number, number, how))


def test_a_peer_that_reads_nothing_holds_up_only_what_was_written_to_it(net, ada, bob, carl):
    stream = net.want(ada, carl.key.public)
    number = ada.answer(stream).stream
    net.give(ada, io.StreamWritten(carl.number, number, bytes(WINDOW + 100_000)))
    assert sum(len(payload) - 4 for kind, payload in carl.inbox if kind == Kind.STREAM_DATA) == WINDOW
    assert 100_000 <= held_bytes(carl.link) < 2 * WINDOW + 200_000
    opened = net.open_stream(ada, bob)
    net.give(ada, io.StreamWritten(opened.connection, opened.stream, b"hello"))
    assert bob.received(opened.stream) == b"hello"


def test_a_flood_of_small_grants_sends_no_more_than_is_there(net, ada, carl):
    number = ada.answer(net.want(ada, carl.key.public)).stream
    net.give(ada, io.StreamWritten(carl.number, number, bytes(WINDOW + 1_000)))
    say(carl, [frame(Kind.STREAM_WINDOW, number, b"\x00\x00\x00\x01")] * 5_000)
    assert sum(len(payload) - 4 for kind, payload in carl.inbox if kind == Kind.STREAM_DATA) == WINDOW + 1_000
    assert carl.link.stage is Stage.UP


def test_whoever_is_asked_to_stop_a_thousand_times_ends_once(net, ada, carl):
    number = ada.answer(net.want(ada, carl.key.public)).stream
    say(carl, [frame(Kind.STREAM_STOP, number, b"\x03")] * 1_000)
    assert carl.inbox.count((Kind.STREAM_FIN, number.to_bytes(4, "big"))) == 1


# CLOSE and ends that race


def test_bytes_before_a_close_in_one_message_are_delivered_before_the_streams_are_lost(ada, carl):
    close = encode_frame(Kind.CLOSE, bytes([Code.GOODBYE]))
    carl.say(carl.conn.send_message(b"".join((offer(1), *data(1, 5), frame(Kind.STREAM_FIN, 1), close))))
    assert ada.received(1) == bytes(5)
    assert not ada.streams_lost
    carl.say(carl.conn.send_end())
    assert [type(one.event).__name__ for one in on_streams(ada)] == [
        "StreamOffered",
        "StreamReceived",
        "StreamFinished",
    ]
    assert [lost.reason for lost in ada.streams_lost] == ["closed by the peer"]


def test_a_peer_that_goes_on_after_its_close_harms_nobody(ada, bob, carl):
    carl.frame(Kind.CLOSE, bytes([Code.GOODBYE]))
    say(carl, [offer(1), *data(1, 5), frame(Kind.STREAM_FIN, 1)])
    assert ada.received(1) == bytes(5)
    carl.say(carl.conn.send_end())
    assert carl.ended
    assert ada.up(bob)


def test_the_end_of_the_carrier_in_the_middle_of_a_stream_is_no_end_of_the_stream(ada, carl):
    say(carl, [offer(1), *data(1, 5)])
    carl.say(b"")
    assert not ada.on_stream(StreamFinished)
    assert [lost.reason for lost in ada.streams_lost] == ["the connection was cut"]


def test_an_authenticated_end_without_close_is_no_end_of_a_stream_either(ada, carl):
    say(carl, [offer(1), *data(1, 5)])
    carl.say(carl.conn.send_end())
    assert not ada.on_stream(StreamFinished)
    assert [lost.reason for lost in ada.streams_lost] == ["closed by the peer"]


@pytest.mark.parametrize(
    "frames",
    [[offer(3)], data(1, 5), [frame(Kind.STREAM_FIN, 1)], [frame(Kind.STREAM_RESET, 1, b"\x00")], data(77, 5)],
    ids=["an offer", "data", "an end", "a reset", "data of nothing"],
)
def test_what_comes_on_streams_after_we_said_goodbye_is_not_told(net, ada, carl, frames):
    say(carl, [offer(1)])
    net.give(ada, io.Stop())
    before = len(on_streams(ada))
    say(carl, frames)
    assert carl.link.stage is Stage.CLOSING
    carl.say(carl.conn.send_end())
    assert len(on_streams(ada)) == before
    assert not ada.links


def test_an_open_stream_does_not_outlive_a_stop(net, ada, carl):
    say(carl, [offer(1)])
    net.give(ada, io.Stop())
    assert [lost.reason for lost in ada.streams_lost] == ["closed by us"]
    net.wait(6)
    assert not ada.links
