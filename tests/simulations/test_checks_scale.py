"""Checks of networks that many enter or leave: each holds where what it says is so, and is broken where it is not."""

from types import SimpleNamespace

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node.link import Stage
from simulations import DeadInViews, DialledAtMost, Quiet, Recall, Renew, Survives, World, run


class Node:
    """What checks see of a node, as a test has it."""

    def __init__(self, number, citizen):
        self.number, self.citizen = number, citizen
        self.kind, self.honest, self.online, self.bytes_sent = "honest", True, True, 0
        self.missing, self.peers = set(), []

    def lacks(self, citizens):
        return sum(one.number in self.missing for one in citizens)

    def linked(self):
        return [bytes(one.citizen.key.public) for one in self.peers]


@pytest.fixture
def view():
    oracle = World(1).oracle
    nodes = [Node(number, oracle.settle(number)) for number in range(4)]
    return SimpleNamespace(now=0, oracle=oracle, nodes=nodes)


def link(view, *pairs):
    for node in view.nodes:
        node.peers.clear()
    for one, other in pairs:
        view.nodes[one].peers.append(view.nodes[other])
        view.nodes[other].peers.append(view.nodes[one])


def at(view, watch, *seconds):
    for second in seconds:
        view.now = int(second * SECOND)
        watch.look()


def answer(watch):
    watch.finish()
    return watch.check


# Recall


@pytest.mark.parametrize(("share", "holds"), [(0.93, True), (0.95, False)])
def test_whoever_is_not_known_lowers_the_recall(view, share, holds):
    watch = Recall(share=share, after=10, settled=0).watch(view, ())
    view.nodes[1].missing = {3}
    at(view, watch, 9, 10, 16)
    check = answer(watch)
    assert (check.holds, watch.metrics["recall"]) == (holds, 0.9375)  # of 16 pairs one lacks, at each of two looks


def test_who_has_just_come_need_not_be_known_yet_nor_know(view):
    watch = Recall(share=1, after=10, settled=5).watch(view, ())
    view.nodes[3].online = False
    at(view, watch, 0)
    view.nodes[3].online = True
    view.nodes[0].missing, view.nodes[3].missing = {3}, {0}
    at(view, watch, 8, 10)
    assert watch.check.holds
    at(view, watch, 15)
    assert not answer(watch).holds


def test_a_network_of_which_nobody_ran_long_enough_says_nothing_of_recall(view):
    watch = Recall(share=0.5, after=10).watch(view, ())
    at(view, watch, 1)
    assert not answer(watch).decided


# DeadInViews


@pytest.mark.parametrize(("share", "holds"), [(0.17, True), (0.16, False)])
def test_links_to_the_dead_are_counted_with_those_who_have_them(view, share, holds):
    link(view, (0, 1), (1, 2), (0, 3))
    view.nodes[3].online = False
    watch = DeadInViews(share=share, after=5).watch(view, ())
    at(view, watch, 4, 5, 6)
    view.nodes[0].peers = view.nodes[0].peers[:1]
    at(view, watch, 6.5)  # not looked at
    view.nodes[3].online = True
    link(view, (0, 1))
    at(view, watch, 7)
    assert answer(watch).holds is holds  # 2 of 12: 1 of 5, 1 of 5, 0 of 2


# Survives


def test_a_part_that_is_too_small_breaks_it_when_its_time_is_over(view):
    watch = Survives(since=10, within=20, links=1).watch(view, ())
    link(view, (0, 1), (2, 3))
    at(view, watch, 9, 10, 29)
    assert watch.check.holds
    at(view, watch, 31)
    assert answer(watch).detail == "2 of 4 in the largest part"


def test_survivors_are_counted_without_the_dead(view):
    watch = Survives(since=10, within=20, links=2).watch(view, ())
    link(view, (0, 1), (1, 2), (0, 2), (2, 3))
    view.nodes[3].online = False
    at(view, watch, 12)
    assert watch.settled
    assert watch.metrics["repaired_after"] == 2
    assert answer(watch).holds


def test_too_few_links_break_it_though_all_are_joined(view):
    watch = Survives(since=10, within=20, links=2).watch(view, ())
    link(view, (0, 1), (1, 2), (2, 3))
    at(view, watch, 12, 31)
    assert answer(watch).detail == "2 of 4 have fewer links"


def test_who_are_fewer_than_the_links_that_are_wanted_need_all_of_them(view):
    watch = Survives(since=0, within=1, links=9).watch(view, ())
    link(view, (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    at(view, watch, 1)
    assert answer(watch).holds


def test_what_falls_apart_again_breaks_it(view):
    watch = Survives(since=0, within=1, links=1).watch(view, ())
    link(view, (0, 1), (1, 2), (2, 3))
    at(view, watch, 1)
    link(view, (0, 1), (2, 3))
    assert "does not in the end" in answer(watch).detail


# DialledAtMost


@pytest.mark.parametrize(("most", "holds"), [(2, True), (1, False)])
def test_peers_that_dialled_a_node_are_counted_once_they_are_linked(most, holds):
    world = World(1)
    node = world.add()
    world.run(0)
    node.node.links.all.update(
        {
            number: SimpleNamespace(stage=stage, initiator=ours)
            for number, (stage, ours) in enumerate(
                [(Stage.UP, False), (Stage.UP, False), (Stage.UP, True), (Stage.HANDSHAKE, False)]
            )
        }
    )
    watch = DialledAtMost(links=most).watch(world, ())
    watch.look()
    assert answer(watch).holds is holds
    assert watch.metrics["dialled_by_most"] == 2


# Quiet


@pytest.mark.parametrize(("sent", "holds"), [(4 * 300, True), (4 * 301, False)])
def test_what_new_cards_may_cost_is_beside_what_a_node_sends_when_idle(view, sent, holds):
    schedule = (Renew(at=9, nodes=(0, 1)), Renew(at=15, nodes=(1, 2)))
    watch = Quiet(bytes_per_second=10, after=10, bytes_a_renewal=100).watch(view, schedule)
    at(view, watch, 10)
    view.nodes[1].bytes_sent = sent
    view.now = 20 * SECOND
    assert answer(watch).holds is holds


# The scenarios


@pytest.mark.parametrize(
    ("name", "nodes", "parameters"),
    [
        ("churn", 10, {"dead": 0.001, "minutes": 1}),
        ("mass-failure", 24, {"within": 1.0}),
        ("nat", 12, {"dialled": 1}),
        ("healed-split", 12, {"within": 0.01, "minutes": 1}),
        ("join-storm", 12, {"bytes_a_node": 1, "bytes_a_card": 1}),
        ("renewal-storm", 20, {"minutes": 1, "bytes_a_card": 1}),
        ("late-joiner", 10, {"linked": 0.01}),
    ],
)
def test_a_scenario_of_many_who_come_and_go_breaks_where_it_asks_for_what_cannot_be(name, nodes, parameters):
    assert run(name, nodes=nodes, seed=1, parameters=parameters).broken
