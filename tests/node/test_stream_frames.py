"""Frames of streams that no honest peer sends: a FrameError, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.node.frames import MAX_PAYLOAD, STREAM_KINDS, FrameError, Kind
from p2pnoise.node.stream_events import End
from p2pnoise.node.streams import MAX_PROTOCOL, WINDOW
from tests.node.joined_streams import Joined


@pytest.fixture
def joined():
    return Joined()


@pytest.fixture
def number(joined):
    return joined.open()


def hear(side, kind, number, rest=b""):
    return list(side.streams.receive(kind, number.to_bytes(4, "big") + rest))


def grant(size):
    return size.to_bytes(4, "big")


@pytest.mark.parametrize("kind", sorted(STREAM_KINDS))
@pytest.mark.parametrize("size", range(4))
def test_a_frame_without_a_whole_id_is_an_error(joined, kind, size):
    with pytest.raises(FrameError, match=f"{size} bytes, at least 4"):
        list(joined.far.streams.receive(kind, bytes(size)))


RIGHT = {
    Kind.STREAM_DATA: range(1, MAX_PAYLOAD - 3),
    Kind.STREAM_WINDOW: [4],
    Kind.STREAM_FIN: [0],
    Kind.STREAM_STOP: [1],
    Kind.STREAM_RESET: [1],
}


@pytest.mark.parametrize("stream", ["there", "gone"])
@pytest.mark.parametrize("kind", RIGHT)
def test_a_frame_of_another_length_is_an_error(joined, number, kind, stream):
    if stream == "gone":
        joined.close_both(number)
    for size in [size for size in (0, 1, 2, 3, 4, 5, 8, 100) if size not in RIGHT[kind]]:
        with pytest.raises(FrameError):
            hear(joined.far, kind, number, b"\x01" * size)


@pytest.mark.parametrize("name", [b"", b"Chat", b"a b", b"\xc3\xa4", b"x" * (MAX_PROTOCOL + 1), b"a\n", b"\x00"])
def test_a_stream_for_what_is_no_protocol_is_an_error(joined, name):
    with pytest.raises(FrameError):
        hear(joined.far, Kind.STREAM_OPEN, 1, name)
    assert len(joined.far.streams) == 0


def test_a_stream_of_our_own_parity_is_an_error(joined):
    for side, number in ((joined.near, 1), (joined.far, 2)):
        with pytest.raises(FrameError):
            hear(side, Kind.STREAM_OPEN, number, b"echo")


@pytest.mark.parametrize("again", [5, 3, 1])
def test_a_stream_with_an_id_that_is_not_higher_is_an_error(joined, again):
    hear(joined.far, Kind.STREAM_OPEN, 5, b"echo")
    with pytest.raises(FrameError):
        hear(joined.far, Kind.STREAM_OPEN, again, b"echo")


@pytest.mark.parametrize("kind", sorted(RIGHT))
@pytest.mark.parametrize("number", [0, 3, 4, 2**32 - 2, 2**32 - 1])
@pytest.mark.parametrize("side", ["near", "far"])
def test_a_frame_for_a_stream_that_was_never_opened_is_an_error(joined, side, kind, number):
    joined.open(joined.near)
    joined.open(joined.far)
    with pytest.raises(FrameError, match="never opened"):
        hear(getattr(joined, side), kind, number, b"\x01" * RIGHT[kind][0])


@pytest.mark.parametrize("side", ["near", "far"])
def test_stream_0_is_never_opened(joined, side):
    with pytest.raises(FrameError):
        hear(getattr(joined, side), Kind.STREAM_OPEN, 0, b"echo")


@pytest.mark.parametrize("kind", sorted(RIGHT))
def test_a_frame_for_a_stream_that_is_gone_is_skipped_and_counted(joined, number, kind):
    joined.close_both(number)
    before = joined.far.streams.skipped
    assert hear(joined.far, kind, number, b"\x01" * RIGHT[kind][0]) == []
    assert joined.far.streams.skipped == before + 1


def test_ids_that_were_left_out_count_as_gone(joined):
    hear(joined.far, Kind.STREAM_OPEN, 9, b"echo")
    assert hear(joined.far, Kind.STREAM_FIN, 7) == []


def test_one_byte_more_than_the_window_is_an_error(joined, number):
    for _ in range(WINDOW // 32_768):
        hear(joined.far, Kind.STREAM_DATA, number, bytes(32_768))
    with pytest.raises(FrameError, match="1 bytes on stream 1, at most 0"):
        hear(joined.far, Kind.STREAM_DATA, number, b"x")


def test_the_window_holds_for_whoever_was_asked_to_stop_too(joined, number):
    joined.far.streams.end(number, End.CLOSE)
    for _ in range(WINDOW // 32_768):
        assert hear(joined.far, Kind.STREAM_DATA, number, bytes(32_768)) == []
    with pytest.raises(FrameError):
        hear(joined.far, Kind.STREAM_DATA, number, b"x")


def test_empty_data_is_an_error(joined, number):
    with pytest.raises(FrameError):
        hear(joined.far, Kind.STREAM_DATA, number)


def test_a_grant_of_nothing_is_an_error(joined, number):
    with pytest.raises(FrameError):
        hear(joined.far, Kind.STREAM_WINDOW, number, grant(0))


def test_grants_beyond_32_bits_are_an_error(joined, number):
    hear(joined.far, Kind.STREAM_WINDOW, number, grant(2**32 - 1 - WINDOW))
    with pytest.raises(FrameError, match="to 4294967295 in all allowed"):
        hear(joined.far, Kind.STREAM_WINDOW, number, grant(1))


@pytest.mark.parametrize("end", [Kind.STREAM_FIN, Kind.STREAM_RESET])
@pytest.mark.parametrize("kind", [Kind.STREAM_DATA, Kind.STREAM_FIN, Kind.STREAM_RESET])
def test_nothing_of_a_direction_follows_its_end(joined, number, end, kind):
    hear(joined.far, end, number, b"\x00" * RIGHT[end][0])
    with pytest.raises(FrameError, match="after its end"):
        hear(joined.far, kind, number, b"\x00" * RIGHT[kind][0])


@pytest.mark.parametrize("kind", [Kind.STREAM_STOP, Kind.STREAM_WINDOW])
def test_what_concerns_the_other_direction_may_follow(joined, number, kind):
    hear(joined.far, Kind.STREAM_FIN, number)
    hear(joined.far, kind, number, b"\x01" * RIGHT[kind][0])


def test_whoever_is_asked_to_stop_twice_ends_once(joined, number):
    hear(joined.far, Kind.STREAM_STOP, number, b"\x00")
    assert hear(joined.far, Kind.STREAM_STOP, number, b"\x00") == []
    assert [kind for kind, _ in joined.far.sent()] == [Kind.STREAM_FIN]


stream_frames = st.tuples(
    st.sampled_from(sorted(STREAM_KINDS)),
    st.one_of(
        st.binary(max_size=12),
        st.builds(
            lambda number, rest: bytes([0, 0, 0, number]) + rest,
            st.integers(0, 6),
            st.sampled_from([b"", b"\x00", b"echo", b"\x00\x00\x01\x00", bytes(30_000)]) | st.binary(max_size=6),
        ),
    ),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(frames=st.lists(stream_frames, max_size=12), ours=st.lists(st.sampled_from(End), max_size=3))
def test_any_frames_bring_events_or_a_frame_error(frames, ours):
    joined = Joined(most=2)
    number = joined.open(joined.far)
    joined.far.streams.write(number, b"x" * 20_000)
    for how in ours:
        joined.far.streams.end(number, how)
    try:
        for kind, payload in frames:
            list(joined.far.streams.receive(kind, payload))
            joined.far.take(30_000)
    except FrameError:
        pass
    assert len(joined.far.streams) <= 4
    assert sum(stream.granted for stream in joined.far.streams._all.values()) <= 4 * WINDOW
