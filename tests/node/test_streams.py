"""Streams of one link: opening, windows, grants, turns, and how many there may be."""

import pytest

from p2pnoise.node.frames import Kind
from p2pnoise.node.stream_events import End, StreamCode, StreamOffered, StreamReset, StreamSent
from p2pnoise.node.streams import MAX_PROTOCOL, QUANTUM, WINDOW, is_protocol
from tests.node.joined_streams import Joined


@pytest.fixture
def joined():
    return Joined()


def test_a_stream_is_offered_with_its_protocol_before_its_bytes(joined):
    number = joined.near.streams.open("chat/1")
    joined.near.streams.write(number, b"hello")
    joined.pump()
    assert joined.far.told[0] == StreamOffered(number, "chat/1")
    assert joined.far.received(number) == b"hello"


def test_the_diallers_ids_are_odd_and_the_others_even(joined):
    assert [joined.open(joined.near) for _ in range(3)] == [1, 3, 5]
    assert [joined.open(joined.far) for _ in range(3)] == [2, 4, 6]


def test_bytes_go_both_ways_at_once(joined):
    number = joined.open()
    joined.near.streams.write(number, b"question")
    joined.far.streams.write(number, b"answer")
    joined.pump()
    assert joined.far.received(number) == b"question"
    assert joined.near.received(number) == b"answer"


def test_writes_are_one_stream_of_bytes_whatever_their_sizes(joined):
    number = joined.open()
    parts = [bytes([size % 251]) * size for size in (1, 70_000, 3, 16_384, 65_510, 9)]
    for part in parts:
        joined.near.streams.write(number, memoryview(part))
    joined.pump()
    assert joined.far.received(number) == b"".join(parts)
    assert sum(news.size for news in joined.near.told if isinstance(news, StreamSent)) == sum(map(len, parts))


def test_writing_nothing_sends_nothing(joined):
    number = joined.open()
    joined.near.streams.write(number, b"")
    assert not joined.near.streams.waiting


# Windows


def test_no_more_than_a_window_is_sent_to_a_reader_who_does_not_read(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(WINDOW + 1))
    joined.pump()
    assert len(joined.far.received(number)) == WINDOW
    assert not joined.near.streams.waiting


def test_a_reader_grants_what_it_read_once_that_is_half_of_a_window(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(2 * WINDOW))
    joined.pump()
    joined.far.streams.read(number, WINDOW // 2 - 1)
    assert not joined.far.out
    joined.far.streams.read(number, 1)
    ((kind, payload),) = joined.far.sent()
    assert (kind, int.from_bytes(payload[4:], "big")) == (Kind.STREAM_WINDOW, WINDOW // 2)
    joined.pump()
    assert len(joined.far.received(number)) == WINDOW + WINDOW // 2


def test_a_stream_of_any_length_passes_a_window(joined):
    number, left, read = joined.open(), 5 * WINDOW + 12_345, 0
    while left:
        size = min(left, 100_000)
        joined.near.streams.write(number, bytes(size))
        left -= size
        joined.pump()
        joined.far.streams.read(number, len(joined.far.received(number)) - read)
        read = len(joined.far.received(number))
        joined.pump()
    assert read == 5 * WINDOW + 12_345


def test_a_slow_reader_slows_its_own_stream_alone(joined):
    slow, quick = joined.open(), joined.open()
    joined.near.streams.write(slow, bytes(3 * WINDOW))
    joined.near.streams.write(quick, b"quick")
    joined.pump()
    assert len(joined.far.received(slow)) == WINDOW
    assert joined.far.received(quick) == b"quick"
    joined.near.streams.write(quick, b" again")
    joined.pump()
    assert joined.far.received(quick) == b"quick again"


@pytest.mark.parametrize("opener", ["near", "far"])
def test_a_larger_window_is_granted_at_once_whoever_opens(opener):
    joined = Joined(far={"window": 4 * WINDOW})
    number = joined.open(getattr(joined, opener))
    joined.near.streams.write(number, bytes(5 * WINDOW))
    joined.far.streams.write(number, bytes(5 * WINDOW))
    joined.pump()
    assert len(joined.far.received(number)) == 4 * WINDOW
    assert len(joined.near.received(number)) == WINDOW


def test_nothing_is_granted_for_a_stream_whose_end_has_come(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(WINDOW))
    joined.end(joined.near, number, End.FINISH)
    joined.far.streams.read(number, WINDOW)
    assert not joined.far.out


def test_what_was_written_leaves_as_fast_as_it_is_granted_and_then_the_end(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(WINDOW + 10))
    joined.end(joined.near, number, End.FINISH)
    assert joined.far.heard_of(number) == []
    joined.far.streams.read(number, WINDOW)
    joined.pump()
    assert len(joined.far.received(number)) == WINDOW + 10
    assert [type(news).__name__ for news in joined.far.heard_of(number)] == ["StreamFinished"]


# Turns


def sizes(frames):
    return [(int.from_bytes(payload[:4], "big"), len(payload) - 4) for kind, payload in frames]


def test_a_stream_alone_fills_messages(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(WINDOW))
    assert sizes(joined.near.take(100_000))[0] == (number, 65_510)


def test_beside_others_a_stream_sends_a_quantum_in_its_turn(joined):
    numbers = [joined.open() for _ in range(3)]
    for number in numbers:
        joined.near.streams.write(number, bytes(WINDOW))
    assert sizes(joined.near.take(6 * QUANTUM)) == [(number, QUANTUM) for number in numbers * 2]


def test_64_bytes_beside_ten_bulk_transfers_wait_for_one_round_at_most(joined):
    bulk = [joined.open() for _ in range(10)]
    small = joined.open()
    for number in bulk:
        joined.near.streams.write(number, bytes(WINDOW))
    joined.near.take(3 * QUANTUM)
    joined.near.streams.write(small, bytes(64))
    assert (small, 64) in sizes(joined.near.take(10 * QUANTUM + 64))


def test_taking_stops_where_the_room_ends(joined):
    numbers = [joined.open() for _ in range(4)]
    for number in numbers:
        joined.near.streams.write(number, bytes(WINDOW))
    assert sum(size for _, size in sizes(joined.near.take(2 * QUANTUM))) == 2 * QUANTUM
    assert joined.near.take(0) == []
    assert joined.near.take(-5) == []


def test_the_end_of_a_stream_goes_with_its_last_bytes(joined):
    number = joined.open()
    joined.near.streams.write(number, bytes(100))
    joined.near.streams.end(number, End.FINISH)
    assert [kind for kind, _ in joined.near.take(100)] == [Kind.STREAM_DATA, Kind.STREAM_FIN]


def test_windows_together_are_what_could_be_sent_now(joined):
    first, _ = joined.open(), joined.open()
    joined.near.streams.write(first, bytes(1_000))
    joined.pump()
    assert joined.near.streams.windows == 2 * WINDOW - 1_000


# How many


def test_one_stream_more_than_the_most_is_reset_as_busy(joined):
    joined = Joined(most=3, far={"most": 2})
    numbers = [joined.open() for _ in range(3)]
    assert [joined.near.heard_of(number) for number in numbers] == [[], [], [StreamReset(5, StreamCode.BUSY)]]
    assert len(joined.far.streams) == 2


def test_streams_of_the_other_side_take_no_place_of_ours():
    joined = Joined(most=2)
    for _ in range(2):
        joined.open(joined.far)
    assert joined.near.streams.can_open
    joined.open(joined.near)
    joined.open(joined.near)
    assert not joined.near.streams.can_open
    assert not joined.far.streams.can_open
    assert len(joined.near.streams) == len(joined.far.streams) == 4


def test_a_stream_that_both_let_go_of_makes_a_place():
    joined = Joined(most=1)
    for _ in range(5):
        number = joined.open()
        assert not joined.near.streams.can_open
        joined.close_both(number)
        assert joined.near.streams.can_open
        assert len(joined.near.streams) == len(joined.far.streams) == 0


def test_what_follows_a_stream_that_was_refused_is_skipped():
    joined = Joined(most=2, far={"most": 1})
    joined.open()
    refused = joined.near.streams.open("echo")
    joined.near.streams.write(refused, b"early")
    joined.near.streams.end(refused, End.FINISH)
    joined.pump()
    assert joined.far.received(refused) == b""
    assert joined.far.streams.skipped == 2
    assert joined.near.heard_of(refused) == [StreamReset(refused, StreamCode.BUSY)]


def test_opening_and_resetting_at_speed_starts_no_more_handlers_than_there_are_places():
    """HTTP/2's rapid reset: a place is the application's until it lets go."""
    joined = Joined(most=4)
    for _ in range(50):
        joined.end(joined.near, joined.open(), End.ABORT)
    offered = [news.stream for news in joined.far.told if isinstance(news, StreamOffered)]
    assert offered == [1, 3, 5, 7]
    assert len(joined.far.streams) == 4
    for number in offered:
        joined.end(joined.far, number, End.CLOSE)
    joined.open()
    assert len([news for news in joined.far.told if isinstance(news, StreamOffered)]) == 5


def test_without_that_rule_every_reset_would_start_another(monkeypatch):
    """The companion: places that a reset frees at once."""
    from p2pnoise.node.streams import Streams  # noqa: PLC0415

    def hasty(self, number, _stream):
        if self._all.pop(number, None) is not None:
            self._counts[number % 2] -= 1

    monkeypatch.setattr(Streams, "_forget", hasty)
    joined = Joined(most=4)
    for _ in range(50):
        joined.end(joined.near, joined.open(), End.ABORT)
    assert len([news for news in joined.far.told if isinstance(news, StreamOffered)]) == 50


def test_when_the_ids_are_used_up_none_can_be_opened(joined):
    joined.near.streams._next = 2**32 - 1
    assert joined.near.streams.can_open
    joined.open()
    assert not joined.near.streams.can_open


def test_a_link_that_is_gone_takes_its_streams_along(joined):
    number = joined.open()
    joined.near.streams.write(number, b"late")
    assert joined.near.streams.clear()
    assert not joined.near.streams.clear()
    assert not joined.near.streams.waiting
    joined.near.streams.write(number, b"later")
    joined.near.streams.read(number, 5)
    joined.near.streams.end(number, End.CLOSE)
    assert not joined.near.out


@pytest.mark.parametrize("name", ["a", "file-drop/1.0_x", "z" * MAX_PROTOCOL])
def test_a_protocol_has_a_name_of_small_letters_digits_and_a_few_signs(name):
    assert is_protocol(name)


@pytest.mark.parametrize("name", ["", "Chat", "a b", "ä", "a\n", "z" * (MAX_PROTOCOL + 1)])
def test_other_names_are_no_protocols(name):
    assert not is_protocol(name)
