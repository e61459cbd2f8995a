"""Fingerprints: equal in two tables that hold the same items, in whatever order those came, and hardly in others."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.gossip.items import NO_ISSUER, Place, Span, body_id, fingerprint, grant_id, record_id, share
from tests.gossip.comparison import OPS, Side

NAMES = ["ada", "bob", "carl"]


def whole(group):
    return Span(bytes(group), b"", b"")


def fingerprints(table, *issuers):
    return [bytes(table.items.fingerprint(whole(group))) for group in (NO_ISSUER, *issuers)]


def test_a_renewed_grant_makes_tables_differ(place, offer):
    tables = [place.table(), place.table()]
    for one in tables:
        offer(one, place.card("ada"))
    offer(tables[1], place.grant(place.bare("ada"), serial=2))
    one, other = (fingerprints(table, place.issuer.public) for table in tables)
    assert one != other
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
    issuers = place.issuer.public, place.second.public
    assert fingerprints(one, *issuers) == fingerprints(other, *issuers)


ids = st.sets(st.binary(min_size=16, max_size=16), max_size=30)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(ids, ids)
def test_fingerprints_are_equal_if_the_items_are_and_differ_in_others(one, other):
    place = Place(7, frozenset((OPS,)))
    sides = [Side(b"a", dict.fromkeys(held, place)) for held in (one, other)]
    marks = [side.items.fingerprint(whole(OPS)) for side in sides]
    assert (marks[0] == marks[1]) == (one == other)
    for item in one - other:
        sides[0].lose(item, place)
    for item in other - one:
        sides[1].lose(item, place)
    assert sides[0].items.fingerprint(whole(OPS)) == sides[1].items.fingerprint(whole(OPS))


def test_a_fingerprint_is_of_the_sum_and_the_number():
    one, other = share(b"a" * 16), share(b"b" * 16)
    assert fingerprint(one + other, 2) == fingerprint(other + one + (1 << 256), 2)
    assert fingerprint(one, 1) != fingerprint(one, 2) != fingerprint(other, 2)


def test_each_item_stands_at_the_hour_in_which_it_was_issued(place):
    """Of its own, or a renewed grant would lie a year back where nobody looks first."""
    table = place.table()
    bare = place.bare("ada", now=place.START - 30 * 3_600)
    card = place.grant(bare, now=place.START - 20 * 3_600)
    record = place.record("ada", now=place.START - 10 * 3_600)
    table.offer_card(card, place.START, source=b"")
    table.offer_record(record, place.START)
    keys = table.items.keys_at(whole(place.issuer.public), [0, 1, 2])
    hours = [int.from_bytes(key[:3], "big") - place.START // 3_600 for key in keys]
    assert hours == [-30, -20, -10]
    grant = grant_id(card.card_id, place.issuer.public, card.grants[0].attrs)
    assert [key[3:] for key in keys] == [body_id(card.card_id), grant, record_id(record)]


def test_an_item_is_in_the_group_of_every_issuer_whose_grant_counts(place, both):
    card = place.grant(place.card("ada"), place.second)
    both.offer_card(card, place.START, source=b"")
    both.offer_record(place.record("ada"), place.START)
    of_two = {body_id(card.card_id), record_id(place.record("ada"))}
    for issuer, grant in zip((place.issuer, place.second), card.grants, strict=True):
        held = both.items.within(whole(issuer.public))
        assert set(held) == of_two | {grant_id(card.card_id, issuer.public, grant.attrs)}
    assert both.items.count(whole(NO_ISSUER)) == 0
