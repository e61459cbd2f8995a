"""Scores: what the faults of a node were outlives a restart, and there are not too many of them."""

import sqlite3

import pytest

from cards import NodeId
from p2pnoise.store import peer_store
from p2pnoise.store.peer_store import Score


def node(number):
    return NodeId(number.to_bytes(31, "big") + b"\1")


@pytest.fixture
def store(shelf):
    store = shelf.open()
    yield store
    store.close()


def test_scores_come_back_the_oldest_first_and_the_last_of_each_node_counts(shelf, store):
    store.commit([Score(node(1), 1.0, 10), Score(node(2), 1.0, 20), Score(node(1), 1.75, 30)])
    store.close()
    again = shelf.open()
    assert list(again.scores().items()) == [(node(2), (1.0, 20)), (node(1), (1.75, 30))]
    again.close()


def test_whoever_has_no_fault_any_more_is_forgotten(store):
    store.commit([Score(node(1), 1.0, 10)])
    store.commit([Score(node(1), 0.0, 20)])
    assert store.scores() == {}


def test_those_whose_faults_are_the_oldest_make_room(store, monkeypatch):
    monkeypatch.setattr(peer_store, "MAX_SCORES", 3)
    store.commit([Score(node(number), 1.0, 10 - number) for number in range(6)])
    assert list(store.scores()) == [node(2), node(1), node(0)]


@pytest.mark.parametrize("change", ["node_id = x'00'", "faults = 'many'", "at = 'never'", "at = -5"])
def test_scores_that_make_no_sense_are_none(shelf, store, change):
    store.commit([Score(node(1), 1.0, 10)])
    database = sqlite3.connect(shelf.path)
    database.execute(f"UPDATE scores SET {change}")
    database.commit()
    database.close()
    assert store.scores() == {}
