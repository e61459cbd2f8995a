"""Carriers behave as TCP's do: in order or not at all, held rather than lost, and ends hear what a system would say."""

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from simulations import Clog, Lag, NetworkLaw, Partition, Slow
from simulations.carriers import CUT_OFF, DIAL_TIMEOUT
from tests.simulations.puppets import Stage

BYTES = (io.BytesReceived, io.ConnectFailed)
FOREVER = 1e6


@pytest.fixture
def stage():
    return Stage()


def test_bytes_arrive_once_in_order_after_their_way(stage):
    mine, theirs = stage.connect()
    begun = stage.world.now
    stage.do(0, io.SendBytes(mine, b"a"), io.SendBytes(mine, b"b"))
    stage.run(10)
    way = stage.world.lines.one_way(0, 1)
    assert stage.timed(1, *BYTES) == [(begun + way, io.BytesReceived(theirs, one)) for one in (b"a", b"b")]


def test_what_is_sent_is_overheard_once(stage):
    mine, _ = stage.connect()
    heard = []
    stage.world.on_bytes.append(lambda source, *said: heard.append((source.number, *said)))
    stage.do(0, io.SendBytes(mine, b"a"), io.SendBytes(mine, b"b"))
    stage.run(1)
    assert heard == [(0, mine, 1, b"a"), (0, mine, 1, b"b")]


def test_what_is_sent_when_a_line_is_quick_again_never_overtakes(stage):
    mine, _ = stage.connect()
    lag = Lag(at=0, until=FOREVER, nodes=(0,), seconds=2.0)
    stage.world.lines.begin(lag)
    stage.do(0, io.SendBytes(mine, b"slow"))
    stage.run(1.5)
    stage.world.lines.end(lag)
    stage.do(0, io.SendBytes(mine, b"quick"), io.Disconnect(mine))
    stage.run(20)
    assert [one.data for one in stage.given(1, *BYTES)] == [b"slow", b"quick", b""]


def test_the_end_of_a_killed_process_comes_after_all_that_it_sent(stage):
    mine, theirs = stage.connect()
    stage.world.lines.begin(Lag(at=0, until=FOREVER, nodes=(0,), seconds=2.0))
    stage.do(0, io.SendBytes(mine, b"last words"))
    stage.run(1.5)
    stage.world.lines.clear()
    stage.world.kill(stage.nodes[0])
    stage.run(20)
    assert stage.given(1, *BYTES) == [io.BytesReceived(theirs, b"last words"), io.BytesReceived(theirs, b"")]


@pytest.mark.parametrize("fault", [Partition(at=0, until=FOREVER, nodes=(0,)), Clog(at=0, until=FOREVER, nodes=(1,))])
def test_what_cannot_pass_is_held_and_comes_in_order_with_the_end_of_its_process(stage, fault):
    mine, theirs = stage.connect()
    stage.world.lines.begin(fault)
    stage.do(0, io.SendBytes(mine, b"a"), io.SendBytes(mine, b"b"))
    stage.run(5)
    stage.world.kill(stage.nodes[0])
    stage.run(10)
    assert stage.given(1, *BYTES) == []
    stage.world.lines.end(fault)
    stage.world.release()
    stage.run(20)
    assert stage.given(1, *BYTES) == [io.BytesReceived(theirs, one) for one in (b"a", b"b", b"")]


def test_what_was_held_dies_with_a_system_that_loses_its_power(stage):
    mine, _ = stage.connect()
    stage.world.lines.begin(Clog(at=0, until=FOREVER, nodes=(1,)))
    stage.do(0, io.SendBytes(mine, b"never sent"))
    stage.run(5)
    stage.world.kill(stage.nodes[0], silent=True)
    stage.world.lines.clear()
    stage.world.release()
    stage.run(20)
    assert stage.given(1, *BYTES) == []


def test_nothing_comes_twice_when_it_is_released_into_another_fault(stage):
    mine, theirs = stage.connect()
    first, second = (Clog(at=0, until=FOREVER, nodes=(node,)) for node in (0, 1))
    stage.world.lines.begin(first)
    stage.world.lines.begin(second)
    stage.do(0, io.SendBytes(mine, b"a"))
    stage.run(5)
    for fault in (first, second):
        stage.world.lines.end(fault)
        stage.world.release()
        stage.do(0, io.SendBytes(mine, b"b"))
        stage.run(stage.world.now / SECOND + 1)
    assert [one.data for one in stage.given(1, *BYTES)] == [b"a", b"b", b"b"]
    assert stage.given(1, *BYTES)[0].connection == theirs


def test_one_way_what_the_others_send_arrives(stage):
    mine, theirs = stage.connect()
    stage.world.lines.begin(Partition(at=0, until=FOREVER, nodes=(0,), one_way=True))
    stage.do(0, io.SendBytes(mine, b"unheard"))
    stage.do(1, io.SendBytes(theirs, b"heard"))
    stage.run(10)
    assert stage.given(0, *BYTES) == [io.BytesReceived(mine, b"heard")]
    assert stage.given(1, *BYTES) == []


def test_a_system_whose_process_was_killed_refuses_what_is_still_sent_to_it(stage):
    mine, theirs = stage.connect()
    stage.world.lines.begin(Lag(at=0, until=FOREVER, nodes=(0,), seconds=30.0))  # its end is long on its way
    stage.world.kill(stage.nodes[0])
    stage.world.lines.clear()
    stage.do(1, io.SendBytes(theirs, b"anybody?"))
    stage.run(5)
    assert stage.given(1, *BYTES) == [io.ConnectFailed(theirs, CUT_OFF)]
    stage.run(60)
    assert len(stage.given(1, *BYTES)) == 1  # the end that comes late is for nobody
    assert stage.nodes[1].carriers == {}
    del mine


def test_a_system_without_power_says_nothing_until_it_starts_again(stage):
    _, theirs = stage.connect()
    stage.world.kill(stage.nodes[0], silent=True)
    stage.do(1, io.SendBytes(theirs, b"anybody?"))
    stage.run(30)
    assert stage.given(1, *BYTES) == []
    stage.world.start(stage.nodes[0])
    stage.do(1, io.SendBytes(theirs, b"anybody?"))
    stage.run(40)
    assert stage.given(1, *BYTES) == [io.ConnectFailed(theirs, CUT_OFF)]


def test_word_that_a_connection_is_gone_does_not_pass_a_partition(stage):
    _, theirs = stage.connect()
    stage.world.kill(stage.nodes[0], silent=True)
    stage.world.start(stage.nodes[0])
    cut = Partition(at=0, until=FOREVER, nodes=(0,), one_way=True)
    stage.world.lines.begin(cut)
    stage.do(1, io.SendBytes(theirs, b"anybody?"))
    stage.run(20)
    assert stage.given(1, *BYTES) == []
    stage.world.lines.end(cut)
    stage.world.release()
    stage.run(21)
    assert stage.given(1, *BYTES) == [io.ConnectFailed(theirs, CUT_OFF)]


def test_a_reset_loses_what_is_on_its_way_and_what_is_held_and_tells_both(stage):
    mine, theirs = stage.connect()
    stage.do(0, io.SendBytes(mine, b"on its way"))
    stage.world.run(stage.world.now)
    stage.world.lines.begin(Clog(at=0, until=FOREVER, nodes=(0,)))
    stage.do(0, io.SendBytes(mine, b"held"))
    stage.world.run(stage.world.now)
    stage.world.reset(stage.nodes[1], theirs)
    stage.world.lines.clear()
    stage.world.release()
    stage.run(20)
    assert stage.given(1, *BYTES) == [io.ConnectFailed(theirs, CUT_OFF)]
    assert stage.given(0, *BYTES) == [io.ConnectFailed(mine, CUT_OFF)]
    assert not stage.nodes[0].carriers
    assert not stage.nodes[1].carriers


def test_a_dial_that_is_reset_before_it_stands_has_failed_and_nothing_else(stage):
    mine = stage.nodes[0].core.new_connection()
    stage.do(0, io.Dial(mine, stage.nodes[1].address))
    stage.world.run(stage.world.lines.one_way(0, 1))
    stage.world.reset(stage.nodes[0], mine)
    stage.run(20)
    assert stage.given(0) == [io.ConnectFailed(mine, CUT_OFF)]


def dial(stage, *, at=0.0):
    mine = stage.nodes[0].core.new_connection()
    stage.do(0, io.Dial(mine, stage.nodes[1].address), at=at)
    return mine


def test_a_dial_into_a_partition_fails_after_ten_seconds(stage):
    stage.world.lines.begin(Partition(at=0, until=FOREVER, nodes=(0,)))
    mine = dial(stage)
    stage.run(30)
    assert stage.timed(0) == [(DIAL_TIMEOUT, io.ConnectFailed(mine, "connection timed out"))]
    assert stage.given(1) == []


@pytest.mark.parametrize(("over", "heard"), [(0.5, 1), (2.5, 3), (6.5, 7)])
def test_a_dial_knocks_again_after_one_two_and_four_seconds(stage, over, heard):
    cut = Partition(at=0, until=over, nodes=(1,))
    stage.world.lines.begin(cut)
    mine = dial(stage)
    stage.run(over)
    stage.world.lines.end(cut)
    stage.run(30)
    way = stage.world.lines.one_way(0, 1)
    assert stage.timed(0) == [(heard * SECOND + 2 * way, io.Connected(mine))]


def test_a_dial_to_a_dark_system_is_not_answered_and_to_a_dead_process_refused(stage):
    stage.world.kill(stage.nodes[1])
    refused = dial(stage)
    stage.run(1)
    assert stage.given(0) == [io.ConnectFailed(refused, "connection refused")]
    stage.world.kill(stage.nodes[1], silent=True)
    unanswered = dial(stage, at=1)
    stage.run(30)
    assert stage.timed(0)[1:] == [(SECOND + DIAL_TIMEOUT, io.ConnectFailed(unanswered, "connection timed out"))]


def test_nobody_reaches_a_node_behind_a_nat_and_it_reaches_all(stage):
    stage.nodes[1].dialable = False
    mine = dial(stage)
    stage.run(30)
    assert stage.timed(0) == [(DIAL_TIMEOUT, io.ConnectFailed(mine, "connection timed out"))]
    assert stage.given(1) == []
    stage.connect(1, 0)


def test_a_dial_of_a_process_that_is_gone_is_heard_by_nobody(stage):
    dial(stage)
    stage.world.run(0)
    stage.world.kill(stage.nodes[0])
    stage.run(30)
    assert stage.given(1) == []


def test_who_sends_to_a_slow_line_is_held_back_by_it():
    stage = Stage(law=NetworkLaw(least=0.01, most=0.01))
    mine, _ = stage.connect()
    stage.world.lines.begin(Slow(at=0, until=FOREVER, nodes=(1,), bytes_per_second=1_000))
    begun = stage.world.now
    stage.do(0, io.SendBytes(mine, bytes(2_000), more=True), io.SendBytes(mine, bytes(1_000), more=True))
    stage.run(20)
    assert [when - begun for when, _ in stage.timed(0, io.BytesSent)] == [2 * SECOND, 3 * SECOND]
    assert [when - begun for when, _ in stage.timed(1, *BYTES)] == [2_010_000_000, 3_010_000_000]


def test_a_node_that_is_never_content_with_the_time_fails_loudly(stage):
    stage.nodes[0].core.due = 5
    stage.do(0)
    stage.run(1)
    assert "in one nanosecond" in stage.nodes[0].failure
