"""Lines: what a law says of them, what each fault adds, and that what is drawn for one shifts nothing for another."""

from statistics import fmean

import pytest

from p2pnoise.instant import SECOND
from simulations import Clog, Lag, Loss, NetworkLaw, Partition, Slow, World
from simulations.network import RETRANSMISSION

ALWAYS = 1e6


def lines(**law):
    return World(1, law=NetworkLaw(**law)).lines


@pytest.mark.parametrize("law", ["uniform", "heavy", "regions"])
def test_a_way_takes_what_the_law_says_and_the_same_back(law):
    some = lines(latency=law, least=0.010, most=0.200)
    ways = [some.one_way(one, other) for one in range(30) for other in range(one)]
    assert 0.009 * SECOND <= min(ways) <= max(ways) <= 0.200 * SECOND
    assert len(set(ways)) > len(ways) // (10 if law == "regions" else 2)
    assert some.one_way(3, 7) == some.one_way(7, 3)


def test_of_a_heavy_tail_most_are_near_and_a_few_very_far():
    ways = sorted(lines(latency="heavy", least=0.010, most=10.0).one_way(one, 99) for one in range(99))
    assert ways[len(ways) // 2] < 0.030 * SECOND
    assert ways[-1] > 0.200 * SECOND


def test_between_regions_it_takes_longer_the_further_they_are_apart():
    some = lines(latency="regions", least=0.010, most=0.100, regions=6)
    inside, next_to, opposite = some.one_way(0, 6), some.one_way(0, 1), some.one_way(0, 3)
    assert inside == 0.010 * SECOND
    assert inside < next_to < opposite
    assert some.one_way(0, 5) < opposite  # the world is round


def test_whom_one_meets_first_does_not_change_how_far_others_are():
    one, other = lines(), lines()
    other.one_way(5, 6)
    assert one.one_way(1, 2) == other.one_way(1, 2)


def test_what_one_node_loses_does_not_change_what_another_loses():
    one, other = lines(), lines()
    for some in (one, other):
        some.begin(Loss(at=0, until=ALWAYS, share=0.5))
    for _ in range(10):
        other.arrival(7, 8, 100, 0)
    assert [one.arrival(1, 2, 100, 0) for _ in range(20)] == [other.arrival(1, 2, 100, 0) for _ in range(20)]


def test_a_loss_makes_late_by_a_timeout_that_doubles():
    some = lines(least=0.01, most=0.01)
    some.begin(Loss(at=0, until=ALWAYS, share=0.1))
    late = [some.arrival(0, 1, 100, 0)[1] - SECOND // 100 for _ in range(2_000)]
    assert {0, RETRANSMISSION, 3 * RETRANSMISSION} <= set(late)
    assert fmean(one > 0 for one in late) == pytest.approx(0.1, abs=0.02)


def test_of_many_packets_one_is_lost_more_often():
    some = lines(least=0.01, most=0.01)
    some.begin(Loss(at=0, until=ALWAYS, share=0.05))
    late = [some.arrival(0, 1, 30_000, 0)[1] > SECOND // 100 for _ in range(500)]
    assert fmean(late) > 0.5


def test_a_lag_is_of_what_its_nodes_send_alone():
    some = lines(least=0.01, most=0.01)
    some.begin(Lag(at=0, until=ALWAYS, nodes=(0,), seconds=1.5))
    assert some.arrival(0, 1, 1, 0)[1] == 151 * SECOND // 100
    assert some.arrival(1, 0, 1, 0)[1] == 0.01 * SECOND


def test_up_and_down_of_a_slow_line_do_not_wait_for_each_other():
    some = lines(least=0.01, most=0.01)
    some.begin(Slow(at=0, until=ALWAYS, nodes=(0,), bytes_per_second=1_000))
    assert some.arrival(0, 1, 1_000, 0) == (SECOND, 101 * SECOND // 100)
    assert some.arrival(1, 0, 1_000, 0) == (SECOND, 101 * SECOND // 100)
    assert some.arrival(2, 0, 1_000, 0) == (2 * SECOND, 201 * SECOND // 100)  # from another, by the same line
    assert some.arrival(1, 2, 1_000, 0) == (0, 0.01 * SECOND)


def test_of_two_slow_lines_both_are_filled():
    some = lines(least=0.01, most=0.01)
    some.begin(Slow(at=0, until=ALWAYS, nodes=(0, 1), bytes_per_second=1_000))
    some.arrival(0, 1, 5_000, 0)
    assert some.arrival(2, 1, 1_000, 0)[0] == 6 * SECOND
    assert some.arrival(0, 2, 1_000, 0)[0] == 6 * SECOND


def test_a_law_may_say_what_each_node_can_send():
    some = lines(least=0.01, most=0.01, bytes_per_second=1_000)
    assert some.arrival(0, 1, 2_000, 0)[0] == 2 * SECOND
    assert some.arrival(1, 2, 1_000, 0)[0] == SECOND


@pytest.mark.parametrize(
    ("fault", "blocked"),
    [
        (Partition(at=0, until=1, nodes=(0, 1)), {(0, 2), (2, 0), (1, 2), (2, 1)}),
        (Partition(at=0, until=1, nodes=(0, 1), one_way=True), {(0, 2), (1, 2)}),
        (Clog(at=0, until=1, nodes=(0,)), {(0, 1), (1, 0), (0, 2), (2, 0)}),
        (Lag(at=0, until=1, nodes=(0,), seconds=9), set()),
    ],
)
def test_a_fault_blocks_the_ways_that_it_says_and_no_other_until_it_ends(fault, blocked):
    some = lines()
    ways = [(one, other) for one in range(3) for other in range(3) if one != other]
    some.begin(fault)
    assert {way for way in ways if some.blocked(*way)} == blocked
    some.end(fault)
    assert not any(some.blocked(*way) for way in ways)


def test_of_two_equal_faults_each_has_its_own_end():
    some = lines()
    first, second = Clog(at=0, until=1, nodes=(0,)), Clog(at=0, until=1, nodes=(0,))
    some.begin(first)
    some.begin(second)
    some.end(first)
    some.end(first)
    assert some.blocked(0, 1)
    some.end(second)
    assert not some.blocked(0, 1)
