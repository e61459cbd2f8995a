"""Of a large table those who look at a few peers read a few rows; what is remembered of the others still counts."""

from contextlib import closing

import pytest

from p2pnoise.store import StoreError, read_table, reading

OWN = "peer-4"
EVERYBODY = [f"peer-{number}" for number in range(6)]


@pytest.fixture
def table(shelf):
    """Six peers, of whom one is ourselves."""
    with closing(shelf.open(node_id=bytes(shelf.card(OWN).node_id))) as store:
        store.commit([shelf.peer(name, record=shelf.record(name)) for name in EVERYBODY])
    return shelf.path


@pytest.fixture
def parsed(monkeypatch):
    """The cards that are read."""
    parse, found = reading._row, []

    def row(raw):
        found.append(parse(raw))
        return found[-1]

    monkeypatch.setattr(reading, "_row", row)
    return found


@pytest.mark.parametrize("by", ["name", "node_id", "identity"])
def test_of_one_peer_its_row_is_read_and_ours(shelf, table, parsed, by):
    about = str(getattr(shelf.card("peer-2"), by))
    found = read_table(table, about=about)
    assert sorted(row.card.name for row in found.rows) == ["peer-2", OWN]
    assert (len(parsed), found.total) == (2, 6)


@pytest.mark.parametrize("text", ["peer-9", "node1x", "", "10.0.0.1:7060"])
def test_whoever_is_not_there_has_no_row(table, text):
    assert [row.card.name for row in read_table(table, about=text).rows] == [OWN]


def test_the_marks_of_all_come_with_some_rows(shelf, table, parsed):
    whole, none = read_table(table), read_table(table, 0)
    assert (len(whole.rows), whole.marks) == (6, {})
    assert (none.rows, none.total, len(parsed)) == ((), 6, 6)
    assert none.marks == {bytes(row.card.identity): row.card.mark for row in whole.rows}


def test_names_are_read_without_a_card(table, parsed):
    assert (reading.names(table), parsed) == (EVERYBODY, [])


def test_envelopes_come_as_they_are_stored_without_a_look_at_them(shelf, table, parsed):
    with reading.envelopes(table) as (total, found):
        held = dict(found)
    assert (total, parsed) == (6, [])
    assert held == {shelf.card(name).raw: shelf.record(name).raw for name in EVERYBODY}


def test_the_rows_of_some_cards_are_those_of_their_identities_and_nodes(shelf, table):
    with closing(shelf.open(node_id=bytes(shelf.card(OWN).node_id))) as store:
        found = store.rows_of([shelf.card("peer-1", sequence=7), shelf.card("stranger")])
        assert [row.card.name for row in found] == ["peer-1"]


@pytest.mark.parametrize("look", [reading.names, lambda path: reading.envelopes(path).__enter__()])
def test_where_there_is_no_database_that_is_said(tmp_path, look):
    with pytest.raises(StoreError, match="no node database"):
        look(tmp_path / "node.db")
