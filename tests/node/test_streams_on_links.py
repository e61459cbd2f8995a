"""Streams on the links of a node: what leaves when, what a goodbye leaves behind, and what is lost with a link."""

import pytest

from p2pnoise.node import effects as io
from p2pnoise.node.frames import MAX_BODY, Code, Kind, encode_frame
from p2pnoise.node.link import MAX_UNDERWAY
from p2pnoise.node.stream_events import End, StreamFinished, StreamSent
from p2pnoise.node.streams import QUANTUM, WINDOW
from tests.node.link_pair import LinkPair

AT_ONCE = MAX_UNDERWAY + MAX_BODY  # bytes; the last message may be a whole one


@pytest.fixture
def pair():
    return LinkPair()


def opened(pair, count=1):
    """Streams of the dialler that both ends know of."""
    numbers = [pair.dialler.link.streams.open("echo") for _ in range(count)]
    pair.flush(pair.dialler)
    pair.settle()
    return numbers


def write(pair, number, size):
    pair.dialler.link.streams.write(number, bytes(size))
    pair.flush(pair.dialler)


# What leaves when


def test_no_more_is_handed_out_than_a_carrier_may_hold_before_it_says_that_it_has_sent(pair):
    (number,) = opened(pair)
    write(pair, number, WINDOW)
    assert MAX_UNDERWAY <= len(pair.other.way) <= AT_ONCE
    pair.flush(pair.dialler)
    assert len(pair.other.way) <= AT_ONCE
    pair.settle()
    assert len(pair.other.received[number]) == WINDOW


def test_small_sends_ask_for_no_word_until_they_are_half_of_that(pair):
    (number,) = opened(pair)
    asked = []
    for _ in range(10):
        write(pair, number, 10_000)
        asked.append(pair.dialler.awaits_word)
    assert asked == [False] * 6 + [True] * 4


def test_what_the_application_is_told_to_have_left_is_in_the_carriers_hands(pair):
    (number,) = opened(pair)
    write(pair, number, WINDOW)
    told = sum(news.size for news in pair.dialler.told if isinstance(news, StreamSent))
    assert MAX_UNDERWAY - 65_517 <= told <= len(pair.other.way)


def test_a_small_request_waits_for_no_more_than_a_round_of_ten_bulk_transfers(pair):
    bulk, (small,) = opened(pair, 10), opened(pair)
    for number in bulk:
        write(pair, number, WINDOW)
    write(pair, small, 64)
    before = sum(map(len, pair.other.received.values()))
    while not pair.other.received[small]:
        pair.arrive(pair.other, 1_000)
    assert sum(map(len, pair.other.received.values())) - before <= AT_ONCE + 11 * QUANTUM


def test_gossip_and_answers_do_not_wait_for_streams(pair):
    (number,) = opened(pair)
    write(pair, number, WINDOW)
    before = len(pair.other.way)
    pair.dialler.link.send_gossip(b"news")
    pair.flush(pair.dialler)
    assert len(pair.other.way) > before


def test_many_small_writes_of_one_input_share_a_message(pair):
    numbers = opened(pair, 100)
    for number in numbers:
        pair.dialler.link.streams.write(number, b"small")
    pair.flush(pair.dialler)
    assert int.from_bytes(pair.other.way[:2], "big") == len(pair.other.way) - 2


# Before both are ready, and after


@pytest.mark.parametrize("stage", ["greeting", "comparing"])
def test_a_stream_before_ready_ends_the_link(net, stage):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").handshake()
    if stage == "comparing":
        puppet.hello()
    puppet.frame(Kind.STREAM_OPEN, b"\x00\x00\x00\x01echo")
    assert puppet.ended
    assert not ada.links


def test_nothing_is_opened_before_both_are_ready(net):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").come_up()
    assert (Kind.READY, b"") in puppet.inbox
    assert not puppet.link.carries
    puppet.ready()
    assert puppet.link.carries


@pytest.mark.parametrize("frame", [encode_frame(Kind.READY, b"x"), encode_frame(Kind.READY, b"") * 2])
def test_ready_comes_once_and_empty(net, frame):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").come_up()
    puppet.message(frame)
    assert puppet.ended


# Goodbye


def test_an_end_that_waits_its_turn_goes_before_the_goodbye(pair):
    """Where what goes before it uses up all windows."""
    first, last = opened(pair, 2)
    write(pair, first, WINDOW - 1_000)
    pair.settle()
    write(pair, last, WINDOW)
    pair.settle()
    pair.dialler.link._underway = MAX_UNDERWAY
    write(pair, first, 1_000)
    pair.dialler.link.streams.end(last, End.FINISH)
    assert pair.dialler.link.streams.windows == 1_000
    pair.dialler.link.close(Code.GOODBYE)
    pair.flush(pair.dialler)
    pair.settle()
    assert [len(pair.other.received[number]) for number in (first, last)] == [WINDOW, WINDOW]
    assert StreamFinished(last) in pair.other.told
    assert pair.faults == ["", ""]


def test_both_may_say_goodbye_at_once(pair):
    (number,) = opened(pair)
    for side in pair.sides:
        side.link.streams.write(number, b"last words")
        side.link.streams.end(number, End.FINISH)
        side.link.close(Code.GOODBYE)
        pair.flush(side)
    pair.settle()
    assert pair.faults == ["", ""]


def test_frames_of_streams_that_cross_our_goodbye_are_ignored(pair):
    (number,) = opened(pair)
    pair.other.link.streams.write(number, b"x")
    pair.other.link.streams.open("late")
    pair.flush(pair.other)
    pair.dialler.link.close(Code.GOODBYE)
    pair.flush(pair.dialler)
    pair.settle()
    assert pair.faults == ["", ""]


def test_what_was_written_before_a_node_stops_arrives(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    for size in (100_000, 100_000, 56 * 1024):
        net.hand(high, io.StreamWritten(stream.connection, stream.stream, bytes(size)))
    net.hand(high, io.StreamEnded(stream.connection, stream.stream, End.FINISH))
    net.give(high, io.Stop())
    assert len(low.received(stream.stream)) == 200_000 + 56 * 1024
    assert low.on_stream(StreamFinished)


# Lost streams


def test_the_streams_of_a_revoked_peer_are_lost_at_once_and_say_so(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    effects = net.give(high, io.FactOffered(net.make_list(2, revoked=[low.identity.public]), "file"))
    assert io.StreamsLost(stream.connection, "revoked") in effects
    assert [lost.reason for lost in low.streams_lost] == ["revoked"]


def test_nothing_is_told_of_streams_after_they_are_lost(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    net.give(high, io.StreamWritten(stream.connection, stream.stream, bytes(100_000)))
    net.give(high, io.Stop())
    net.give(high, io.StreamWritten(stream.connection, stream.stream, b"late"))
    net.give(high, io.StreamEnded(stream.connection, stream.stream, End.CLOSE))
    for member in (low, high):
        lost = next(place for place, one in enumerate(member.effects) if isinstance(one, io.StreamsLost))
        assert not [one for one in member.effects[lost + 1 :] if isinstance(one, io.OnStream | io.StreamsLost)]


@pytest.mark.parametrize("code", [Code.REVOKED, Code.BUSY])
def test_what_was_written_before_a_refusal_is_not_sent(net, code):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    high.links[stream.connection]._underway = 1 << 30
    net.hand(high, io.StreamWritten(stream.connection, stream.stream, b"secret"))
    high.core.links.close(stream.connection, code, net.instant)
    net.give(high, io.Tick())
    assert low.received(stream.stream) == b""


def test_streams_of_a_link_that_breaks_are_lost_on_whoever_notices(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    net.cut(high, low)
    assert [(lost.connection, lost.reason) for lost in high.streams_lost] == [
        (stream.connection, "the connection was cut")
    ]
    net.wait(30)
    assert [lost.reason for lost in low.streams_lost] == ["silent for 24 s"]


def test_a_link_without_streams_loses_none(net):
    low, high = net.pair()
    net.cut(high, low)
    assert not high.streams_lost
