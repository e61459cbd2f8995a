"""The peer table: only what counts comes in, the newest stays, forged and repeated things change nothing."""

import dataclasses

import pytest

from cards import Card, IdentityKey
from p2pnoise.gossip import table as module
from p2pnoise.gossip.items import body_id


def codes(verdict):
    return {finding.code for finding in verdict.errors}


def test_a_card_that_counts_comes_in(place, table, offer):
    verdict, peer = offer(table, place.card("ada"))
    assert verdict.ok
    assert table.by_node(peer.node_id) == table.by_card_id(peer.card.card_id) == peer
    assert peer.provenance == "proven"
    assert peer.learned_from == b"somebody"


def test_the_same_card_again_changes_nothing(place, table, offer):
    offer(table, place.card("ada"))
    assert offer(table, place.card("ada"))[1] is None


@pytest.mark.parametrize("live_first", [True, False])
def test_a_handshake_makes_a_card_live_and_gossip_does_not_undo_it(place, table, offer, live_first):
    for live in (live_first, not live_first):
        offer(table, place.card("ada"), live=live)
    assert next(iter(table)).provenance == "live"


def refused_cards(place):
    ada = place.card("ada")
    _, identity = place.keys("ada")
    other = place.card("bob")
    return {
        "no grant": place.bare("ada"),
        "grant of a stranger": place.card("ada", issuer=place.stranger),
        "other network": place.grant(place.bare("ada", network="other-net")),
        "ended": place.grant(place.bare("ada", now=place.START - 500, lifetime=450), now=place.START - 400),
        "ended grant": place.grant(place.bare("ada"), lifetime=50),
        "not begun": place.grant(place.bare("ada", now=place.START + 4000), now=place.START + 4000),
        "no node signature": Card.from_body(ada.body, ada.key_signature, b"").with_grants(ada.grants),
        "key signature of another": Card.from_body(ada.body, other.key_signature, ada.node_signature).with_grants(
            ada.grants
        ),
        "node signature of another": Card.from_body(ada.body, ada.key_signature, other.node_signature).with_grants(
            ada.grants
        ),
        "grant of another card": ada.with_grants(other.grants),
        "our node": place.grant(place.bare("own", keys=(place.keys("own")[0], identity))),
    }


KINDS = [
    "no grant",
    "grant of a stranger",
    "other network",
    "ended",
    "ended grant",
    "not begun",
    "no node signature",
    "key signature of another",
    "node signature of another",
    "grant of another card",
    "our node",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_that_does_not_count_leaves_no_trace(place, table, offer, kind):
    card = refused_cards(place)[kind]
    verdict, peer = offer(table, card)
    assert not verdict.ok
    assert peer is None
    assert len(table) == 0
    assert table.mark(card.identity) is None
    assert not table.items


def test_without_a_list_of_its_issuer_no_card_counts(place, offer):
    verdict, _ = offer(place.table(lists=()), place.card("ada"))
    assert "revocation-missing" in codes(verdict)


def test_our_identity_on_another_node_is_a_self_peer(place, table, offer):
    offer(table, place.card("own"), own=True, live=True)
    _, identity = place.keys("own")
    clone = place.grant(place.bare("own", keys=(place.keys("ada")[0], identity), sequence=2))
    assert "self-peer" in codes(offer(table, clone)[0])


def test_a_node_serves_one_identity(place, table, offer):
    offer(table, place.card("ada"))
    key, _ = place.keys("ada")
    second = place.grant(place.bare("eve", keys=(key, IdentityKey(b"e" * 32))))
    assert "node-conflict" in codes(offer(table, second)[0])


# Sequence numbers.


def test_a_higher_sequence_replaces(place, table, offer):
    offer(table, place.card("ada"))
    verdict, peer = offer(table, place.card("ada", sequence=2))
    assert verdict.ok
    assert len(table) == 1
    assert next(iter(table)) == peer
    assert table.by_card_id(place.card("ada").card_id) is None


def test_a_lower_sequence_is_rollback(place, table, offer):
    offer(table, place.card("ada", sequence=2))
    assert codes(offer(table, place.card("ada"))[0]) == {"rollback"}


def test_another_body_of_one_sequence_is_equivocation_and_the_first_stays(place, table, offer):
    _, first = offer(table, place.card("ada"))
    twin = place.grant(place.bare("ada", lifetime=12345))
    assert codes(offer(table, twin)[0]) == {"equivocation"}
    assert next(iter(table)) == first


def test_a_card_without_an_accepted_grant_moves_no_mark(place, table, offer):
    offer(table, place.card("ada", sequence=9, issuer=place.stranger))
    assert offer(table, place.card("ada"))[1] is not None


def test_marks_survive_removal(place, table, offer):
    card = place.card("ada", sequence=2)
    offer(table, card)
    table.offer_fact(place.make_list(2, revoked=[card.card_id]), place.START)
    assert len(table.reconsider(list(table), place.START)) == 1
    assert len(table) == 0
    assert table.mark(card.identity).sequence == 2
    assert "rollback" in codes(offer(table, place.card("ada"))[0])
    assert offer(table, place.card("ada", sequence=3))[1] is not None


def test_a_new_node_key_takes_its_old_node_id_and_record_out(place, table, offer):
    offer(table, place.card("ada"))
    table.offer_record(place.record("ada"), place.START)
    _, identity = place.keys("ada")
    _, peer = offer(table, place.grant(place.bare("ada", keys=(place.keys("ada again")[0], identity), sequence=2)))
    assert table.by_node(place.keys("ada")[0].public) is None
    assert peer.record is None
    assert len(table) == 1


# Records.


def test_a_record_of_a_node_that_nobody_vouches_for_is_not_kept(place, table):
    assert table.offer_record(place.record("ada"), place.START) == (None, None)


def test_only_a_higher_record_replaces(place, table, offer):
    offer(table, place.card("ada"))
    kept = [table.offer_record(place.record("ada", sequence=n), place.START)[1] is not None for n in (5, 5, 4, 6)]
    assert kept == [True, False, False, True]


def test_a_record_that_its_node_did_not_sign_is_not_kept(place, table, offer):
    offer(table, place.card("ada"))
    genuine = place.record("ada", sequence=9)
    forged_record = type(genuine).from_parts(genuine.body, *place.record("bob").signatures)
    finding, peer = table.offer_record(forged_record, place.START)
    assert finding.code == "record-invalid"
    assert peer is None


# Time, trust and bounds.


def test_what_has_ended_leaves(place, table, offer):
    offer(table, place.grant(place.bare("ada"), lifetime=200))
    table.offer_record(place.record("ada"), place.START)
    table.offer_record(place.record("ada", sequence=2), place.START)
    assert table.expire(place.START + 99) == []
    (gone,) = table.expire(place.START + 100)
    assert "expired-app" in codes(gone.verdict)
    assert len(table) == 0
    assert not table.items


def test_of_two_grants_the_ended_one_stops_counting_and_the_card_stays(place, both, offer):
    bare = place.bare("ada")
    offer(both, place.grant(place.grant(bare, lifetime=200), place.second))
    assert both.expire(place.START + 100) == []
    (peer,) = both
    assert peer.verdict.issuers == (place.second.public,)
    assert len(peer.item_ids) == 2


def test_a_record_that_has_ended_is_forgotten_and_its_card_stays(place, table, offer):
    offer(table, place.card("ada"))
    table.offer_record(place.record("ada", lifetime=100), place.START)
    assert table.expire(place.START + 50) == []
    (peer,) = table
    assert peer.record is None
    assert sorted(table.items) == sorted(peer.item_ids)


def test_a_renewed_grant_outlives_the_end_of_the_old_one(place, table, offer):
    bare = place.bare("ada")
    offer(table, place.grant(bare, lifetime=200))
    offer(table, place.grant(bare, serial=2, lifetime=900))
    assert table.expire(place.START + 150) == []
    assert len(table) == 1
    assert len(table.expire(place.START + 850)) == 1


def test_the_heap_of_ends_stays_in_proportion_to_the_rows(place, table, offer, monkeypatch):
    """A member may sign a new record every millisecond; each once cost two entries until its card ended."""
    monkeypatch.setattr(module, "_SLACK", 20)
    offer(table, place.grant(place.bare("ada"), lifetime=200))
    for sequence in range(1, 60):
        table.offer_record(place.record("ada", sequence=sequence), place.START)
    assert len(table._ends) <= 2 + 20
    assert len(table.expire(place.START + 100)) == 1


def test_a_full_table_takes_no_new_card_but_renews_those_it_has(place, table, offer):
    table.most = 1
    offer(table, place.card("ada"))
    assert offer(table, place.card("bob"))[1] is None
    assert offer(table, place.card("ada", sequence=2))[1] is not None
    assert len(table) == 1


def test_restored_rows_are_judged_like_any_other(place, table):
    def restore(card):
        return table.restore(card, place.START, provenance="proven", first_seen=1, learned_from=b"x")

    assert restore(place.card("ada")).ok
    assert not restore(place.bare("bob")).ok
    assert len(table) == 1


def test_a_restored_row_does_not_displace_what_links_brought_meanwhile(place, table, offer):
    bare = place.bare("ada")
    offer(table, place.grant(bare, serial=2), live=True)
    table.offer_record(place.record("ada", sequence=7), place.START)
    table.restore(place.grant(bare), place.START, provenance="proven", first_seen=1, learned_from=b"x")
    (peer,) = table
    assert [grant.serial for grant in peer.card.grants] == [2]
    assert peer.record.sequence == 7


def test_a_restored_row_adds_the_grants_that_count_to_what_links_brought_meanwhile(place):
    table = place.table(policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))
    bare = place.bare("ada")
    table.offer_card(place.grant(bare), place.START, source=b"s")
    stored = place.grant(place.grant(place.grant(bare, serial=7), place.second), place.stranger)
    table.restore(stored, place.START, provenance="proven", first_seen=1, learned_from=b"x")
    (peer,) = table
    assert {(grant.kid, grant.serial) for grant in peer.card.grants} == {
        (place.issuer.public.hint, 7),
        (place.second.public.hint, 1),
    }


def test_a_stored_list_holds_though_the_policy_would_not_take_it_today(place):
    far = place.make_list(2, revoked=[place.keys("ada")[1].public], lifetime=90 * 86_400)
    table = place.table()
    assert table.offer_fact(far, place.START)[0].code == "list-lifetime"
    table.restore_facts([far], place.START)
    assert "revoked" in codes(table.judge(place.card("ada"), place.START))


def test_a_stored_list_holds_though_by_a_clock_that_is_behind_it_begins_later(place):
    """Or the next list of its issuer would take its place on the disk, and what it revokes come back."""
    table = place.table(lists=())
    lists = [place.make_list(1), place.make_list(2, revoked=[place.keys("ada")[1].public])]
    table.restore_facts(lists, place.START - 10_000)
    table.offer_fact(place.make_list(3), place.START)
    assert "revoked" in codes(table.judge(place.card("ada"), place.START))


def test_a_stored_list_holds_for_an_issuer_that_comes_back_into_the_policy(place):
    table = place.table(lists=())
    policy, older = table.policy, place.make_list(1)
    table.policy = dataclasses.replace(policy, issuers={"lab": place.stranger.public})
    table.restore_facts([older, place.make_list(2, revoked=[place.keys("ada")[1].public])], place.START)
    table.policy = policy
    assert table.offer_fact(older, place.START)[0].code == "rollback"
    assert "revoked" in codes(table.judge(place.card("ada"), place.START))


def test_a_list_of_a_stranger_or_with_a_bad_signature_changes_nothing(place, table):
    genuine = place.make_list(2)
    stranger = place.make_list(2, issuer=place.stranger)
    unsigned = dataclasses.replace(genuine, signature=bytes(64))
    for one in (stranger, unsigned):
        finding, changed = table.offer_fact(one, place.START)
        assert finding is not None
        assert not changed
    assert table.revocations.heads[0].sequence == 1


def test_items_are_found_by_id_and_by_nothing_else(place, table, offer):
    _, peer = offer(table, place.card("ada"))
    assert table.by_item(body_id(peer.card.card_id)) == peer
    assert table.by_item(bytes(16)) is None
    assert table.by_card_id(b"") is None
