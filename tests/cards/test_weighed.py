"""What a verdict says of each grant: who signed it, by whose leave, and why it does not count where it does not."""

from dataclasses import replace

import pytest

from cards import Limits


@pytest.fixture
def delegated(world):
    """Facts with a delegation of ops-a to another issuer, and a card that this one granted."""
    facts = world.facts(world.delegation(world.mallory_issuer, grp=["agents"]))
    return facts, world.grant(world.make_card(), world.mallory_issuer, lifetime=10**5)


def test_a_grant_that_counts_is_weighed_with_the_whole_way_to_its_root(world, delegated):
    facts, card = delegated
    (weighed,) = world.verify(card, facts=facts).weighed
    assert weighed.problem is None
    assert weighed.grant == card.grants[0]
    assert weighed.authority.root == world.issuer.public
    assert [key for key, _ in weighed.authority.steps] == [world.issuer.public, world.mallory_issuer.public]


def test_a_grant_that_does_not_count_is_weighed_with_the_reason(world):
    card = world.grant(world.card, world.second, serial=2, groups=["admins"])
    policy = replace(world.policy, limits={"ops-b": Limits(groups=("agents",))})
    one, other = world.verify(card, policy=policy).weighed
    assert one.problem is None
    assert other.problem == ("issuer-constraint", "ops-b may grant agents, not admins")


def test_a_key_with_two_ways_to_sign_is_weighed_for_both(world):
    facts = world.facts(
        world.delegation(world.mallory_issuer, grp=["sensors"]),
        world.delegation(world.mallory_issuer, world.second),
    )
    verdict = world.verify(world.grant(world.make_card(), world.mallory_issuer, lifetime=10**5), facts=facts)
    problems = {one.authority.root: one.problem and one.problem[0] for one in verdict.weighed}
    assert problems == {world.issuer.public: "issuer-constraint", world.second.public: None}
    assert verdict.issuers == (world.second.public,)


def test_what_nobody_signed_who_may_is_not_weighed(world):
    forged = replace(world.card.grants[0], signature=bytes(64))
    assert world.verify(world.card.with_grants((forged,))).weighed == ()
    assert world.verify(world.grant(world.make_card(), world.mallory_issuer)).weighed == ()


def test_what_counts_of_a_card_is_told_with_whoever_signed_it(world, delegated):
    facts, card = delegated
    other = world.grant(card, world.second, serial=2, groups=["admins"])
    policy = replace(world.policy, limits={"ops-b": Limits(groups=("agents",))})
    verdict = world.verify(other, facts=facts, policy=policy)
    assert len(verdict.weighed) == 2
    assert [(one.grant, one.authority.key) for one in verdict.counting] == [
        (card.grants[0], world.mallory_issuer.public)
    ]


def test_of_a_card_that_does_not_count_no_grant_does(world):
    verdict = world.verify(world.card, policy=replace(world.policy, deny=frozenset({world.card.identity})))
    assert [one.problem for one in verdict.weighed] == [None]
    assert verdict.counting == ()
