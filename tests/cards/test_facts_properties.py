"""What holds for every set of facts, in every order and under every policy; Hypothesis looks for the exception."""

import dataclasses
import functools
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cards
from cards.facts import BUILD_TIME
from cards.limits import Limits
from tests.cards import test_conflicts as conflicts

often = settings(max_examples=300, deadline=None, derandomize=True)
seldom = settings(max_examples=60, deadline=None, derandomize=True)

COUNTS = ("verified", "pinned")
NAME = "db-03.dc1.example"
SITE, GATE, HEIR, RIVAL = (name.ljust(32).encode() for name in ("site", "gate", "heir", "rival"))
SIGNATURES = cards.SignatureCache()


class Pool(NamedTuple):
    facts: list[cards.Fact]
    raws: list[bytes]
    ends: list[cards.Fact]
    """Those that can only end something."""


@pytest.fixture(scope="module")
def pool(world):
    site, gate = cards.IssuerKey(SITE), cards.IssuerKey(GATE)
    heir, rival = cards.IdentityKey(HEIR), cards.IdentityKey(RIVAL)
    a, b, identity = world.issuer, world.second, world.identity.public
    gone = [world.entry(bytes([n]) * 32) for n in range(3)] + [world.entry(site.public)]
    twins = [world.make_list(b, sequence=2, entries=gone[:n]) for n in (0, 1, 2)]
    ends = [
        world.make_list(sequence=3, entries=[*gone[:2], world.entry(identity)]),
        world.make_list(b, sequence=4, entries=[*gone[:2], world.entry(identity)]),
        world.self_revocation(world.identity),
        world.self_revocation(heir),
        world.retirement(b),
        world.retirement(b, by=[a, world.mallory_issuer]),
        world.retirement(site, by=[a, b]),
        conflicts.identity_conflict(world),
        cards.Conflict.between(world.card, conflicts.endorsed(world, name="third.example")),
        conflicts.node_conflict(world),
        cards.Conflict.between(*(world.grant(world.make_card(one, world.mallory_node), b) for one in (heir, rival))),
        world.manifest(1, 1, [a], by=[a, b]),
        world.manifest(3, 2, [a, b, world.mallory_issuer]),
        world.succession(world.identity, heir),
        world.succession(world.identity, rival),
    ]
    others = [
        world.make_list(sequence=1, entries=gone[:1]),
        world.make_list(sequence=2, entries=gone[:2]),
        *twins,
        world.manifest(2, 2, [a, b], by=[a, b]),
        world.make_list(b, sequence=3, entries=gone[:2], heals=[one.digest for one in twins]),
        world.delegation(site, path=1),
        world.delegation(gate, site),
        world.delegation(gate, b),
        conflicts.issuer_conflict(world),
    ]
    body = world.card.body
    raws = [
        world.raw,
        world.make_card().raw,
        world.grant(world.card, b).raw,
        world.envelope(body, grants=[world.app(body, issuer=site)]),
        world.envelope(body, grants=[world.app(body, issuer=gate)]),
        world.grant(world.make_card(heir, world.mallory_node)).raw,
    ]
    return Pool(ends + others, raws, ends)


def hold(world, facts):
    """What is held once all of these were offered, and those refused again, until nothing changes."""
    held, before = cards.Facts(), None
    while held != before:
        before = held
        for fact in facts:
            held, _ = held.add(fact, policy=world.policy, now=world.now, signatures=SIGNATURES)
    return held


def judge(world, raws, facts, **options):
    verdicts = [world.verify(raw, facts=facts, signatures=SIGNATURES, **options) for raw in raws]
    codes = [sorted({finding.code for finding in one.findings} - {"issuer-equivocation"}) for one in verdicts]
    return [(one.level, one.groups, one.issuers, told) for one, told in zip(verdicts, codes, strict=True)]


def some(pool):
    return st.lists(st.sampled_from(pool.facts), max_size=12, unique=True)


def undisputed(facts):
    """Without the memory that two lists shared a number: whoever meets the second when the first has been replaced
    cannot tell."""
    states = facts.revocations.by_issuer.items()
    calm = {issuer: dataclasses.replace(state, disputed=frozenset()) for issuer, state in states}
    return dataclasses.replace(facts, revocations=cards.Revocations(calm))


@seldom
@given(st.data())
def test_merging_facts_is_commutative_associative_and_idempotent(world, pool, data):
    one, two, three = (hold(world, data.draw(some(pool))) for _ in range(3))

    def merged(*some):
        return undisputed(functools.reduce(lambda here, there: here.merge(there, world.now), some))

    assert merged(one, two) == merged(two, one)
    assert merged(one, two, three) == merged(one, two.merge(three, world.now))
    assert merged(one, one) == merged(one, cards.Facts())
    assert merged(one, two, two) == merged(one, two)


@seldom
@given(st.data())
def test_two_that_exchange_their_facts_judge_alike(world, pool, data):
    one, two = (hold(world, data.draw(some(pool))) for _ in range(2))
    here, there = one.merge(two, world.now), two.merge(one, world.now)
    assert judge(world, pool.raws, here) == judge(world, pool.raws, there)


@seldom
@given(st.data())
def test_no_order_of_arrival_makes_another_verdict(world, pool, data):
    """Of lists the numbers count: a lower one that comes late is refused, and whoever has it hands it on by merging."""
    numbered = data.draw(st.permutations([fact for fact in pool.facts if isinstance(fact, cards.RevocationList)]))
    lists = sorted(data.draw(st.lists(st.sampled_from(numbered), unique=True)), key=lambda one: one.sequence)
    rest = [fact for fact in pool.facts if not isinstance(fact, cards.RevocationList)]
    chosen = data.draw(st.lists(st.sampled_from(rest), max_size=9, unique=True))
    shuffled = data.draw(st.permutations(chosen))
    one, other = hold(world, [*lists, *chosen]), hold(world, [*shuffled, *lists])
    assert judge(world, pool.raws, one) == judge(world, pool.raws, other)


@seldom
@given(st.data())
def test_what_ends_something_makes_no_card_count(world, pool, data):
    before = hold(world, data.draw(some(pool)))
    after, _ = before.add(data.draw(st.sampled_from(pool.ends)), policy=world.policy, now=world.now)
    for one, other in zip(judge(world, pool.raws, before), judge(world, pool.raws, after), strict=True):
        unknown = "revocation-missing" in one[3]  # without a list nothing is known, so the first may be good news
        assert unknown or one[0] in COUNTS or other[0] not in COUNTS


@seldom
@given(st.data())
def test_what_is_held_can_be_added_again_as_it_is_told(world, pool, data):
    held = hold(world, data.draw(some(pool)))
    again = cards.Facts()
    for fact in held.merge(cards.Facts(), world.now):
        again, _ = again.add(fact, policy=world.policy, now=world.now, signatures=SIGNATURES)
    assert judge(world, pool.raws, again) == judge(world, pool.raws, held)


# Policies.


def policies(world):
    rules = st.builds(cards.Rule, st.integers(1, 2), st.sampled_from([(), ("ops-a",), ("ops-b",), ("ops-a", "ops-b")]))
    return st.builds(
        cards.Policy,
        network=st.just(world.network),
        issuers=st.just(dict(world.policy.issuers)),
        app=st.lists(rules, min_size=1, max_size=2).map(tuple),
        groups=st.dictionaries(st.sampled_from(["agents", "admins"]), rules, max_size=2),
        allow=st.sampled_from([(), (bytes(world.identity.public),)]),
        tofu=st.sampled_from(["off", "ask", "first-use"]),
        stale=st.sampled_from(["warn", "refuse"]),
        leeway=st.sampled_from([0, 300]),
    )


TIGHTER = [
    lambda p, _w: {"app": (*p.app, cards.Rule(1, ("ops-b",)))},
    lambda p, _w: {"app": tuple(cards.Rule(rule.threshold + 1, rule.of) for rule in p.app)},
    lambda p, _w: {"groups": {**p.groups, "agents": cards.Rule(9)}},
    lambda _p, w: {"deny": (bytes(w.identity.public),)},
    lambda _p, w: {"deny": (bytes(w.node.public),)},
    lambda _p, _w: {"allow": ()},
    lambda _p, _w: {"stale": "refuse"},
    lambda _p, _w: {"leeway": 0},
    lambda _p, _w: {"revokers": ("ops-a", "ops-b")},
    lambda _p, _w: {"limits": {"ops-a": Limits(names=("*.dc2.example",))}},
    lambda _p, _w: {"limits": {"ops-a": Limits(depth=0), "ops-b": Limits(max_lifetime=1)}},
    lambda _p, _w: {"tofu": "off"},
    # Nobody hears the revocations of an issuer that is dropped; so whom others let in for themselves goes too.
    lambda p, _w: {"issuers": {"ops-a": p.issuers["ops-a"]}, "allow": (), "tofu": "off"},
]


@seldom
@given(st.data())
def test_a_tighter_policy_never_accepts_more_nor_grants_more(world, pool, data):
    policy = data.draw(policies(world))
    change = data.draw(st.sampled_from(TIGHTER))(policy, world)
    tight = dataclasses.replace(policy, **change)
    facts = hold(world, data.draw(some(pool)))
    for raw in pool.raws:
        wide, less = (world.verify(raw, facts=facts, policy=one, signatures=SIGNATURES) for one in (policy, tight))
        assert wide.ok or not less.ok
        assert set(less.groups) <= set(wide.groups)


@seldom
@given(st.data())
def test_one_more_signature_never_makes_a_card_count_less(world, pool, data):
    facts, policy = hold(world, data.draw(some(pool))), data.draw(policies(world))
    pins = data.draw(st.sampled_from([{}, {NAME: world.identity.public}]))
    body = world.card.body
    keys = [world.issuer, world.second, cards.IssuerKey(SITE), cards.IssuerKey(GATE), world.mallory_issuer]
    signed = [
        world.app(body, issuer=key) for key in data.draw(st.lists(st.sampled_from(keys), max_size=3, unique=True))
    ]
    more = world.app(body, issuer=data.draw(st.sampled_from(keys)), sn=2)
    options = {"facts": facts, "policy": policy, "pins": pins, "signatures": SIGNATURES}
    before, after = (world.verify(world.envelope(body, grants=some), **options) for some in (signed, [*signed, more]))
    if "revoked" not in {finding.code for finding in after.findings}:
        assert after.ok or not before.ok
        assert set(after.groups) >= set(before.groups)


# Time.


@often
@given(st.data())
def test_no_jump_of_the_clock_lowers_the_floor(world, data):
    """Lists come at any time by a clock that jumps; the floor only rises, whatever the clock says."""
    facts, floor, numbers = cards.Facts(), 0, {}
    steps = st.tuples(st.booleans(), st.integers(-10, 60), st.integers(0, 90))
    made = dict.fromkeys((world.issuer, world.second), BUILD_TIME)
    for first, jump, later in data.draw(st.lists(steps, max_size=8)):
        issuer = world.issuer if first else world.second
        numbers[issuer] = numbers.get(issuer, 0) + 1
        made[issuer] += later * 86400
        one = world.make_list(issuer, sequence=numbers[issuer], now=made[issuer])
        facts, _ = facts.add(one, policy=world.policy, now=max(0, BUILD_TIME + jump * 86400), signatures=SIGNATURES)
        assert facts.clock(world.policy, BUILD_TIME) >= floor
        floor = facts.clock(world.policy, BUILD_TIME)
        for clock in (0, BUILD_TIME, floor + 1):
            assert facts.clock(world.policy, clock) >= max(clock, min(floor, BUILD_TIME))
