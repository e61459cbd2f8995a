"""New keys inside a link: when they come, who begins, and that nothing on the link takes notice (P15)."""

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.admission import Admission
from p2pnoise.node.channel import TIMEOUT, KeyLife
from p2pnoise.node.frames import Code, Kind, encode_frame
from p2pnoise.node.stream_events import End, StreamFinished, StreamOffered
from p2pnoise.node.streams import WINDOW
from tests.node.link_pair import LinkPair

REQUEST = encode_frame(Kind.REKEY_REQUEST, b"")
FOR_EVER = KeyLife(1 << 60, 1 << 60)


@pytest.fixture
def pair():
    return LinkPair()


def changed(pair, times=1):
    """The pair after so many changes of keys."""
    for _ in range(times):
        pair.wait(300)
        pair.settle()
    return pair


def stands(pair):
    """Whether both ends are linked and hear each other."""
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    return pair.other.told[-1:] == [StreamOffered(number, "echo")] and not pair.faults


# When


def test_keys_change_every_five_minutes_on_an_idle_link(pair):
    for generation in range(1, 4):
        pair.wait(299.9)
        pair.settle()
        assert pair.generations == (generation - 1, generation - 1)
        pair.wait(0.1)
        pair.settle()
        assert pair.generations == (generation, generation)
    assert stands(pair)


def test_the_deadline_of_a_link_is_when_keys_are_due(pair):
    begun = pair.now
    assert pair.dialler.link.key_deadline == begun + 300 * SECOND
    assert pair.other.link.key_deadline == begun + 330 * SECOND
    pair.wait(300)
    assert pair.dialler.link.key_deadline == pair.now + TIMEOUT


def test_keys_change_by_volume_of_both_directions():
    pair = LinkPair(rekey_bytes=100_000)
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    for side in pair.sides:
        side.link.streams.write(number, bytes(49_000))
        pair.flush(side)
    pair.settle()
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (0, 0)
    pair.dialler.link.streams.write(number, bytes(2_000))
    pair.flush(pair.dialler)
    for _ in range(3):
        pair.wait(0.1)
        pair.settle()
    assert pair.generations == (1, 1)


def test_the_other_side_asks_where_the_dialler_does_not_begin(pair):
    pair.dialler.link._channel._life = FOR_EVER
    pair.wait(329)
    assert not pair.dialler.way
    pair.wait(1)
    assert pair.dialler.way
    pair.settle()
    assert pair.generations == (1, 1)
    assert stands(pair)


def test_the_other_side_asks_by_volume_where_the_dialler_does_not_begin():
    pair = LinkPair(rekey_bytes=1_000)
    pair.dialler.link._channel._life = FOR_EVER
    number = pair.other.link.streams.open("echo")
    pair.other.link.streams.write(number, bytes(2_100))
    pair.flush(pair.other)
    pair.settle()
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (1, 1)


def test_a_request_that_comes_right_after_a_change_is_not_forgotten(pair):
    """Or the asker would wait for 30 s and end the link."""
    changed(pair)
    pair.say(pair.other, REQUEST)
    pair.settle()
    assert pair.generations == (1, 1)
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (2, 2)


def test_an_interval_below_a_tenth_of_a_second_leaves_the_link_at_rest():
    pair = LinkPair(rekey_interval=0.001)
    for _ in range(20):
        pair.wait(0.02)
        for side in pair.sides:
            assert side.link.key_deadline > pair.now
        pair.settle()
    assert pair.generations == (4, 4)


def test_a_request_that_crosses_the_beginning_leads_to_one_change(pair):
    pair.wait(300)  # the dialler begins
    pair.say(pair.other, REQUEST)
    pair.settle()
    pair.wait(1)
    pair.settle()
    assert pair.generations == (1, 1)
    assert stands(pair)


# Under load


def pattern(number, size):
    return (bytes(range(251)) * (size // 251 + 2))[number : number + size]


def test_keys_change_under_full_load_both_ways_without_a_byte_lost_or_out_of_order():
    pair = LinkPair(rekey_bytes=200_000)
    numbers = [side.link.streams.open("bulk") for side in pair.sides for _ in range(2)]
    whole = {number: pattern(number, 6 * WINDOW) for number in numbers}
    for side in pair.sides:
        pair.flush(side)
    pair.settle()
    for side in pair.sides:
        for number in numbers:
            side.link.streams.write(number, whole[number])
        pair.flush(side)
    read = dict.fromkeys(numbers, 0), dict.fromkeys(numbers, 0)
    for step in range(1_000):
        for side, taken in zip(pair.sides, read, strict=True):
            pair.arrive(side, 1_000 + step * 7919 % 90_000)
            for number in numbers:
                side.link.streams.read(number, len(side.received[number]) - taken[number])
                taken[number] = len(side.received[number])
        pair.wait(0.05)
    assert pair.dialler.received == pair.other.received == whole
    assert pair.generations[0] == pair.generations[1] >= 10
    assert not pair.faults


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_keys_change_on_a_carrier_that_brings_a_few_bytes_at_a_time(size):
    pair = LinkPair()
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    for turn in range(3):
        pair.wait(300)
        for side in pair.sides:
            side.link.streams.write(number, pattern(turn, 500))
            pair.flush(side)
        while pair.dialler.way or pair.other.way:
            for side in pair.sides:
                pair.arrive(side, size)
    assert pair.generations == (3, 3)
    for side in pair.sides:
        assert side.received[number] == b"".join(pattern(turn, 500) for turn in range(3))


def test_a_stream_ends_as_it_should_while_keys_change(pair):
    number = pair.dialler.link.streams.open("echo")
    pair.dialler.link.streams.write(number, b"last words")
    pair.flush(pair.dialler)
    pair.wait(300)
    pair.dialler.link.streams.end(number, End.FINISH)
    pair.flush(pair.dialler)
    pair.settle()
    assert pair.other.received[number] == b"last words"
    assert pair.other.told[-1] == StreamFinished(number)


# Ending while keys change


@pytest.mark.parametrize("closer", ["dialler", "other"])
@pytest.mark.parametrize("moves", range(4))
def test_a_goodbye_at_any_moment_of_a_change_is_a_clean_end(pair, closer, moves):
    pair.wait(300)
    for move in range(moves):
        pair.arrive(pair.other if move % 2 == 0 else pair.dialler)
    side = getattr(pair, closer)
    side.link.close(Code.GOODBYE)
    pair.flush(side)
    pair.settle()
    assert pair.faults == ["", ""]


def test_a_request_to_a_side_that_has_said_goodbye_is_ignored(pair):
    pair.say(pair.other, REQUEST)
    pair.dialler.link.close(Code.GOODBYE)
    pair.flush(pair.dialler)
    pair.settle()
    assert pair.faults == ["", ""]


# On a node


def test_two_nodes_change_keys_every_five_minutes_and_stay_linked(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    net.wait(1_000)
    assert [link.generation for member in (low, high) for link in member.links.values()] == [3, 3]
    assert not low.told("peer-lost")
    net.give(high, io.StreamWritten(stream.connection, stream.stream, b"still here"))
    assert low.received(stream.stream) == b"still here"


def test_a_node_ends_a_link_whose_new_keys_do_not_come_in_30_seconds(net):
    low, high = net.pair(ping_interval=1_000)
    net.estrange(low, high)
    net.wait(299)
    net.tamper = lambda source, _target, data: data if source is high else None
    net.wait(32)
    assert [event.reason for event in high.told("peer-lost")] == ["no new keys in time"]


@pytest.mark.parametrize("judges", ["low", "high"])
def test_a_peers_card_is_judged_again_when_keys_change(net, judges):
    """The wall clock was wrong and is put right: no timer tells that the card has come to its end meanwhile."""
    low, high = clocks_put_right(net, judges)
    judge = low if judges == "low" else high
    assert [event.reason for event in judge.told("peer-lost")] == ["expired"]


def test_nothing_else_would_tell_that_it_has_expired(net, monkeypatch):
    """The companion: keys change, and nobody is judged."""
    monkeypatch.setattr(Admission, "judge_again", lambda *_arguments: None)
    low, high = clocks_put_right(net, "low")
    assert low.up(high)
    assert [link.generation for link in low.links.values()] == [1]


def clocks_put_right(net, judge):
    """Two linked nodes, one of whose cards ends in an hour, after the clocks went forward by two, and new keys."""
    low, high = sorted((net.keys(name) for name in ("ada", "bob")), key=lambda keys: bytes(keys[0].public))
    short = {"low": high, "high": low}[judge]
    members = []
    for keys in (low, high):
        card = net.card("ada", keys=keys, **({"grant_lifetime": 3_700} if keys is short else {}))
        members.append(net.member("ada", keys=keys, card=card, target_links=0))
    net.link(members[1], members[0])
    net.shift = 7_200
    net.wait(299)
    assert members[0].up(members[1])
    net.wait(2)
    return members
