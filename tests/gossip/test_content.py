"""Content: what a row holds follows from what is signed, and is one object for all who judge alike."""

from cards import Memo
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.items import body_id, record_id


def tables(place, *names):
    """Those of nodes that share a memo, all in one world."""
    memo = Memo()
    found = [PeerTable(place.policy, own=place.keys(name)[0].public, memo=memo) for name in names]
    for table in found:
        table.offer_fact(place.first_list, place.START)
    return memo, found


def test_nodes_that_share_a_memo_share_what_their_rows_hold(place):
    memo, (one, other) = tables(place, "one", "other")
    card, record = memo.card(place.card("ada").raw), memo.record(place.record("ada").raw)
    for table, source in ((one, b"somebody"), (other, b"somebody else")):
        table.offer_card(card, place.START, source=source)
        table.offer_record(record, place.START)
    ours, theirs = one.by_node(card.node_id), other.by_node(card.node_id)
    assert ours.content is theirs.content
    assert (ours.learned_from, theirs.learned_from) == (b"somebody", b"somebody else")


def test_a_row_goes_by_its_own_verdict_although_the_memo_is_shared(place):
    memo, (one, other) = tables(place, "one", "other")
    other.policy = place.both
    card = memo.card(place.card("ada").raw)
    for table in (one, other):
        table.offer_card(card, place.START, source=b"somebody")
    ours, theirs = one.by_node(card.node_id), other.by_node(card.node_id)
    assert ours.content is not theirs.content
    assert ours.places == theirs.places


def test_a_record_stands_in_the_groups_of_its_card_and_the_next_takes_its_place(place, table, offer):
    _, peer = offer(table, place.card("ada"))
    body = body_id(peer.card.card_id)
    first, second = place.record("ada"), place.record("ada", sequence=2, now=place.START - 40)
    with_first = peer.content.with_record(first)
    with_second = with_first.with_record(second)
    assert with_first.places[record_id(first)].groups == peer.places[body].groups
    assert record_id(first) not in with_second.places
    assert with_second.item_ids == (*peer.item_ids, record_id(second))
    assert with_second.with_record(None).item_ids == peer.item_ids


def test_what_ends_first_is_when_a_row_wants_a_look(place, table, offer):
    _, peer = offer(table, place.card("ada"))
    record = place.record("ada")
    assert peer.content.until == peer.verdict.valid_until > record.not_after
    assert peer.content.with_record(record).until == record.not_after
