"""Candidates: whom a node draws, by networks, and which addresses are kept because somebody answered there."""

import random
from collections import Counter

import pytest

from p2pnoise.gossip.candidates import MAX_NETWORKS, MAX_TRIED, Candidates
from p2pnoise.gossip.company import SEVERAL
from p2pnoise.gossip.networks import home_of

CROWD, OTHERS = 40, 20


@pytest.fixture
def table(place):
    """A table of one crowded network and of others with one node each."""
    table = place.table()
    for number in range(CROWD + OTHERS):
        address = f"60.0.0.{number + 1}:7060" if number < CROWD else f"20.{number}.0.1:7060"
        assert table.offer_card(place.card(f"node-{number}"), place.START, source=table.own)[1] is not None
        record = place.record(f"node-{number}", addresses=[address])
        assert table.offer_record(record, place.START)[1] is not None
    return table


@pytest.fixture
def candidates(table):
    return Candidates(table, random=random.Random(1))


def node_id(place, number):
    return bytes(place.keys(f"node-{number}")[0].public)


def test_a_crowded_network_is_drawn_no_more_often_than_any_other(candidates):
    first = Counter(home_of(candidates.draw(8)[0].record) for _ in range(300))
    assert first["60.0"] < 300 * 3 / (OTHERS + 1)


def test_no_two_of_one_network_are_drawn_while_there_are_others(candidates):
    drawn = [home_of(peer.record) for peer in candidates.draw(16)]
    assert len(drawn) == len(set(drawn)) == 16


def test_where_there_are_no_others_more_of_one_network_are_drawn(candidates):
    assert len(candidates.draw(40)) == 40


def test_networks_are_counted(candidates):
    assert candidates.networks(0) == OTHERS + 1


def test_half_of_a_draw_has_answered_before(candidates, place):
    for number in range(SEVERAL):
        candidates.answered(node_id(place, number % 4), f"20.{number}")
    drawn = [bytes(peer.node_id) for peer in candidates.draw(2 * SEVERAL)]
    assert {node_id(place, number) for number in range(4)} == set(drawn[:4])
    assert len(drawn) == len(set(drawn))


def test_the_first_who_answer_are_not_all_that_is_drawn(candidates, place):
    for number in range(SEVERAL - 1):
        candidates.answered(node_id(place, 0), f"20.{number}")
    assert sum(bytes(candidates.draw(8)[0].node_id) == node_id(place, 0) for _ in range(100)) < 20


def test_whoever_does_not_answer_any_more_is_forgotten(candidates, place):
    candidates.answered(node_id(place, 0), "60.0")
    candidates.silent(node_id(place, 0), "60.0")
    assert candidates.tried == []


def test_a_newcomer_takes_no_place_from_one_that_still_answers(candidates, place):
    for number in range(MAX_TRIED + 1):
        candidates.answered(node_id(place, number), "60.0")
    before = {bytes(peer.node_id) for peer in candidates.tried}
    assert node_id(place, MAX_TRIED) not in before
    (tested,) = candidates.to_visit()  # the first of them is to show that it is there
    assert bytes(tested.node_id) == node_id(place, 0)
    candidates.answered(node_id(place, 0), "60.0")
    assert {bytes(peer.node_id) for peer in candidates.tried} == before
    assert len(candidates.to_visit()) > 1


def test_a_newcomer_takes_the_place_of_one_that_does_not(candidates, place):
    for number in range(MAX_TRIED + 1):
        candidates.answered(node_id(place, number), "60.0")
    candidates.silent(node_id(place, 0), "60.0")
    assert {bytes(peer.node_id) for peer in candidates.tried} == {
        node_id(place, number) for number in range(1, MAX_TRIED + 1)
    }


def test_tried_addresses_are_bounded(candidates):
    for number in range(MAX_NETWORKS + 10):
        candidates.answered(number.to_bytes(32, "big"), f"net-{number}")
    assert len(candidates._tried) == MAX_NETWORKS
