"""How streams end: FIN, STOP and RESET in every order and crossing on the way; CLOSE and ABORT."""

import itertools

import pytest

from p2pnoise.node.frames import Kind
from p2pnoise.node.stream_events import End, StreamCode, StreamFinished, StreamReset, StreamStopped
from tests.node.joined_streams import Joined


@pytest.fixture
def joined():
    return Joined()


@pytest.fixture
def number(joined):
    return joined.open()


def kinds(side):
    return [Kind(kind) for kind, _ in side.sent()]


def test_after_finish_the_other_way_stays_open(joined, number):
    joined.near.streams.write(number, b"question")
    joined.end(joined.near, number, End.FINISH)
    assert joined.far.heard_of(number) == [StreamFinished(number)]
    joined.far.streams.write(number, b"answer")
    joined.end(joined.far, number, End.FINISH)
    assert joined.near.received(number) == b"answer"
    assert joined.near.heard_of(number) == [StreamFinished(number)]


def test_what_is_written_after_finish_is_not_sent(joined, number):
    joined.near.streams.end(number, End.FINISH)
    joined.near.streams.write(number, b"too late")
    joined.pump()
    joined.near.streams.write(number, b"far too late")
    joined.pump()
    assert joined.far.received(number) == b""


def test_finishing_twice_ends_once(joined, number):
    joined.near.streams.write(number, b"x")
    for _ in range(3):
        joined.near.streams.end(number, End.FINISH)
    joined.near.take()
    joined.near.streams.end(number, End.FINISH)
    joined.near.take()
    assert kinds(joined.near).count(Kind.STREAM_FIN) == 1


def test_what_was_written_before_close_arrives(joined, number):
    joined.near.streams.write(number, b"last words")
    joined.end(joined.near, number, End.CLOSE)
    assert joined.far.received(number) == b"last words"
    assert joined.far.heard_of(number) == [StreamStopped(number, StreamCode.CANCELLED), StreamFinished(number)]


def test_close_after_everything_was_read_says_nothing_of_stopping(joined, number):
    joined.end(joined.near, number, End.FINISH)
    joined.end(joined.far, number, End.FINISH)
    joined.end(joined.near, number, End.CLOSE)
    joined.end(joined.far, number, End.CLOSE)
    assert joined.near.heard_of(number) == joined.far.heard_of(number) == [StreamFinished(number)]
    assert len(joined.near.streams) == len(joined.far.streams) == 0


def test_what_was_written_before_abort_and_has_not_left_is_lost(joined, number):
    joined.near.streams.write(number, b"lost")
    joined.end(joined.near, number, End.ABORT, StreamCode.FAILED)
    assert joined.far.received(number) == b""
    assert joined.far.heard_of(number) == [StreamReset(number, StreamCode.FAILED)]


def test_abort_after_finish_had_left_asks_the_other_side_to_stop(joined, number):
    """RESET may not follow FIN: what was finished stays finished."""
    joined.near.streams.write(number, b"whole")
    joined.end(joined.near, number, End.FINISH)
    joined.end(joined.near, number, End.ABORT, StreamCode.TOO_LARGE)
    assert joined.far.received(number) == b"whole"
    assert joined.far.heard_of(number) == [StreamFinished(number), StreamStopped(number, StreamCode.TOO_LARGE)]


def test_abort_before_finish_has_left_loses_what_waits(joined, number):
    joined.near.streams.write(number, b"lost")
    joined.near.streams.end(number, End.FINISH)
    joined.end(joined.near, number, End.ABORT)
    assert joined.far.heard_of(number) == [StreamReset(number, StreamCode.CANCELLED)]


def test_whoever_is_asked_to_stop_ends_and_drops_what_it_had(joined, number):
    joined.far.streams.write(number, bytes(300_000))
    joined.far.take(100_000)
    joined.near.streams.end(number, End.CLOSE)
    joined.near.take()
    joined.arrive(joined.far)
    assert joined.far.heard_of(number) == [StreamStopped(number, StreamCode.CANCELLED), StreamFinished(number)]
    assert not joined.far.streams.waiting
    assert kinds(joined.far)[-1] is Kind.STREAM_FIN
    joined.arrive(joined.near)
    assert joined.near.received(number) == b""


def test_a_grant_for_what_was_dropped_starts_nothing(joined, number):
    joined.far.streams.write(number, bytes(300_000))
    joined.pump()
    joined.near.streams.read(number, 200_000)
    joined.near.streams.end(number, End.CLOSE)
    joined.pump()
    assert not joined.far.streams.waiting
    assert kinds(joined.far) == []


def test_bytes_for_whoever_reads_no_more_are_not_delivered_and_not_granted_again(joined, number):
    joined.far.streams.write(number, bytes(50_000))
    joined.far.take()
    joined.near.streams.write(number, b"still here")
    joined.near.streams.end(number, End.CLOSE)
    joined.arrive(joined.near)
    joined.near.streams.read(number, 200_000)
    assert joined.near.received(number) == b""
    assert Kind.STREAM_WINDOW not in kinds(joined.near)


def test_a_code_that_nobody_knows_means_cancelled(joined, number):
    news = list(joined.far.streams.receive(Kind.STREAM_RESET, number.to_bytes(4, "big") + b"\xee"))
    assert news == [StreamReset(number, StreamCode.CANCELLED)]


def test_what_the_application_asks_of_a_stream_that_is_gone_is_ignored(joined, number):
    joined.close_both(number)
    for side in (joined.near, joined.far):
        side.streams.write(number, b"x")
        side.streams.read(number, 200_000)
        for how in End:
            side.streams.end(number, how)
        assert not side.out
        assert not side.streams.waiting


ENDS = [
    (End.FINISH, End.CLOSE),
    (End.FINISH, End.ABORT),
    (End.CLOSE,),
    (End.ABORT,),
]


@pytest.mark.parametrize("written", [0, 40_000])
@pytest.mark.parametrize("far", ENDS)
@pytest.mark.parametrize("near", ENDS)
def test_ends_that_cross_on_their_way_leave_nothing_on_either_side(near, far, written):
    """Every order in which the two applications' steps and the frames' arrivals can follow one another."""
    steps = ["near"] * len(near) + ["far"] * len(far) + ["to near", "to far"]
    for order in set(itertools.permutations(steps)):
        joined = Joined()
        number = joined.open()
        left = {"near": list(near), "far": list(far)}
        for side in (joined.near, joined.far):
            side.streams.write(number, bytes(written))
        for step in order:
            if step in left:
                getattr(joined, step).streams.end(number, left[step].pop(0))
            else:
                side = getattr(joined, step.removeprefix("to "))
                joined.other(side).take(10_000)
                joined.arrive(side)
        joined.pump()
        assert len(joined.near.streams) == len(joined.far.streams) == 0, order
        for side in (joined.near, joined.far):
            told = joined.other(side).heard_of(number)
            assert len(told) <= 2, (order, told)
            assert len({type(news) for news in told}) == len(told), (order, told)


def test_a_close_that_crosses_another_tells_nobody_anything(joined, number):
    joined.near.streams.end(number, End.CLOSE)
    joined.far.streams.end(number, End.CLOSE)
    joined.pump()
    assert joined.near.heard_of(number) == joined.far.heard_of(number) == []
    assert joined.near.streams.skipped + joined.far.streams.skipped > 0


def test_a_stream_that_was_reset_stays_until_its_application_lets_go(joined, number):
    joined.end(joined.near, number, End.ABORT)
    assert len(joined.near.streams) == 0
    assert len(joined.far.streams) == 1
    joined.end(joined.far, number, End.ABORT)
    assert len(joined.far.streams) == 0
    assert joined.near.streams.skipped == 0
