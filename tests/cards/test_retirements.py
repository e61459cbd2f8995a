"""Retirement by others: an issuer whose key is lost or stolen is ended for good by as many as speak for all."""

import itertools

import pytest

import cards
from cards.facts import Facts

A, B, C, D, E = (cards.IssuerKey(f"issuer {name}".encode().ljust(32)) for name in "abcde")
SITE = cards.IssuerKey(b"site".ljust(32))


def policy_of(world, *keys, threshold=1):
    issuers = {f"issuer-{number}": key.public for number, key in enumerate(keys)}
    return cards.Policy(network=world.network, issuers=issuers, app=(cards.Rule(threshold),))


@pytest.fixture
def four(world):
    return policy_of(world, A, B, C, D)


def offered(world, policy, *facts):
    """What is held once these were offered in their order, and the code of the finding on the last."""
    held, finding = Facts(), None
    for fact in facts:
        held, finding = held.add(fact, policy=policy, now=world.now)
    return held, finding and finding.code


def retired(world, policy, *facts):
    return offered(world, policy, *facts)[0].retired(policy)


def test_as_many_others_as_the_policy_asks_for_retire_an_issuer(world, four):
    assert retired(world, four, world.retirement(A, by=[B, C])) == {A.public}
    strict = policy_of(world, A, B, C, D, threshold=3)
    assert retired(world, strict, world.retirement(A, by=[B, C, D])) == {A.public}


def test_what_an_issuer_granted_counts_no_more_when_others_retired_it(world, four):
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, issuer=A)])
    facts = world.facts(*(world.make_list(key) for key in (A, B, C)), policy=four, held=Facts())
    assert world.verify(raw, facts=facts, policy=four).ok
    facts, _ = facts.add(world.retirement(A, by=[B, C]), policy=four, now=world.now)
    verdict = world.verify(raw, facts=facts, policy=four)
    assert [finding.code for finding in verdict.errors] == ["threshold"]


@pytest.mark.parametrize("by", [[B], [E, SITE], [B, E]], ids=["one of four", "strangers", "one and a stranger"])
def test_too_few_of_the_issuers_retire_nobody(world, four, by):
    facts, code = offered(world, four, world.retirement(A, by=by))
    assert (facts, code) == (Facts(), "threshold")


def test_without_counting_who_retires_it_anybody_ends_an_issuer(world, four, monkeypatch):
    monkeypatch.setattr(Facts, "_ends", lambda *_: True)
    assert retired(world, four, world.retirement(A, by=[E])) == {A.public}


def test_too_few_are_told_before_a_signature_is_looked_at(world, four):
    class Untouched(cards.SignatureCache):
        def verify(self, *_):
            raise AssertionError

    one = world.retirement(A, by=[B])
    _, finding = Facts().add(one, policy=four, now=world.now, signatures=Untouched())
    assert finding.code == "threshold"


@pytest.mark.parametrize("forged", [0, 1])
def test_each_of_the_others_must_have_signed(world, four, forged):
    one = world.retirement(A, by=[B, C])
    signatures = [bytes(64) if number == forged else held for number, held in enumerate(one.signatures)]
    _, code = offered(world, four, cards.Retirement.from_parts(one.body, *signatures))
    assert code == "retirement-invalid"


def test_the_issuers_of_the_manifest_retire_one_of_theirs(world):
    policy, manifest = policy_of(world, A, B), world.manifest(1, 2, [A, C, D], by=[A, B, C, D])
    ended = world.retirement(A, by=[C, D])
    assert retired(world, policy, manifest, ended) == {A.public}
    assert offered(world, policy, ended)[1] == "threshold"


def test_what_a_manifest_asks_for_is_enough_and_less_is_not(world):
    policy, manifest = policy_of(world, A, B), world.manifest(1, 3, [A, C, D, E], by=[A, B, C, D])
    assert retired(world, policy, manifest, world.retirement(A, by=[C, D])) == set()
    assert retired(world, policy, manifest, world.retirement(A, by=[C, D, E])) == {A.public}


def test_a_retirement_stays_when_those_who_signed_it_have_left(world, four):
    first = world.manifest(1, 2, [A, B, C, D])
    second = world.manifest(2, 2, [A, D, E], by=[A, B, D])
    ended = world.retirement(A, by=[B, C])
    for order in itertools.permutations([first, second, ended]):
        assert retired(world, four, *order) == {A.public}


def test_the_issuers_of_a_manifest_that_has_been_followed_by_another_have_retired_whom_they_did(world):
    policy, first = policy_of(world, A, B), world.manifest(1, 2, [A, C, D], by=[A, B, C, D])
    second, ended = world.manifest(2, 2, [A, B, E], by=[A, B, C, E]), world.retirement(A, by=[C, D])
    for order in ([first, ended, second], [first, second, ended]):
        assert retired(world, policy, *order) == {A.public}


def test_a_delegate_is_retired_as_an_issuer_is(world, four):
    lent = world.delegation(SITE, A)
    facts, code = offered(world, four, lent, world.retirement(SITE, by=[B, C]))
    assert code is None
    assert SITE.public not in {one.key for one in facts.authorities(four)}


def test_facts_that_met_in_any_order_retire_the_same(world):
    policy = policy_of(world, A, B)
    manifest = world.manifest(1, 2, [A, C, D], by=[A, B, C, D])
    ended = [world.retirement(A, by=[C, D]), world.retirement(B, by=[A, C])]
    one, _ = offered(world, policy, manifest, ended[0])
    other, _ = offered(world, policy, manifest, ended[1])
    assert one.merge(other, world.now) == other.merge(one, world.now)
    assert one.merge(other, world.now).retired(policy) == {A.public, B.public}


def test_what_is_held_is_told_in_an_order_in_which_it_can_be_taken(world):
    policy = policy_of(world, A, B)
    held, _ = offered(world, policy, world.manifest(1, 2, [A, C, D], by=[A, B, C, D]), world.retirement(A, by=[C, D]))
    again, code = offered(world, policy, *held)
    assert (again, code) == (held, None)
