"""Grants in the table: merged per issuer, the highest signed one stays, forged ones neither displace nor spread."""

import pytest

from cards import Card, Policy


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
    from cards import IssuerKey  # noqa: PLC0415

    issuers = [IssuerKey(bytes([number]) * 32) for number in range(1, 7)]
    policy = Policy(network=place.NETWORK, issuers={f"ops-{n}": key.public for n, key in enumerate(issuers)})
    table = place.table(policy=policy, lists=[place.make_list(1, issuer=key) for key in issuers])
    bare = place.bare("ada")
    for key in issuers:
        assert offer(table, place.grant(bare, key))[0].ok
    (peer,) = table
    assert len(Card.parse(peer.card.raw).grants) == 4
