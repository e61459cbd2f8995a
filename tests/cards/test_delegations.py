"""Delegation: an issuer's key lent within limits that every step of a chain can only narrow."""

import itertools

import pytest

import cards
from cards.delegation import MAX_AUTHORITIES, MAX_WAYS
from cards.limits import Limits, matches

DAY = 86400


def keys(count, name="delegate"):
    return [cards.IssuerKey(f"{name} {n}".encode().ljust(32)) for n in range(count)]


SITE, GATE, DESK, LAST = keys(4)


def errors(verdict):
    return [finding.code for finding in verdict.errors]


def judge(world, delegations, issuer=SITE, *, card=None, policy=None, lists=None, **attrs):
    """The verdict on a card that a delegate granted."""
    body = (card or world.card).body
    raw = world.envelope(body, grants=[world.app(body, issuer=issuer, **attrs)])
    held = world.facts(*delegations, policy=policy, held=lists and cards.Facts(lists))
    return world.verify(raw, facts=held, **({"policy": policy} if policy else {}))


def chain(world, *issuers, path=2, **changes):
    """Each of these keys, the first a root, delegates to the next, with one step fewer to come."""
    return [
        world.delegation(key, issuer, path=max(0, path - n), **changes)
        for n, (issuer, key) in enumerate(itertools.pairwise(issuers))
    ]


def test_a_grant_of_a_delegate_counts_for_the_root(world):
    verdict = judge(world, [world.delegation(SITE)])
    assert (verdict.ok, verdict.issuers, verdict.groups) == (True, (world.issuer.public,), ("agents",))


def test_without_the_delegation_the_delegate_is_a_stranger(world):
    assert errors(judge(world, [])) == ["threshold"]


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("db.dc7.example", "*.dc7.example", True),
        ("a.b.dc7.example", "*.dc7.example", True),
        ("evil-dc7.example", "*.dc7.example", False),
        ("dc7.example", "*.dc7.example", False),
        (".dc7.example", "*.dc7.example", False),
        ("db.dc7.example.net", "*.dc7.example", False),
        ("db.dc8.example", "*.dc7.example", False),
        ("db.dc7.example", "db.dc7.example", True),
        ("xdb.dc7.example", "db.dc7.example", False),
        ("db.dc7.example.x", "db.dc7.example", False),
    ],
)
def test_a_pattern_fits_whole_labels_alone(world, name, pattern, fits):
    assert matches(name, pattern) == fits
    card = world.make_card(name=name)
    verdict = judge(world, [world.delegation(SITE, name=[pattern])], card=card)
    assert errors(verdict) == ([] if fits else ["issuer-constraint", "threshold"])
    assert verdict.exit_code == (0 if fits else 5)


def test_a_card_without_a_name_fits_no_pattern(world):
    card = world.make_card(name=None)
    assert errors(judge(world, [world.delegation(SITE, name=["*.example"])], card=card))[0] == "issuer-constraint"


WITHIN = [
    ("its group", {"grp": ["agents", "db"]}, {"grp": ["agents"]}, True),
    ("no group", {"grp": ["db"]}, {"grp": None}, True),
    ("another group too", {"grp": ["db"]}, {"grp": ["admins", "db"]}, False),
    ("a capability beside its group", {"grp": ["db"]}, {"grp": ["db"], "cap": ["deploy"]}, False),
    ("a capability where no group is forbidden", {}, {"cap": ["deploy"]}, True),
    ("as long as it may", {"ttl": DAY}, {"nbf": 1_800_000_000, "exp": 1_800_000_000 + DAY}, True),
    ("longer by a second", {"ttl": DAY}, {"nbf": 1_800_000_000, "exp": 1_800_000_001 + DAY}, False),
    ("until its own end", {"exp": 1_800_000_000 + DAY}, {"exp": 1_800_000_000 + DAY}, True),
    ("beyond its own end", {"exp": 1_800_000_000 + DAY}, {"exp": 1_800_000_001 + DAY}, False),
    ("from its beginning", {"nbf": 1_800_000_000 - 100}, {"iat": 1_800_000_000 - 100}, True),
    ("from before it", {"nbf": 1_800_000_000 - 100}, {"iat": 1_800_000_000 - 101}, False),
]


@pytest.mark.parametrize(("limits", "attrs", "allowed"), [pytest.param(*case, id=name) for name, *case in WITHIN])
def test_a_delegate_grants_what_it_may_and_nothing_beyond(world, limits, attrs, allowed):
    verdict = judge(world, [world.delegation(SITE, **limits)], **attrs)
    assert errors(verdict) == ([] if allowed else ["issuer-constraint", "threshold"])


@pytest.mark.parametrize(("limits", "attrs", "allowed"), [pytest.param(*case, id=name) for name, *case in WITHIN])
def test_a_step_in_between_limits_whatever_the_last_one_says(world, limits, attrs, allowed):
    delegations = [world.delegation(SITE, path=2, **limits), world.delegation(GATE, SITE)]
    assert judge(world, delegations, GATE, **attrs).ok == allowed


def test_the_limits_that_the_policy_sets_a_root_bind_its_delegates(world):
    policy = cards.Policy(
        network=world.network, issuers=world.policy.issuers, limits={"ops-a": Limits(groups=("db",), depth=1)}
    )
    assert errors(judge(world, [], world.issuer, policy=policy)) == ["issuer-constraint", "threshold"]
    assert errors(judge(world, [world.delegation(SITE)], policy=policy)) == ["issuer-constraint", "threshold"]
    assert judge(world, [world.delegation(SITE)], policy=policy, grp=["db"]).ok
    assert not judge(world, [], world.issuer, policy=policy, grp=["admins"]).ok


def test_a_root_whose_depth_is_0_in_the_policy_delegates_nothing(world):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, limits={"ops-a": Limits(depth=0)})
    _, finding = world.facts().add(world.delegation(SITE), policy=policy, now=world.now)
    assert finding.code == "chain-too-long"
    body = world.card.body
    raw, held = world.envelope(body, grants=[world.app(body, issuer=SITE)]), world.facts(world.delegation(SITE))
    assert world.verify(raw, facts=held).ok
    assert errors(world.verify(raw, facts=held, policy=policy)) == ["threshold"]


def test_a_chain_of_three_steps_counts_and_its_fourth_does_not(world):
    delegations = chain(world, world.issuer, SITE, GATE, DESK)
    assert judge(world, delegations, DESK).ok
    held = world.facts(*delegations)
    _, finding = held.add(world.delegation(LAST, DESK), policy=world.policy, now=world.now)
    assert (finding.code, finding.exit) == ("chain-too-long", 5)


def test_a_delegate_of_path_0_delegates_to_nobody(world):
    held = world.facts(world.delegation(SITE))
    forced = cards.Facts(
        held.revocations, {d.digest: d for d in (world.delegation(SITE), world.delegation(GATE, SITE))}
    )
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, issuer=GATE)])
    assert errors(world.verify(raw, facts=forced)) == ["threshold"]


def test_a_step_in_between_bounds_how_many_may_follow(world):
    delegations = [world.delegation(SITE, path=1), world.delegation(GATE, SITE, path=2)]
    assert judge(world, delegations, GATE).ok
    _, finding = world.facts(*delegations).add(world.delegation(DESK, GATE), policy=world.policy, now=world.now)
    assert finding.code == "chain-too-long"


@pytest.mark.parametrize("to", [SITE, "root"])
def test_a_circle_of_delegations_is_a_chain_too_long(world, to):
    held = world.facts(world.delegation(SITE, path=2), world.delegation(GATE, SITE, path=2))
    closing = world.delegation(world.issuer if to == "root" else to, GATE, path=2)
    assert held.add(closing, policy=world.policy, now=world.now)[1].code == "chain-too-long"
    forced = cards.Facts(held.revocations, {**held.statements, closing.digest: closing})
    assert forced.authorities(world.policy) == held.authorities(world.policy)


def both_granted(world, root, delegate):
    """The verdict on a card that a root and its delegate, who may grant sensors alone, have granted."""
    body = world.card.body
    grants = [world.app(body, **root), world.app(body, issuer=SITE, **{"grp": ["sensors"]} | delegate)]
    lent = world.delegation(SITE, grp=["sensors"], exp=world.now + 1000)
    return world.verify(world.envelope(body, grants=grants), facts=world.facts(lent))


def test_a_delegate_takes_nothing_from_what_its_root_granted_however_high_its_serial(world):
    verdict = both_granted(world, {"grp": ["admins"], "sn": 1}, {"sn": 2**40, "exp": world.now + 900})
    assert (verdict.issuers, verdict.groups) == ((world.issuer.public,), ("admins", "sensors"))


def test_a_verdict_ends_with_the_first_of_the_grants_that_count(world):
    """Also with that of a delegate: it is kept and passed on as long as that verdict stands, and no longer."""
    assert both_granted(world, {"sn": 9}, {"sn": 1, "exp": world.now + 900}).valid_until == world.now + 900


def test_two_delegates_of_one_root_count_once(world):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, app=(cards.Rule(2),))
    held = world.facts(world.delegation(SITE), world.delegation(GATE))
    body = world.card.body
    both = [world.app(body, issuer=SITE), world.app(body, issuer=GATE)]
    assert errors(world.verify(world.envelope(body, grants=both), facts=held, policy=policy)) == ["threshold"]
    two_roots = [*both[:1], world.app(body, issuer=world.second)]
    assert world.verify(world.envelope(body, grants=two_roots), facts=held, policy=policy).ok


def test_one_key_of_two_roots_is_not_two_of_two(world):
    """Or whoever steals the one would be both."""
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, app=(cards.Rule(2),))
    delegations = [world.delegation(SITE), world.delegation(SITE, world.second)]
    assert errors(judge(world, delegations, policy=policy)) == ["threshold"]
    assert judge(world, delegations).ok


def test_a_root_that_is_lent_to_another_is_not_two_of_two(world):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, app=(cards.Rule(2),))
    lent = world.facts(world.delegation(world.issuer, world.second))
    body = world.card.body
    alone = [world.app(body)]
    assert errors(world.verify(world.envelope(body, grants=alone), facts=lent, policy=policy)) == ["threshold"]
    both = [*alone, world.app(body, issuer=world.second)]
    assert world.verify(world.envelope(body, grants=both), facts=lent, policy=policy).ok


def test_the_list_of_the_root_takes_a_delegate_out(world):
    lists = world.holding(world.make_list(entries=[world.entry(SITE.public)]), world.make_list(world.second))
    assert errors(judge(world, [world.delegation(SITE)], lists=lists)) == ["revoked", "threshold"]
    assert judge(world, [], world.issuer, lists=lists).ok


def test_what_was_revoked_is_told_where_it_is_not_the_identity(world):
    """Or its owner would throw away good keys."""

    def told(issuer, subject):
        facts = world.facts(world.delegation(SITE), world.make_list(sequence=2, entries=[world.entry(subject)]))
        verdict = world.verify(world.grant(world.make_card(), issuer).raw, facts=facts)
        return verdict.errors[0].message.partition("list 2")[2]

    assert told(world.issuer, world.identity.public) == ""
    assert told(world.issuer, world.card.card_id) == ", this one card"
    assert told(SITE, SITE.public) == f", the delegate {SITE.public.short}"


def test_the_list_of_the_root_takes_out_whoever_stands_behind_a_delegate(world):
    lists = world.holding(world.make_list(entries=[world.entry(SITE.public)]), world.make_list(world.second))
    delegations = chain(world, world.issuer, SITE, GATE)
    assert errors(judge(world, delegations, GATE, lists=lists)) == ["revoked", "threshold"]


def test_the_list_of_another_root_takes_no_delegate_out(world):
    lists = world.holding(world.make_list(), world.make_list(world.second, entries=[world.entry(SITE.public)]))
    assert judge(world, [world.delegation(SITE)], lists=lists).ok


def test_a_delegate_publishes_no_list(world):
    held = world.facts(world.delegation(SITE))
    _, finding = held.add(world.make_list(SITE), policy=world.policy, now=world.now)
    assert finding.code == "unknown-issuer"


def test_a_delegate_that_retires_takes_along_whoever_stands_behind_it(world):
    delegations = chain(world, world.issuer, SITE, GATE)
    assert judge(world, delegations, GATE).ok
    assert errors(judge(world, [*delegations, world.retirement(SITE)], GATE)) == ["threshold"]
    assert errors(judge(world, [*delegations, world.retirement(SITE)], SITE)) == ["threshold"]


def test_no_order_of_delegations_makes_another_authority(world):
    delegations = [*chain(world, world.issuer, SITE, GATE), world.delegation(GATE), world.delegation(DESK, GATE)]
    statements = {one.digest: one for one in delegations}
    backwards = dict(reversed(statements.items()))
    one, other = (cards.Facts(world.holding(), some).authorities(world.policy) for some in (statements, backwards))
    assert one == other


def test_a_root_with_very_many_delegates_crowds_out_no_other(world):
    layers = [[world.issuer], keys(11, "first"), keys(91, "second")]
    delegations = [
        world.delegation(key, issuer, path=2 - depth)
        for depth, (above, below) in enumerate(itertools.pairwise(layers))
        for issuer in above
        for key in below
    ]
    facts = cards.Facts(world.holding(), {one.digest: one for one in delegations})
    found = facts.authorities(world.policy)
    assert sum(one.root == world.issuer.public for one in found) == MAX_AUTHORITIES
    assert world.verify(world.grant(world.make_card(), world.second).raw, facts=facts).ok


def test_of_the_ways_from_a_root_to_one_key_only_so_many_are_weighed(world):
    site = world.delegation(SITE, path=2)
    often = [world.delegation(GATE, SITE, exp=world.now + 1000 + n) for n in range(100)]
    facts = cards.Facts(world.holding(), {one.digest: one for one in (site, *often)})
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, issuer=GATE, exp=world.now + 1099)])
    verdict = world.verify(raw, facts=facts)
    assert len(verdict.weighed) == MAX_WAYS
    # The delegation that ends last is among them, as the one that was made last mostly is.
    assert verdict.ok


def test_a_way_of_fewer_steps_is_not_crowded_out_by_those_of_more(world):
    layers = [world.delegation(SITE, path=2), *(world.delegation(GATE, SITE, ttl=1 + n) for n in range(100))]
    direct = world.delegation(GATE, ttl=DAY, exp=world.now + 10)
    facts = cards.Facts(world.holding(), {one.digest: one for one in (*layers, direct)})
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, issuer=GATE, exp=world.now + 9)])
    verdict = world.verify(raw, facts=facts)
    assert (len(verdict.weighed), verdict.ok) == (MAX_WAYS, True)


def test_what_is_held_can_be_added_again_in_the_order_in_which_it_is_told(world):
    for last in keys(8, "last"):
        delegations = chain(world, world.issuer, SITE, GATE, last)
        held = world.facts(*delegations).merge(world.facts(), world.now)
        assert world.facts(*held, held=cards.Facts()) == held
