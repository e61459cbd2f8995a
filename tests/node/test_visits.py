"""Visits: a node that has neighbours enough calls on others now and then, and nobody makes anything of it."""

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.dials import VISITS


def visits(member):
    return [event.node_id for event in member.told("dialling") if event.source == "visit"]


@pytest.fixture
def halves(net):
    """Two pairs, of which one knows an address of the other: ada and bob, carl and dora."""
    ada, bob, carl, dora = (net.member(name, target_links=1) for name in ("ada", "bob", "carl", "dora"))
    net.link(ada, bob)
    net.link(carl, dora)
    net.teach(ada, carl, carl.address)
    return ada, bob, carl, dora


def test_the_halves_of_a_network_find_each_other_by_visits(net, halves):
    net.wait(2 * VISITS / SECOND)
    assert {len(member.core.table) for member in halves} == {4}


def test_nobody_hears_of_a_visit(net, halves):
    ada, _, carl, _ = halves
    net.wait(10 * VISITS / SECOND)
    assert carl.core.node_id in visits(ada)
    for member in halves:
        assert len(member.told("peer-verified")) == 1
        assert not member.told("peer-lost")
        assert not member.told("connection-failed")


def test_a_visit_leaves_no_link_and_no_neighbour(net, halves):
    ada, _, carl, _ = halves
    net.wait(VISITS / SECOND)
    assert visits(ada)
    net.wait(5)
    assert not ada.links_to(carl)
    assert len(ada.core._overlay.views.active) == 1


def test_whoever_lacks_neighbours_pays_visits_all_the_same(net):
    """Or where all are full, a table that is bounded say, the parts of a network that was divided would not meet."""
    ada, bob, carl = (net.member(name, target_links=3) for name in ("ada", "bob", "carl"))
    net.link(ada, bob)
    net.teach(ada, carl, carl.address)
    ada.core._dialler.pauses.put_off(carl.core.node_id, carl.address, net.now)
    for _ in range(20):
        ada.core._dialler.pauses.failed(carl.address, net.now)
    net.wait(2 * VISITS / SECOND)
    assert carl.core.node_id in visits(ada)


def test_whoever_has_no_neighbour_pays_no_visits(net):
    ada, bob = net.member("ada", target_links=3), net.member("bob", target_links=0)
    net.teach(ada, bob, bob.address)
    for _ in range(20):
        ada.core._dialler.pauses.failed(bob.address, net.now)
    net.wait(2 * VISITS / SECOND)
    assert not visits(ada)


def test_a_peer_that_did_not_answer_for_long_is_called_on_all_the_same(net, halves):
    """While a network is divided, the pauses of those on the other side have grown to minutes."""
    ada, _, carl, _ = halves
    for _ in range(20):
        ada.core._dialler.pauses.failed(carl.address, net.now)
    net.wait(VISITS / SECOND)
    assert carl.core.node_id in visits(ada)


def test_a_visitor_that_does_not_go_is_seen_off(net):
    ada = net.member("ada", target_links=0)
    eve = net.puppet(ada, "eve").handshake().hello(features=("visit",)).heads().ready()
    for _ in range(6):
        net.wait(ada.core.config.idle_timeout / 6)
        eve.frame(2, b"alive")
    assert eve.link is None or eve.link.ending


def test_a_link_that_is_to_stay_wins_over_a_visit(net):
    low, high = net.two()
    net.link(high, low)
    (standing,) = low.links_to(high)
    connection = net.target(low, high.address, high.core.node_id, source="visit")
    net.join(low, connection, high)
    net.pump()
    net.wait(5)
    assert low.links_to(high) == [standing]
    assert standing.counted_up


# Of whose choice neighbours are


def test_more_than_half_of_the_neighbours_are_of_our_own_choice_however_many_come(net):
    ada = net.member("ada", target_links=4)
    for number in range(6):
        net.puppet(ada, f"eve-{number}").come_up()
    for number in range(3):
        bob = net.member(f"bob-{number}", target_links=0)
        net.teach(ada, bob, bob.address)
    net.wait(5)
    assert sum(ada.core._overlay.views.active.values()) == 3


def test_a_link_that_steps_back_is_not_counted_on_again(net):
    """Or whoever dials again and again would keep it from ending."""
    low, high = net.pair()
    net.link(low, high)
    older, newer = sorted(low.links_to(high), key=lambda link: link.up_at or 0)
    assert older.draining
    number = next(number for number, link in low.links.items() if link is newer)
    net.give(low, io.ConnectFailed(number, "a broken wire"))
    assert not older.counted_up
    assert len(low.told("peer-lost")) == 1
