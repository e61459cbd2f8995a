"""Anchors: the neighbours of the last run are dialled first in the next one, whatever else stands in the table."""

from dataclasses import replace

import pytest

from p2pnoise.config import NodeConfig
from p2pnoise.gossip.effects import StoreAnchors
from p2pnoise.node import effects as io
from p2pnoise.node.anchors import MOST, Anchors


@pytest.fixture
def looked():
    return Anchors()


IDS = [bytes([number]) * 32 for number in range(6)]


def neighbours(*numbers, ours=()):
    return [(IDS[number], number in ours) for number in numbers]


def test_those_of_our_choice_come_before_who_came_to_us_and_the_oldest_first(looked):
    assert looked.look(neighbours(0, 1, 2, 3, 4, ours=(3, 4)))
    assert looked.node_ids == (IDS[3], IDS[4], IDS[0])


def test_a_node_that_loses_its_links_one_by_one_keeps_those_that_it_had(looked):
    looked.look(neighbours(0, 1, 2))
    for left in ((1, 2), (2,), ()):
        assert not looked.look(neighbours(*left))
    assert {*looked.node_ids} == {*IDS[:3]}


def test_who_has_left_makes_room_for_who_comes(looked):
    looked.look(neighbours(0, 1, 2))
    assert looked.look(neighbours(1, 2, 3))
    assert {*looked.node_ids} == {*IDS[1:4]}


def test_no_more_are_kept_than_are_dialled_beside_others(looked):
    looked.restored(tuple(IDS))
    assert looked.node_ids == tuple(IDS[:MOST])
    assert (NodeConfig().target_links + 1) // 2 > MOST


def test_neighbours_are_stored_once_and_not_again_while_they_stay(net):
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    net.link(ada, bob)
    net.wait(120)
    stored = [effect for effect in ada.effects if isinstance(effect, StoreAnchors)]
    assert stored == [StoreAnchors((bob.core.node_id,))]


def rows_of(member):
    return tuple(
        io.StoredPeer(peer.card, peer.record, peer.provenance, peer.first_seen, peer.learned_from)
        for peer in member.core.table
    )


@pytest.fixture
def town(net):
    """Eight members that know each other, and what one of them has stored."""
    members = [net.member(f"node-{number}", target_links=0) for number in range(8)]
    for other in members[1:]:
        net.link(members[0], other)
    net.wait(30)
    assert len(members[0].core.table) == 8
    return members


def again(net, first, restored, **options):
    first.online = False
    member = net.member("again", keys=net.keys("node-0"), card=first.core.card, listening=False, **options)
    net.give(member, restored)
    net.listen(member)
    return member


@pytest.mark.parametrize("number", range(1, 8))
def test_an_anchor_is_dialled_first_whatever_else_is_in_the_table(net, town, number):
    restored = io.PeersRestored(rows_of(town[0]), anchors=(town[number].core.node_id,))
    member = again(net, town[0], restored, target_links=2)
    assert member.dialled[0][0] == town[number].address


def test_one_of_the_first_dials_goes_to_somebody_else_than_anchors(net, town):
    anchors = tuple(one.core.node_id for one in town[1 : 1 + MOST])
    member = again(net, town[0], io.PeersRestored(rows_of(town[0]), anchors=anchors), target_links=8)
    first = [address for address, _ in member.dialled[: MOST + 1]]
    assert [one.address in first for one in town[1 : 1 + MOST]] == [True] * MOST
    assert first[-1] not in {one.address for one in town[1 : 1 + MOST]}


def test_an_anchor_whose_row_does_not_count_is_not_dialled(net, town):
    liar = town[1].core
    rows = [row for row in rows_of(town[0]) if row.card.node_id != liar.node_id]
    row = next(row for row in rows_of(town[0]) if row.card.node_id == liar.node_id)
    forged = replace(row, card=replace(row.card, key_signature=bytes(64)))
    restored = io.PeersRestored((*rows, forged), anchors=(liar.node_id,))
    member = again(net, town[0], restored, target_links=2)
    assert member.core.table.by_node(liar.node_id) is None
    assert town[1].address not in [address for address, _ in member.dialled]
