"""A trust store: what a change would do, the change itself, and verdicts that are remembered."""

import pytest

import cards


@pytest.fixture
def store(world):
    return cards.TrustStore(policy=world.policy, facts=cards.Facts(world.holding()))


def retirement(world, issuer=None):
    values = {"net": world.network, "iat": world.now, "iss": bytes(world.issuer.public), "reason": "left"}
    return cards.Retirement.make(values, issuer or world.issuer)


def levels(plan):
    return [(effect.before.level, effect.after.level, effect.live) for effect in plan.effects]


def test_a_plan_names_the_cards_that_a_change_would_drop_and_changes_nothing(world, store):
    plan = store.plan(retirement(world), [world.card], world.now, live=[world.card.node_id])
    assert plan.finding is None
    assert levels(plan) == [("verified", "known", True)]
    assert [effect.card for effect in plan.drops] == [world.card]
    assert store.verify(world.raw, world.now).ok


def test_what_is_planned_is_what_happens(world, store):
    after, finding = store.changed(retirement(world), world.now)
    assert finding is None
    assert after.verify(world.raw, world.now).level == "known"


def test_a_change_that_is_refused_leaves_the_store_as_it_is(world, store):
    forged = cards.Retirement.from_parts(retirement(world).body, bytes(64))
    after, finding = store.changed(forged, world.now)
    assert (finding.code, after) == ("retirement-invalid", store)
    plan = store.plan(forged, [world.card], world.now)
    assert (plan.finding.code, plan.effects) == ("retirement-invalid", ())


def test_a_policy_for_another_network_is_refused(world, store):
    after, finding = store.changed(cards.Policy(network="other-net"), world.now)
    assert (finding.code, after is store) == ("wrong-network", True)


def test_a_policy_that_denies_shows_in_the_plan(world, store):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, deny=(world.card.identity,))
    assert levels(store.plan(policy, [world.card], world.now)) == [("verified", "reject", False)]


def test_a_pin_and_its_end(world, store):
    name = world.card.name
    pinned, _ = store.changed(cards.Pin(name, cards.IdentityId(world.mallory.public)), world.now)
    assert "pin-changed" in [finding.code for finding in pinned.verify(world.raw, world.now).findings]
    unpinned, _ = pinned.changed(cards.Pin(name, None), world.now)
    assert unpinned.verify(world.raw, world.now).ok


def test_what_was_accepted_is_never_gone_back_from(world, store):
    after = store.accepted(store.verify(world.raw, world.now))
    assert after.marks[world.card.identity].sequence == world.card.sequence
    assert after.verify(world.raw, world.now).ok
    assert store.accepted(store.verify(b"", world.now)) is store


def test_the_first_of_a_name_is_pinned_where_the_policy_says_so(world, store):
    policy = cards.Policy(network=world.network, tofu="first-use")
    trusting, _ = store.changed(policy, world.now)
    verdict = trusting.verify(world.raw, world.now)
    assert verdict.ok
    assert trusting.accepted(verdict).pins == {world.card.name: world.card.identity}


def test_bytes_that_are_no_card_are_judged_all_the_same(world, store):
    verdict = store.verify(b"\xc1", world.now)
    assert (verdict.ok, [finding.code for finding in verdict.findings]) == (False, ["malformed"])


class Counting(cards.SignatureCache):
    """Counts what it is asked."""

    asked = 0

    def verify(self, key, signature, message):
        self.asked += 1
        return super().verify(key, signature, message)


def test_a_remembered_verdict_costs_no_signature(world, store):
    cache, signatures = cards.VerdictCache(), Counting()
    first = cache.verify(store, world.raw, world.now, signatures=signatures)
    asked = signatures.asked
    assert asked > 0
    assert cache.verify(store, world.raw, world.now, signatures=signatures) is first
    assert signatures.asked == asked


def other_store(world, store):
    return store.changed(retirement(world), world.now)[0], {}


def mark_moved(world, store):
    mark = cards.Mark(world.card.sequence + 1, bytes(32))
    return cards.TrustStore(
        policy=store.policy, facts=store.facts, pins=store.pins, marks={world.card.identity: mark}
    ), {}


ASKED_ANEW = {
    "after a change of trust": other_store,
    "after the mark moved": mark_moved,
    "for another peer key": lambda _world, store: (store, {"peer_static": bytes(32)}),
    "after its end": lambda world, store: (store, {"now": store.verify(world.raw, world.now).valid_until}),
}


@pytest.mark.parametrize("change", ASKED_ANEW.values(), ids=ASKED_ANEW.keys())
def test_a_verdict_is_asked_for_anew(world, store, change):
    cache = cards.VerdictCache()
    assert cache.verify(store, world.raw, world.now).ok
    other, options = change(world, store)
    now = options.pop("now", world.now)
    assert not cache.verify(other, world.raw, now, **options).ok


def test_a_verdict_does_not_hold_before_it_was_made(world):
    """A clock that was wrong and is set back."""
    store = cards.TrustStore(policy=cards.Policy(network=world.network, tofu="first-use"))
    cache = cards.VerdictCache()
    assert cache.verify(store, world.raw, world.now).ok
    assert not cache.verify(store, world.raw, world.card.not_before - 301).ok


def test_no_more_verdicts_are_remembered_than_the_limit(world, store):
    cache, signatures = cards.VerdictCache(limit=1), Counting()
    cache.verify(store, world.raw, world.now, signatures=signatures)
    cache.verify(store, world.raw, world.now, established=True, signatures=signatures)
    asked = signatures.asked
    cache.verify(store, world.raw, world.now, signatures=signatures)
    assert signatures.asked > asked
