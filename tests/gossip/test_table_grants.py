"""Grants in the table: merged per issuer, the highest signed one stays, forged ones neither displace nor spread."""

import itertools
import random

import pytest

from cards import Card, IssuerKey, Policy
from p2pnoise.gossip.grants import renewed


def two_grants(place, *, first=1, second=1):
    return place.grant(place.grant(place.bare("ada"), serial=first), place.second, serial=second)


def test_grants_of_two_copies_are_merged(place, both, offer):
    bare = place.bare("ada")
    offer(both, place.grant(bare))
    _, peer = offer(both, place.grant(bare, place.second))
    assert {grant.kid for grant in peer.card.grants} == {place.issuer.public.hint, place.second.public.hint}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_one_issuers_grants_the_highest_serial_stays(place, table, offer, order):
    bare = place.bare("ada")
    for serial in order:
        offer(table, place.grant(bare, serial=serial))
    assert [grant.serial for grant in next(iter(table)).card.grants] == [2]


def test_grants_that_nobody_here_accepts_are_left_out(place, table, offer):
    _, peer = offer(table, two_grants(place))
    assert [grant.kid for grant in peer.card.grants] == [place.issuer.public.hint]


def forged(grant, serial_from):
    """The attrs of one grant under the signature of another."""
    return type(grant).parse(grant.kid, serial_from.attrs, grant.signature)


def test_a_forged_grant_does_not_displace_a_good_one(place, both, offer):
    good = two_grants(place)
    offer(both, good)
    high = place.grant(place.bare("ada"), place.stranger, serial=99).grants[0]
    attack = good.with_grants((good.grants[0], forged(good.grants[1], high)))
    offer(both, attack)
    (peer,) = both
    assert set(peer.card.grants) == set(good.grants)
    assert len(peer.verdict.issuers) == 2


def test_who_passes_on_a_forged_grant_beside_a_good_one_is_not_heard(place, table, offer):
    good = place.card("ada")
    high = place.grant(place.bare("ada"), place.stranger, serial=99).grants[0]
    verdict, peer = offer(table, good.with_grants((*good.grants, forged(good.grants[0], high))))
    assert peer is None
    assert [finding.code for finding in verdict.errors] == ["app-signature-invalid"]


def test_a_forged_grant_beside_a_good_one_of_its_issuer_is_not_kept_nor_offered(place, table, offer):
    """Whoever were asked for it would be taken for its forger."""
    good = place.card("ada")
    high = place.grant(place.bare("ada"), place.stranger, serial=99).grants[0]
    _, peer = offer(table, good.with_grants((*good.grants, forged(good.grants[0], high))), live=True)
    assert peer.card.grants == good.grants
    assert peer.verdict.ok
    assert len(peer.item_ids) == 2


def test_grants_that_do_not_fit_one_envelope_are_left_out(place, both, offer):
    """Each copy is within its limit, both together are not: that is nobody's fault and must not raise."""
    bare = place.bare("ada")
    groups = [f"a-group-with-a-long-name-{number:02}" for number in range(15)]
    offer(both, place.grant(bare, groups=groups))
    verdict, _ = offer(both, place.grant(bare, place.second, groups=groups))
    assert verdict.ok
    (peer,) = both
    assert len(peer.card.grants) == 1
    assert len(peer.card.raw) <= 1024


def test_more_grants_than_a_card_carries_are_left_out(place, offer):
    issuers = [IssuerKey(bytes([number]) * 32) for number in range(1, 7)]
    policy = Policy(network=place.NETWORK, issuers={f"ops-{n}": key.public for n, key in enumerate(issuers)})
    table = place.table(policy=policy, lists=[place.make_list(1, issuer=key) for key in issuers])
    bare = place.bare("ada")
    for key in issuers:
        assert offer(table, place.grant(bare, key))[0].ok
    (peer,) = table
    assert len(Card.parse(peer.card.raw).grants) == 4


ISSUERS = sorted((IssuerKey(bytes([number]) * 32) for number in range(1, 4)), key=lambda key: key.public.hint)
LONGEST = tuple(f"g{number:02}" + "x" * 28 for number in range(14))


def accepting(place, issuers):
    policy = Policy(network=place.NETWORK, issuers={f"ops-{n}": key.public for n, key in enumerate(issuers)})
    return place.table(policy=policy, lists=[place.make_list(1, issuer=key) for key in issuers])


@pytest.mark.parametrize("first", [0, 1])
def test_what_one_issuer_granted_is_not_put_out_by_another_who_grants_as_much_as_fits(place, offer, first):
    """Or a rogue one would strip members of others, and end them with its next list."""
    rogue, honest = ISSUERS[:2]
    table = accepting(place, (rogue, honest))
    bare = place.bare("database-1.example")
    cards = [
        place.grant(bare, honest, groups=("operators", "database-admins")),
        place.grant(bare, rogue, groups=LONGEST),
    ]
    for card in (cards[first], cards[1 - first]):
        offer(table, card)
    (peer,) = table
    assert peer.verdict.groups == ("database-admins", "operators")


def test_what_fits_its_share_does_not_depend_on_who_came_first(place, offer):
    """Nor on what others grant beyond theirs."""
    bare = place.bare("ada")
    small = [place.grant(bare, key, groups=("operators",)) for key in ISSUERS]
    large = [place.grant(bare, key, serial=2, groups=LONGEST) for key in ISSUERS[:1]]
    for order in itertools.permutations(small + large):
        table = accepting(place, ISSUERS)
        for card in order:
            offer(table, card)
        offer(table, small[0])  # which a larger one of its own issuer may have kept out until others came
        (peer,) = table
        assert {grant.serial for grant in peer.card.grants} == {1}
        assert len(peer.card.grants) == 3


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_grants_are_offered_again_and_again_the_same_stay(place, offer, seed):
    """Once is not enough: what gave way to one that had to go itself comes back with the next who has it."""
    chance, bare = random.Random(seed), place.bare("ada")
    cards = [
        place.grant(bare, chance.choice(ISSUERS), serial=serial, groups=LONGEST[: chance.randrange(14)])
        for serial in range(1, 5)
    ]
    found = set()
    for order in itertools.permutations(cards):
        table = accepting(place, ISSUERS)
        for card in order * 3:
            offer(table, card)
        (peer,) = table
        assert not [card for card in cards if offer(table, card)[1] is not None]
        found.add(peer.card.grants)
    assert len(found) == 1


def test_our_own_card_is_as_its_owner_made_it(place, offer):
    """Though another root's grant leaves no room for the longer one that took the place of a short one."""
    bare = place.bare("own")
    table = accepting(place, ISSUERS[:2])
    short = [place.grant(bare, key, groups=LONGEST[:5]) for key in ISSUERS[:2]]
    offer(table, short[0].with_grants((*short[0].grants, *short[1].grants)), own=True)
    new = place.grant(bare, ISSUERS[1], serial=2, groups=LONGEST)
    assert offer(table, new, own=True)[1].card.grants == new.grants


def test_of_two_grants_of_one_key_one_renewal_takes_the_place(place, table):
    bare = place.bare("ada")
    old, longer, newest = (place.grant(bare, serial=serial, groups=LONGEST[:serial]) for serial in (1, 2, 3))
    both = bare.with_grants((*old.grants, *longer.grants))
    counting = table.judge(newest, place.START, own=True).counting
    assert renewed(both, counting).grants == newest.grants
