"""Fingerprints: equal in two tables that hold the same items, in whatever order those came, and hardly in others."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ["ada", "bob", "carl"]


def test_a_renewed_grant_makes_tables_differ(place, offer):
    tables = [place.table(), place.table()]
    for one in tables:
        offer(one, place.card("ada"))
    offer(tables[1], place.grant(place.bare("ada"), serial=2))
    assert tables[0].items.fingerprints() != tables[1].items.fingerprints()
    assert next(iter(tables[0])).card.card_id == next(iter(tables[1])).card.card_id


def offers(place):
    """Everything that could be told of three nodes, each with two grants and two records."""
    for name in NAMES:
        bare = place.bare(name)
        for serial in (1, 2):
            for issuer in (place.issuer, place.second):
                yield "card", place.grant(bare, issuer, serial=serial)
        for sequence in (1, 2):
            yield "record", place.record(name, sequence=sequence)
        yield "card", place.card(name, sequence=2)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_fingerprints_do_not_depend_on_the_order_of_arrival(place, seed):
    def fill(order):
        table = place.table(policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))
        for _ in range(2):  # what came too early comes again
            for kind, what in order:
                if kind == "card":
                    table.offer_card(what, place.START, source=b"")
                else:
                    table.offer_record(what, place.START)
        return table

    plain = list(offers(place))
    shuffled = random.Random(seed).sample(plain, len(plain))
    one, other = fill(plain), fill(shuffled)
    assert sorted(one.items) == sorted(other.items)
    assert one.items.fingerprints() == other.items.fingerprints()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sets(st.binary(min_size=16, max_size=16), max_size=30), st.sets(st.binary(min_size=16, max_size=16)))
def test_fingerprints_are_equal_if_the_items_are_and_differ_in_others(one, other):
    from p2pnoise.gossip.items import ItemIndex  # noqa: PLC0415

    indexes = []
    for ids in (one, other):
        index = ItemIndex()
        for item in ids:
            index.add(item, b"")
        indexes.append(index)
    assert (indexes[0].fingerprints() == indexes[1].fingerprints()) == (one == other)
    for item in one - other:
        indexes[0].remove(item)
    for item in other - one:
        indexes[1].remove(item)
    assert indexes[0].fingerprints() == indexes[1].fingerprints()
