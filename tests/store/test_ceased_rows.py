"""Rows that have ceased to count are kept for a while, and do not add up."""

import sqlite3

import pytest

from p2pnoise.store import peer_store
from p2pnoise.store.peer_store import Forgotten


@pytest.fixture
def store(shelf):
    store = shelf.open()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(peer_store, "MAX_CEASED", 5)


def names(store):
    return {row.card.name for row in store.rows()}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("standing", ["over-quota", "revoked", "expired"])
def test_the_last_few_of_those_that_ceased_to_count_stay(shelf, store, standing, at_once):
    store.commit([shelf.peer("friend", changed=shelf.NOW - 100)])
    gone = [shelf.peer(f"gone-{number}", standing=standing, changed=shelf.NOW + number) for number in range(20)]
    for batch in [gone] if at_once else [[one] for one in gone]:
        store.commit(batch)
    assert names(store) == {"friend", *(f"gone-{number}" for number in range(15, 20))}


def test_the_marks_of_those_that_went_stay(shelf, store):
    store.commit([shelf.peer(f"gone-{number}", standing="over-quota") for number in range(20)])
    assert len(store) == 5
    assert len(store.marks()) == 20


def test_marks_are_forgotten_that_the_table_has_forgotten(shelf, store):
    first, second = (shelf.peer(name) for name in ("first", "second"))
    store.commit([first, second])
    store.commit([Forgotten((bytes(first.verified.card.identity),))])
    assert store.marks().keys() == {second.verified.card.identity}
    assert names(store) == {"first", "second"}


def test_whoever_counts_again_is_among_them_no_longer(shelf, store):
    store.commit([shelf.peer("back", standing="over-quota", changed=shelf.NOW - 1)])
    store.commit([shelf.peer("back", changed=shelf.NOW - 1)])
    store.commit([shelf.peer(f"gone-{number}", standing="over-quota") for number in range(20)])
    assert "back" in names(store)


def test_the_last_card_of_who_handed_over_stays(shelf, store):
    store.commit([shelf.peer("before", standing="superseded", changed=shelf.NOW - 1)])
    store.commit([shelf.peer(f"gone-{number}", standing="over-quota") for number in range(20)])
    assert "before" in names(store)


def test_they_are_found_without_a_look_at_every_row(shelf, store):
    database = sqlite3.connect(shelf.path)
    plan = database.execute(f"EXPLAIN QUERY PLAN {peer_store.FORGET_CEASED}", (5,)).fetchall()
    database.close()
    assert any("idx_peers_ceased" in step for *_, step in plan)
    assert not any(step == "SCAN peers" for *_, step in plan)
