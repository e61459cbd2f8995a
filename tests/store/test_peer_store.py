"""PeerStore: what goes in comes out, whole batches only, and marks never go back."""

import dataclasses
import itertools
import random
import sqlite3
import threading

import pytest

from cards import Card, IssuerKey, Mark, Terms, VerifiedCard
from p2pnoise.store import StoreError, read_table


def test_a_row_comes_back_as_it_was_put(shelf):
    record = shelf.record("ada", 7)
    store = shelf.open()
    store.commit([shelf.peer("ada", 3, record=record, provenance="live", first_seen=5, learned_from=b"t" * 32)])
    (row,) = store.rows()
    assert row.card == shelf.card("ada", 3)
    assert row.record == record
    assert (row.standing, row.provenance, row.first_seen, row.learned_from) == ("verified", "live", 5, b"t" * 32)
    store.close()


def test_a_table_outlives_its_connection(shelf):
    shelf.filled()
    marks, lists, rows = shelf.read()
    assert len(rows) == len(marks) == 30
    assert [one.sequence for one in lists] == [1, 2]


def test_the_first_seen_time_and_the_teller_are_the_first_ones(shelf):
    store = shelf.open()
    store.commit([shelf.peer(first_seen=5, learned_from=b"a" * 32)])
    store.commit([shelf.peer(sequence=2, first_seen=9, learned_from=b"b" * 32)])
    (row,) = store.rows()
    assert (row.card.sequence, row.first_seen, row.learned_from) == (2, 5, b"a" * 32)
    store.close()


def test_our_own_row_comes_first_and_then_those_that_lived(shelf):
    own = shelf.card("zoe").node_id
    store = shelf.open(node_id=own)
    store.commit([shelf.peer("ada"), shelf.peer("bob", provenance="live"), shelf.peer("zoe")])
    assert [row.card.name for row in store.rows()] == ["zoe", "bob", "ada"]
    store.close()


def test_lists_come_back_oldest_first_and_give_the_same_state(shelf):
    ada, bob = shelf.card("ada").identity, shelf.card("bob").identity
    state = shelf.revocations(shelf.list(1, [ada]), shelf.list(2, [bob]), shelf.list(3))
    store = shelf.open()
    store.commit([state])
    assert shelf.revocations(*store.lists()) == state
    store.close()


def test_a_list_of_many_pages_comes_back_whole(shelf):
    state = shelf.revocations(shelf.list(1, [number.to_bytes(32, "big") for number in range(5_000)]))
    store = shelf.open()
    store.commit([state])
    store.close()
    again = shelf.open()
    assert shelf.revocations(*again.lists()) == state
    again.close()


def test_the_lists_of_an_issuer_that_said_nothing_new_are_not_written_again(shelf):
    other = IssuerKey(bytes(32))
    first, second = shelf.list(1, issuer=other), shelf.list(2, issuer=other)
    state = shelf.revocations(shelf.list(1), first)
    newer, _ = state.add(second, Terms(issuers=[other.public], network=second.network, now=second.issued_at))
    store = shelf.open()
    store.commit([state])
    before = store._db.total_changes
    store.commit([newer])
    assert store._db.total_changes - before == 2  # one row out, one in
    assert {(one.issuer, one.sequence) for one in store.lists()} == {(shelf.issuer.public, 1), (other.public, 2)}
    store.close()


def test_lists_that_are_no_longer_needed_are_gone(shelf):
    store = shelf.open()
    store.commit([shelf.revocations(shelf.list(1))])
    store.commit([shelf.revocations(shelf.list(1), shelf.list(2))])
    assert [one.sequence for one in store.lists()] == [2]
    store.close()


def test_an_unverified_card_cannot_be_put(shelf):
    store = shelf.open()
    with pytest.raises(AttributeError):
        store.commit([dataclasses.replace(shelf.peer(), verified=shelf.card("ada"))])
    assert list(store.rows()) == []
    assert store.marks() == {}
    store.close()


def test_nobody_but_the_verifier_makes_a_verified_card(shelf):
    with pytest.raises(TypeError):
        VerifiedCard(shelf.card("ada"), object())


def test_the_mark_of_a_peer_is_its_highest_number_in_whatever_order_batches_come(shelf):
    for number, order in enumerate(itertools.permutations((1, 2, 3))):
        store = shelf.open()
        name = f"peer-{number}"
        for sequence in order:
            store.commit([shelf.peer(name, sequence)])
        card = shelf.card(name, 3)
        assert store.marks()[card.identity] == Mark(3, card.card_id)
        store.close()


def test_the_mark_of_a_peer_is_its_highest_number_within_one_batch(shelf):
    store = shelf.open()
    store.commit([shelf.peer("ada", 5), shelf.peer("ada", 4)])
    assert store.marks()[shelf.card("ada").identity].sequence == 5
    store.close()


def test_a_mark_of_an_equal_number_stays_the_first_card(shelf):
    twin = Card.parse(shelf.card("ada", 5).raw)
    store = shelf.open()
    store.commit([shelf.peer("ada", 5)])
    store._db.execute("UPDATE marks SET card_id = ?", (b"first" * 6,))
    store.commit([shelf.peer("ada", 5)])
    assert store.marks()[twin.identity].card_id == b"first" * 6
    store.close()


class FaultError(Exception):
    """Something broke in the middle of a batch."""


def _batch_that_breaks(shelf, after):
    yield from (shelf.peer(f"new-{number}") for number in range(after))
    raise FaultError


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_batch_that_breaks_leaves_nothing_behind(shelf, after):
    shelf.filled(2)
    before = shelf.read()
    store = shelf.open()
    with pytest.raises(FaultError):
        store.commit(_batch_that_breaks(shelf, after))
    assert len(list(store.rows())) == 2
    store.close()
    assert shelf.read() == before


def test_a_statement_that_fails_takes_its_whole_batch_with_it(shelf):
    store = shelf.open()
    store._db.execute(
        "CREATE TRIGGER t BEFORE INSERT ON peers WHEN NEW.name='bad' BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(StoreError, match="no room"):
        store.commit([shelf.revocations(shelf.list(1)), shelf.peer("good"), shelf.peer("bad")])
    store.close()
    assert shelf.read() == ({}, (), [])


def test_an_empty_batch_is_a_batch(shelf):
    store = shelf.open()
    store.commit([])
    store.close()


def test_two_writers_take_turns_and_marks_never_go_back(shelf):
    rng = random.Random(3)
    orders = [rng.sample(range(1, 21), 20) for _ in range(2)]
    shelf.open().close()
    failures = []

    def write(order):
        try:
            store = shelf.open()
            for sequence in order:
                store.commit([shelf.peer("ada", sequence)])
            store.close()
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert shelf.read()[0][shelf.card("ada").identity].sequence == 20


def test_a_writer_that_never_ends_is_named_after_a_while(shelf):
    store = shelf.open()
    store._db.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(shelf.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.commit([shelf.peer()])
    other.execute("ROLLBACK")
    other.close()
    store.close()


def test_a_table_is_read_while_its_node_writes(shelf):
    store = shelf.open()
    store.commit([shelf.peer("ada"), shelf.revocations(shelf.list(1))])
    table = read_table(shelf.path)
    assert [row.card.name for row in table.rows] == ["ada"]
    assert [one.sequence for one in table.lists] == [1]
    assert table.node_id == shelf.OWN
    store.commit([shelf.peer("bob")])
    assert len(read_table(shelf.path).rows) == 2
    store.close()


def test_a_table_is_read_in_the_middle_of_a_batch_as_it_was_before_it(shelf):
    store = shelf.open()
    seen = []

    def batch():
        yield shelf.peer("ada")
        seen.append(len(read_table(shelf.path).rows))
        yield shelf.peer("bob")

    store.commit(batch())
    assert seen == [0]
    assert len(read_table(shelf.path).rows) == 2
    store.close()


def test_a_table_is_read_after_its_node_has_stopped_and_is_not_changed(shelf):
    shelf.filled()
    before = shelf.path.read_bytes()
    assert len(read_table(shelf.path).rows) == 30
    assert shelf.path.read_bytes() == before


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a b", "?mode=memory", "ä"])
def test_a_table_is_read_whatever_its_folder_is_called(make_shelf, tmp_path, name):
    (tmp_path / name).mkdir()
    shelf = make_shelf(tmp_path / name / "node.db")
    shelf.filled(2)
    assert len(read_table(shelf.path).rows) == 2
