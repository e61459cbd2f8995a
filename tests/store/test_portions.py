"""A large table is read back in portions: who is dialled first before the others, and none is lost or read twice."""

import hashlib

import pytest

from cards import IssuerKey, Policy, grant, verify_card
from p2pnoise.store import joining
from p2pnoise.store.peer_store import Anchors

OWN = "peer-4"


def names(rows):
    return [row.card.name for row in rows]


@pytest.fixture
def store(shelf):
    """Ten peers, of whom one is ourselves."""
    store = shelf.open(node_id=bytes(shelf.card(OWN).node_id))
    store.commit([shelf.peer(f"peer-{number}", record=shelf.record(f"peer-{number}")) for number in range(10)])
    yield store
    store.close()


def anchors(shelf, *names):
    return Anchors(tuple(shelf.card(name).node_id for name in names))


@pytest.mark.parametrize("most", [1, 3, 5, 9, 10, 11])
def test_portions_give_every_row_once_and_say_how_many_are_left(store, most):
    found, left = [], 10
    for rows, after in store.portions(most):
        assert 0 < len(rows) <= most
        found += names(rows)
        left -= len(rows)
        assert after == left
    assert left == 0
    assert found == [f"peer-{number}" for number in range(10)]


def test_an_empty_table_has_no_portions(shelf):
    store = shelf.open()
    assert list(store.portions(5)) == []
    assert list(store.first_rows()) == []
    assert len(store) == 0
    store.close()


def test_a_row_written_between_two_portions_is_neither_read_nor_in_the_way(shelf, store):
    portions = store.portions(4)
    found = names(next(portions)[0])
    store.commit([shelf.peer("late"), shelf.peer("peer-7", sequence=2)])
    rest = [row for rows, _ in portions for row in rows]
    assert [*found, *names(rest)] == [f"peer-{number}" for number in range(10)]
    assert [row.card.sequence for row in rest if row.card.name == "peer-7"] == [2]


def test_a_damaged_row_leaves_the_count_right(store):
    store._db.execute("UPDATE peers SET card = x'00' WHERE name IN ('peer-0', 'peer-9')")
    portions = list(store.portions(3))
    assert [after for _, after in portions] == [7, 4, 1, 0]
    assert sum(len(rows) for rows, _ in portions) == 8


def test_the_first_rows_are_our_own_and_those_of_the_anchors(shelf, store):
    store.commit([anchors(shelf, "peer-8", "peer-2")])
    assert {*names(store.first_rows())} == {OWN, "peer-8", "peer-2"}
    assert store.anchors() == (shelf.card("peer-8").node_id, shelf.card("peer-2").node_id)


def test_anchors_take_the_place_of_those_before_and_survive_the_end(shelf, store):
    store.commit([anchors(shelf, "peer-8", "peer-2")])
    store.commit([anchors(shelf, "peer-3")])
    store.close()
    again = shelf.open(node_id=bytes(shelf.card(OWN).node_id))
    assert again.anchors() == (shelf.card("peer-3").node_id,)
    again.close()


def test_anchors_that_are_no_node_ids_are_none(shelf, store):
    store.commit([anchors(shelf, "peer-8")])
    store._db.execute("UPDATE anchors SET node_id = x'00'")
    assert store.anchors() == ()
    assert names(store.first_rows()) == [OWN]


def test_who_knows_less_of_a_peer_than_is_written_takes_nothing_away(shelf, store):
    """As a node does that meets one of whom it has not read the row yet."""
    store.commit([shelf.peer("peer-1", record=shelf.record("peer-1"), provenance="live")])
    store.commit([shelf.peer("peer-1")])
    (row,) = [row for row in store.rows() if row.card.name == "peer-1"]
    assert row.record == shelf.record("peer-1")
    assert row.provenance == "live"


def test_a_record_of_the_node_before_goes_with_it(shelf, store):
    first = shelf.peer("peer-1", record=shelf.record("peer-1"), provenance="live")
    store.commit([first])
    store._db.execute("UPDATE peers SET node_id = ? WHERE name = 'peer-1'", (bytes(32),))
    store.commit([shelf.peer("peer-1", sequence=2)])
    (row,) = [row for row in store.rows() if row.card.name == "peer-1"]
    assert row.record is None
    assert row.provenance == "proven"


# What is learned anew of a row that was not read yet


def granted(shelf, *serials):
    """peer-1 with a grant of this serial by each of several issuers; no grant where it is 0."""
    card = shelf.card("peer-1")
    for number, serial in enumerate(serials):
        if serial:
            issuer = IssuerKey(hashlib.sha256(bytes([number])).digest())
            card = grant(issuer, card, serial=serial, now=shelf.NOW, entropy=bytes)
    return shelf.peer("peer-1", verified=verify_card(card, policy=Policy(network=shelf.NETWORK), now=shelf.NOW).card)


def written(store):
    (row,) = [row for row in store.rows() if row.card.name == "peer-1"]
    return row


def serials(store):
    return {one.kid: one.serial for one in written(store).card.grants}


def test_until_all_is_read_no_older_record_is_written_over_a_later_one(shelf, store):
    store.commit([shelf.peer("peer-1", record=shelf.record("peer-1", 9))])
    list(store.first_rows())
    store.commit([shelf.peer("peer-1", record=shelf.record("peer-1", 3))])
    assert written(store).record.sequence == 9
    store.commit([shelf.peer("peer-1", record=shelf.record("peer-1", 10))])
    assert written(store).record.sequence == 10


def test_a_record_that_has_ended_makes_room_for_one_of_a_lower_number(shelf, store):
    """Whoever stole a key could otherwise have used up the numbers for good."""
    last = shelf.record("peer-1", 9)
    store.commit([shelf.peer("peer-1", record=last)])
    list(store.first_rows())
    store.commit([shelf.peer("peer-1", record=shelf.record("peer-1", 3), changed=last.not_after)])
    assert written(store).record.sequence == 3


def test_until_all_is_read_no_grant_is_taken_away_and_of_each_key_the_latest_stays(shelf, store):
    store.commit([granted(shelf, 2, 5)])
    list(store.first_rows())
    store.commit([granted(shelf, 1)])
    assert sorted(serials(store).values()) == [2, 5]
    store.commit([granted(shelf, 3, 0, 1)])
    assert sorted(serials(store).values()) == [1, 3, 5]


def test_of_more_grants_than_an_envelope_holds_those_that_are_written_stay(shelf, store, monkeypatch):
    monkeypatch.setattr(joining, "MAX_GRANTS", 2)
    store.commit([granted(shelf, 2, 5)])
    list(store.first_rows())
    new = granted(shelf, 0, 0, 1, 1)
    store.commit([new])
    assert written(store).card.raw == new.verified.card.raw


def test_once_all_is_read_what_a_node_knows_is_what_is_written(shelf, store):
    store.commit([granted(shelf, 2, 5)])
    list(store.first_rows())
    for _ in store.portions(3):
        store.commit([granted(shelf, 1)])
        assert len(serials(store)) == 2
    store.commit([granted(shelf, 1)])
    assert list(serials(store).values()) == [1]
