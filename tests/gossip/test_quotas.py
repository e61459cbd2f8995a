"""Quotas: what one issuer may have of a table, who stays where it has more, and that honest tables become equal."""

import hashlib
import random
from types import SimpleNamespace

import pytest

from cards import Policy, Succession
from p2pnoise.gossip.effects import StorePeer
from p2pnoise.gossip.items import NO_ISSUER
from p2pnoise.gossip.messages import CardItem, Push, RecordItem
from p2pnoise.gossip.quotas import NO_ISSUER_AT_ALL, ONE_ISSUER, Quotas, quota

MOST = 40
QUOTA = MOST // ONE_ISSUER


@pytest.fixture
def cards(place):
    """The cards of fifteen members of one issuer, the lowest identity first."""
    cards = [place.card(f"node-{number}") for number in range(QUOTA + 5)]
    return sorted(cards, key=lambda card: card.identity)


def table_of(place, policy=None):
    lists = [place.first_list, place.make_list(1, issuer=place.second)]
    table = place.table(policy=policy or place.both, lists=lists)
    table.most = MOST
    return table


def offer(table, cards, place):
    return [table.offer_card(card, place.START, source=table.own)[1] is not None for card in cards]


def test_an_issuer_has_a_quarter_of_a_table_where_there_are_several(place, cards):
    table = table_of(place)
    assert offer(table, cards, place) == [True] * QUOTA + [False] * 5
    assert offer(table, [place.card("other", issuer=place.second)], place) == [True]


def test_the_one_issuer_of_a_policy_has_all_but_the_tenth_of_those_without(place, cards):
    table = table_of(place, place.policy)
    table.most = 10
    assert offer(table, cards, place) == [True] * 9 + [False] * (QUOTA - 4)


@pytest.mark.parametrize("issuers", range(1, 30))
def test_all_shares_fit_in_a_table(issuers):
    shares = [quota(100_000, bytes([number]), issuers) for number in range(1, issuers + 1)]
    assert sum(shares) + quota(100_000, NO_ISSUER, issuers) <= 100_000
    assert max(shares) <= 25_000 or issuers == 1


def test_who_grants_a_member_of_another_issuer_too_does_not_have_it_put_out(place):
    """Or a rogue issuer would take others' members for its own, and have its own crowd them out."""
    table = table_of(place)
    table.most = 8  # two for each
    rogue, honest = sorted((place.issuer, place.second), key=lambda issuer: bytes(issuer.public))
    *low, last = sorted((f"node-{number}" for number in range(8)), key=lambda name: place.card(name).identity)
    member = place.card(last, issuer=honest)
    offer(table, [member, *(place.card(name, issuer=rogue) for name in low[:2])], place)
    both = place.grant(member, rogue)
    assert offer(table, [both, place.card(low[2], issuer=rogue)], place) == [True, False]
    assert len(table.by_identity(both.identity).card.grants) == 2
    assert not table.crowded_out


def test_marks_of_who_was_crowded_out_do_not_add_up(place):
    """Or an issuer that signs without end would fill the memory of everybody."""
    if place.dense:
        pytest.skip("marks of a simulated table are bits of one number, for as long as its world lasts")
    table = table_of(place)
    cards = sorted((place.card(f"node-{number}") for number in range(50)), key=lambda card: card.identity, reverse=True)
    assert offer(table, cards, place) == [True] * 50  # each takes the place of the one before
    marked = [card for card in cards if table.mark(card.identity) is not None]
    assert marked == cards[-2 * QUOTA :]  # those of its rows, and of as many that had one last
    assert table.forgotten == [card.identity for card in cards[: -2 * QUOTA]]


def test_the_members_of_one_issuer_do_not_have_marks_of_anothers_forgotten(place):
    """Or a rogue issuer would let old cards of others' members count again."""
    table = table_of(place)
    other = place.card("other", issuer=place.second)
    offer(table, [other], place)
    table.offer_fact(place.make_list(2, revoked=[other.identity], issuer=place.second), place.START)
    assert table.reconsider([table.by_identity(other.identity)], place.START)
    cards = sorted((place.card(f"node-{number}") for number in range(50)), key=lambda card: card.identity, reverse=True)
    offer(table, cards, place)
    assert table.mark(other.identity) is not None


def leave(table, identity, place, *lists):
    for one in lists:
        table.offer_fact(one, place.START)
        table.reconsider([row for row in [table.by_identity(identity)] if row is not None], place.START)
    assert table.by_identity(identity) is None


def crowd(table, place, issuer):
    """Twenty-five members of this issuer of whom each takes the place of another, until their marks are forgotten."""
    cards = [place.card(f"node-{number}", issuer=issuer) for number in range(50)]
    offer(table, sorted(cards, key=lambda card: card.identity, reverse=True), place)


@pytest.mark.parametrize("at_once", [True, False])
def test_who_grants_a_member_of_another_issuer_too_does_not_have_its_mark_forgotten(place, at_once):
    """Whether both take back what they said together, or the rogue one last."""
    if place.dense:
        pytest.skip("marks of a simulated table are bits of one number, for as long as its world lasts")
    table = table_of(place)
    offer(table, [place.card("another", issuer=place.second)], place)  # so that the next counts for the rogue one
    old = place.card("member", issuer=place.second)
    new = place.grant(place.card("member", issuer=place.second, sequence=2), place.issuer)
    assert offer(table, [new], place) == [True]
    ends = [place.make_list(2, revoked=[new.card_id], issuer=issuer) for issuer in (place.second, place.issuer)]
    if at_once:
        for one in ends:
            table.offer_fact(one, place.START)
    leave(table, new.identity, place, *ends)
    crowd(table, place, place.issuer)
    assert offer(table, [old], place) == [False]


@pytest.mark.parametrize("handed_over", [True, False])
def test_the_commitment_of_whom_a_name_is_pinned_to_is_not_forgotten(place, handed_over):
    """Or who has stolen its key could take its name, or have its heir lose it, once its issuer has had many members."""
    if place.dense:
        pytest.skip("marks of a simulated table are bits of one number, for as long as its world lasts")
    table = table_of(place)
    (_, old), (_, heir), (_, thief) = (place.keys(name) for name in ("carl", "heir", "thief"))

    def succession(new):
        return Succession.make(
            {"net": place.NETWORK, "iat": place.START - 50, "old": old.public, "new": new.public}, old, new
        )

    carl = place.card("carl", next_key_digest=hashlib.sha256(heir.public).digest())
    offer(table, [carl], place)
    ending = succession(heir) if handed_over else place.make_list(2, revoked=[carl.card_id])
    table.pin_by_hand({} if handed_over else {"carl": carl.identity}, {})
    leave(table, carl.identity, place, ending)
    crowd(table, place, place.issuer)
    finding, changed = table.offer_fact(succession(thief), place.START)
    assert finding.code == "succession-invalid"
    assert not changed


def test_a_row_that_is_read_back_has_its_mark(place):
    """Though whoever makes room for it would have had it forgotten."""
    table = table_of(place)
    cards = sorted((place.card(f"node-{number}", sequence=2) for number in range(40)), key=lambda card: card.identity)
    offer(table, cards[:1], place)
    table._remove(table.by_identity(cards[0].identity))
    offer(table, cards[: -2 * QUOTA : -1], place)  # as many rest as may
    table.restore(cards[0], place.START, provenance="proven", first_seen=place.START, learned_from=table.own)
    assert table.by_identity(cards[0].identity) is not None
    assert table.mark(cards[0].identity) is not None


def test_a_restored_mark_without_a_row_stays_until_all_who_may_have_vouched_have_had_enough_others(place):
    """Nobody knows after a restart who vouched: one rogue issuer must not have marks of others' members forgotten."""
    if place.dense:
        pytest.skip("a simulated table is restored as it was")
    table = table_of(place)
    before = place.card("before")
    table.restore_mark(before.identity, before.mark)
    table.let_restored_rest()
    for issuer in (place.issuer, place.second):
        assert table.mark(before.identity) is not None
        names = [f"node-{number}" for number in range(50)]
        cards = sorted((place.card(name, issuer=issuer) for name in names), key=lambda card: card.identity)
        offer(table, cards[::-1], place)
        for card in cards:
            if table.by_identity(card.identity) is not None:
                table._remove(table.by_identity(card.identity))
    assert table.mark(before.identity) is not None  # for pins and first uses nobody has had any
    for number in range(quota(MOST, NO_ISSUER, 2)):
        table._let_rest(b"somebody %d" % number, [NO_ISSUER])
    assert table.mark(before.identity) is None
    assert before.identity in table.forgotten


def test_the_mark_of_who_came_back_stays(place):
    table = table_of(place)
    cards = sorted((place.card(f"node-{number}") for number in range(50)), key=lambda card: card.identity, reverse=True)
    first = cards[-1]
    offer(table, [first], place)
    table._remove(table.by_identity(first.identity))
    offer(table, [first], place)
    offer(table, cards, place)
    assert table.mark(first.identity) is not None


def test_rows_that_change_leave_nothing_behind():
    rows = {}
    quotas = Quotas(rows, b"", lambda _root: 2)
    for number in range(3):
        card = SimpleNamespace(identity=bytes([number]))
        rows[card.identity] = SimpleNamespace(card=card, node_id=card.identity, roots=frozenset((b"ops",)))
        quotas.added(rows[card.identity])
    assert quotas.crowded_out() == [rows[b"\x02"]]
    for roots in [frozenset((b"ops", b"lab")), frozenset((b"ops",))] * 100:
        rows[b"\x01"].roots = roots
        quotas.added(rows[b"\x01"])
    for identity in (b"\x01", b"\x02"):
        quotas.removed(rows[identity])
    assert quotas.crowded_out() == []
    assert quotas._counts == {b"ops": 1, b"lab": 0}
    assert quotas._ranked == {b"ops": [b"\x00"]}


def test_whoever_came_first_full_tables_are_equal_where_some_have_two_issuers(place):
    """Each hears of all that the other has, until nothing changes."""
    cards = [place.card(f"node-{number}") for number in range(30)]
    cards += [place.card(f"guest-{number}", issuer=place.second) for number in range(30)]
    cards += [place.grant(place.card(f"both-{number}"), place.second) for number in range(20)]
    for seed in range(10):
        tables = [table_of(place) for _ in range(2)]
        for number, table in enumerate(tables):
            offer(table, random.Random(10 * seed + number).sample(cards, len(cards)), place)
        for _ in range(2):
            for one, other in (tables, tables[::-1]):
                offer(one, [row.card for row in other], place)
        assert {*tables[0].items} == {*tables[1].items}


def test_a_second_root_brings_nobody_beyond_the_shares(place, cards):
    """What is gained for one root another of its members loses; and who loses its root, the place that it had by it."""
    table = table_of(place)
    guests = sorted(
        (place.card(f"guest-{number}", issuer=place.second) for number in range(QUOTA)), key=lambda card: card.identity
    )
    member = min(cards[:QUOTA], key=lambda card: card.identity)
    offer(table, [*cards[:QUOTA], *guests], place)
    offer(table, [place.grant(member, place.second)], place)
    lowest = sorted([member, *guests], key=lambda card: card.identity)[:QUOTA]
    assert {row.card.identity for row in table} == {card.identity for card in (*cards[:QUOTA], *lowest)}


def test_who_loses_the_root_by_which_it_had_its_place_leaves(place, cards):
    table = table_of(place)
    offer(table, cards[:QUOTA], place)
    last = cards[-1]
    assert offer(table, [place.grant(last, place.second)], place) == [True]
    table.offer_fact(place.make_list(2, revoked=[last.identity], issuer=place.second), place.START)
    assert table.reconsider([table.by_identity(last.identity)], place.START) == []
    assert [peer.card.identity for peer in table.crowded_out] == [last.identity]
    assert len(table) == QUOTA


def test_shares_hold_when_the_policy_names_another_issuer(mesh, place):
    """Or a node that runs would differ for ever from one that starts."""
    names = [f"node-{number}" for number in range(MOST - 5)]
    ada = mesh.add("ada", names=names)
    ada.table.most = MOST
    assert len(ada.table) == 1 + len(names)
    ada.table.policy = place.both
    mesh.carry_out(ada, ada.overlay.trust_changed(mesh.instant))
    lowest = sorted((place.card(name) for name in names), key=lambda card: card.identity)[: QUOTA - 1]
    own = place.card("ada")
    assert {row.card.identity for row in ada.table} == {card.identity for card in (own, *lowest)}
    gone = [effect.peer for effect in ada.did(StorePeer) if not effect.peer.verdict.ok]
    assert len(gone) == len(names) - len(lowest)


def test_whoever_came_first_the_lowest_identities_stay(place, cards):
    tables = [table_of(place) for _ in range(3)]
    for seed, table in enumerate(tables):
        offer(table, random.Random(seed).sample(cards, len(cards)), place)
    assert all({bytes(peer.card.identity) for peer in table} == {bytes(one.identity) for one in cards[:QUOTA]}
               for table in tables)  # fmt: skip
    assert len({frozenset(table.items) for table in tables}) == 1


def test_who_made_room_is_told_of_once(mesh, place, cards):
    ada = mesh.add("ada", policy=place.both, lists=[place.first_list, place.make_list(1, issuer=place.second)])
    ada.table.most = 4 * ONE_ISSUER
    for card in cards[::-1]:
        mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=False))
    gone = [effect.peer for effect in ada.did(StorePeer) if not effect.peer.verdict.ok]
    assert gone
    assert {peer.verdict.errors[-1].code for peer in gone} == {"over-quota"}
    assert len(gone) == len({peer.card.identity for peer in gone})
    assert ada.table.crowded_out == []


def test_our_own_row_makes_room_for_nobody(place, cards):
    table = table_of(place)
    own = place.card("own")
    table.offer_card(own, place.START, source=table.own, own=True, live=True)
    offer(table, cards, place)
    assert table.by_node(table.own) is not None


def test_a_newer_card_of_a_member_needs_no_room(place, cards):
    table = table_of(place)
    offer(table, cards[:QUOTA], place)
    name = cards[0].name
    assert offer(table, [place.card(name, sequence=2)], place) == [True]
    assert len(table) == QUOTA


def test_rows_that_are_read_back_have_the_same_quota(place, cards):
    table = table_of(place)
    for card in cards[::-1]:
        table.restore(card, place.START, provenance="proven", first_seen=place.START, learned_from=table.own)
    assert {bytes(peer.card.identity) for peer in table} == {bytes(one.identity) for one in cards[:QUOTA]}


def test_what_no_issuer_endorses_has_a_tenth(place):
    table = table_of(place, Policy(network=place.NETWORK, issuers=place.both.issuers, allow=tuple(
        place.card(f"free-{number}").identity for number in range(MOST))))  # fmt: skip
    bare = [place.bare(f"free-{number}") for number in range(MOST)]
    assert sum(offer(table, bare, place)) >= MOST // NO_ISSUER_AT_ALL
    assert len(table) == MOST // NO_ISSUER_AT_ALL
    assert quota(MOST, NO_ISSUER, 0) == MOST  # where the policy names no issuer, that is all there is


def test_a_record_that_came_before_the_card_that_makes_room_for_itself_is_kept_for_it(mesh, place):
    ada = mesh.add("ada")
    ada.table.most = 2  # ourselves and one more
    eve = mesh.puppet("eve", ada)
    low, high = sorted(("carl", "dora"), key=lambda name: place.card(name).identity)
    mesh.say(eve, ada, Push((CardItem(place.card(high).raw),)))
    mesh.say(eve, ada, Push((RecordItem(place.record(low, sequence=1).raw),)))
    mesh.say(eve, ada, Push((CardItem(place.card(low).raw),)))
    assert ada.table.by_node(place.card(high).node_id) is None
    assert ada.table.by_node(place.card(low).node_id).record is not None
