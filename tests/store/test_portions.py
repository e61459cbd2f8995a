"""A large table is read back in portions: who is dialled first before the others, and none is lost or read twice."""

import pytest

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
