"""What a policy makes of a proven card: rules, groups, denying and allowing, pins, first use, graces; what precedes."""

import itertools

import pytest

import cards
from cards.verification import MAX_JUMP, MAX_PINS

DAY = 86400
NAME = "db-03.dc1.example"


def codes(verdict):
    return [finding.code for finding in verdict.findings]


def errors(verdict):
    return [finding.code for finding in verdict.errors]


@pytest.fixture(scope="module")
def third():
    return cards.IssuerKey(b"third issuer".ljust(32))


@pytest.fixture(scope="module")
def policy(world, third):
    """A maker of policies of three issuers."""

    def make(**options):
        issuers = {**world.policy.issuers, "audit": third.public}
        return cards.Policy(network=world.network, issuers=issuers, **options)

    return make


@pytest.fixture(scope="module")
def judge(world, third, policy):
    """The verdict on a card that these issuers granted groups, under a policy of all three."""

    def judge(granted, *, card=None, facts=None, **options):
        body = (card or world.card).body
        keys = {"ops-a": world.issuer, "ops-b": world.second, "audit": third, "nobody": world.mallory_issuer}
        grants = [world.app(body, issuer=keys[name], grp=list(groups) or None) for name, groups in granted.items()]
        held = facts or world.facts(world.make_list(third), policy=policy())
        chosen = {
            name: options.pop(name) for name in ("pins", "mark", "marks", "established", "now") if name in options
        }
        return world.verify(world.envelope(body, grants=grants), policy=policy(**options), facts=held, **chosen)

    return judge


def by(*names):
    return dict.fromkeys(names, ())


EVERY = [names for count in range(4) for names in itertools.combinations(("ops-a", "ops-b", "audit"), count)]


@pytest.mark.parametrize("names", EVERY, ids="+".join)
def test_m_of_n_issuers_must_agree(judge, names):
    for threshold in (1, 2, 3):
        verdict = judge(by(*names), app=(cards.Rule(threshold),))
        assert verdict.ok == (len(names) >= threshold)
        assert errors(verdict) == ([] if verdict.ok else ["threshold"])


@pytest.mark.parametrize("names", EVERY, ids="+".join)
def test_every_rule_must_be_met(judge, names):
    rules = (cards.Rule(1, ("ops-a", "ops-b")), cards.Rule(1, ("audit",)))
    assert judge(by(*names), app=rules).ok == ("audit" in names and len(names) > 1)


def test_a_rule_counts_the_issuers_that_it_names_alone(judge):
    assert errors(judge(by("ops-a", "audit"), app=(cards.Rule(2, ("ops-a", "ops-b")),))) == ["threshold"]


def test_what_is_missing_is_told_for_each_rule(judge):
    verdict = judge(by("ops-a"), app=(cards.Rule(2), cards.Rule(1, ("audit",))))
    assert verdict.errors[0].message == "1 of 2 and 0 of 1 needed app signatures count"


def test_a_card_that_no_issuer_granted_is_known_and_exits_as_not_trusted(judge):
    verdict = judge({})
    assert (verdict.level, verdict.exit_code, codes(verdict)) == ("known", 5, ["threshold"])


GROUP = {"admins": cards.Rule(2)}


def test_a_group_needs_as_many_issuers_as_the_policy_asks_for_it(judge):
    one = judge({"ops-a": ["admins", "db"], "ops-b": ["db"]}, groups=GROUP)
    assert (one.ok, one.groups, codes(one)) == (True, ("db",), ["group-not-granted"])
    assert judge({"ops-a": ["admins"], "ops-b": ["admins"]}, groups=GROUP).groups == ("admins",)


def test_a_group_of_which_certain_issuers_decide_is_granted_by_no_other(judge):
    groups = {"admins": cards.Rule(1, ("audit",))}
    assert judge({"ops-a": ["admins"], "ops-b": ["admins"]}, groups=groups).groups == ()
    assert judge({"audit": ["admins"]}, groups=groups).groups == ("admins",)


def test_a_capability_needs_as_many_issuers_as_the_policy_asks_for_it(world):
    policy = cards.Policy(
        network=world.network, issuers=world.policy.issuers, capabilities={"deploy": cards.Rule(2)}, groups=GROUP
    )
    body = world.card.body

    def judge(*granted):
        grants = [
            world.app(body, issuer=key, cap=list(names))
            for key, names in zip((world.issuer, world.second), granted, strict=False)
        ]
        return world.verify(world.envelope(body, grants=grants), policy=policy)

    one = judge(["deploy", "log"], ["log"])
    assert (one.ok, one.capabilities, codes(one)) == (True, ("log",), ["capability-not-granted"])
    assert one.findings[0].message == "1 of 2 needed issuers grant deploy"
    assert judge(["deploy"], ["deploy"]).capabilities == ("deploy",)
    assert judge(["admins"], ["admins"]).capabilities == ("admins",)  # which another table names


def test_one_issuer_signing_twice_grants_a_group_once(world):
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, sn=n, grp=["admins"]) for n in (1, 2)])
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, groups=GROUP)
    assert world.verify(raw, policy=policy).groups == ()


# Deny, revocation, proof, allowing and pins, rules, first use: what stands higher decides.


def test_the_policy_denies_an_identity_or_a_node_whatever_else_holds(world, judge):
    for key in (world.identity.public, world.node.public):
        verdict = judge(by("ops-a"), deny=(key,), allow=(world.identity.public,), pins={NAME: world.identity.public})
        assert (errors(verdict), verdict.level, verdict.exit_code) == (["denied"], "reject", 5)
    assert judge(by("ops-a"), deny=(world.mallory.public, world.mallory_node.public)).ok


def test_an_allowed_identity_needs_no_issuer(world, judge):
    verdict = judge({}, allow=(world.identity.public,))
    assert (verdict.level, verdict.exit_code, codes(verdict), verdict.groups) == ("pinned", 0, ["threshold"], ())
    assert errors(judge({}, allow=(world.mallory.public,))) == ["threshold"]


def test_a_pinned_identity_needs_no_issuer(world, judge):
    assert judge({}, pins={NAME: world.identity.public}).level == "pinned"


def test_a_pin_for_another_name_helps_nobody(world, judge):
    assert errors(judge({}, pins={"db-04.dc1.example": world.identity.public})) == ["threshold"]


def test_another_identity_under_a_pinned_name_is_refused_whoever_granted_it(world, judge):
    verdict = judge(by("ops-a", "ops-b", "audit"), pins={NAME: world.mallory.public})
    assert (errors(verdict), verdict.level, verdict.exit_code) == (["pin-changed"], "reject", 8)


def test_an_allowed_identity_takes_no_name_that_is_pinned_to_another(world, judge):
    verdict = judge(by("ops-a"), allow=(world.identity.public,), pins={NAME: world.mallory.public})
    assert errors(verdict) == ["pin-changed"]


@pytest.mark.parametrize("trusted", ["allow", "pin"])
def test_neither_allowing_nor_a_pin_revives_a_key_that_its_owner_revoked(world, judge, trusted):
    facts = world.facts(world.self_revocation(world.identity))
    options = {"allow": (world.identity.public,)} if trusted == "allow" else {"pins": {NAME: world.identity.public}}
    verdict = judge({}, facts=facts, **options)
    assert (errors(verdict), verdict.level, verdict.exit_code) == (["revoked"], "reject", 7)


@pytest.mark.parametrize("trusted", ["allow", "pin"])
def test_neither_allowing_nor_a_pin_revives_a_key_that_an_issuer_listed(world, judge, trusted):
    facts = world.facts(world.make_list(sequence=2, entries=[world.entry(world.identity.public)]))
    options = {"allow": (world.identity.public,)} if trusted == "allow" else {"pins": {NAME: world.identity.public}}
    verdict = judge({}, facts=facts, **options)
    assert (errors(verdict), verdict.level) == (["revoked"], "reject")


def test_a_revoker_ends_an_identity_that_others_granted_and_another_issuer_does_not(world, judge, third, policy):
    lists = [world.make_list(sequence=2, entries=[world.entry(world.identity.public)]), world.make_list(third)]
    facts = world.facts(*lists, policy=policy())
    assert judge(by("ops-b"), facts=facts).ok
    assert errors(judge(by("ops-b"), facts=facts, revokers=("ops-a",))) == ["revoked"]
    assert judge(by("ops-b"), facts=facts, revokers=("audit",)).ok


def test_a_pin_proves_nothing_that_is_not_signed(world):
    options = {"pins": {NAME: world.identity.public}}
    assert world.verify(world.envelope(grants=[]), **options).level == "pinned"
    assert errors(world.verify(world.envelope(grants=[], node=b""), **options)) == ["unproven"]
    assert errors(world.verify(world.envelope(grants=[], key=bytes(64)), **options)) == ["key-signature-invalid"]
    assert errors(world.verify(world.envelope(grants=[], node=bytes(64)), **options)) == ["node-signature-invalid"]


def test_a_pin_outlives_no_end_and_no_number(world):
    options = {"pins": {NAME: world.identity.public}}
    assert errors(world.verify(world.envelope(grants=[], exp=world.now), **options)) == ["expired"]
    assert errors(world.verify(world.envelope(grants=[]), mark=cards.Mark(8, bytes(32)), **options)) == ["rollback"]


@pytest.mark.parametrize("attrs", [{"exp": 1_800_000_000}, {"nbf": 1_800_000_301}])
def test_a_grant_that_does_not_count_harms_no_card_that_needs_none(world, attrs):
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, **attrs)])
    assert world.verify(raw).level == "reject"
    assert world.verify(raw, pins={NAME: world.identity.public}).level == "pinned"
    first_use = cards.Policy(network=world.network, issuers=world.policy.issuers, tofu="first-use")
    assert world.verify(raw, policy=first_use).level == "verified"


def test_what_revokes_a_grant_stands_above_a_pin(world):
    facts = world.facts(world.make_list(sequence=2, entries=[world.entry(world.identity.public)]))
    assert errors(world.verify(world.raw, facts=facts, pins={NAME: world.identity.public})) == ["revoked"]
    first_use = cards.Policy(network=world.network, issuers=world.policy.issuers, tofu="first-use")
    assert errors(world.verify(world.raw, facts=facts, policy=first_use)) == ["revoked"]


# First use.


def test_first_use_is_off_unless_asked_for(judge):
    assert errors(judge({})) == ["threshold"]


def test_first_use_that_asks_says_so_and_refuses(judge):
    verdict = judge({}, tofu="ask")
    assert (verdict.level, verdict.exit_code, codes(verdict)) == ("known", 5, ["threshold", "first-use"])


def test_first_use_trusts_who_comes_first_with_a_name(judge):
    verdict = judge({}, tofu="first-use")
    assert (verdict.level, verdict.exit_code, codes(verdict)) == ("verified", 0, ["first-use"])


def test_first_use_is_no_second_use(world, judge):
    assert errors(judge({}, tofu="first-use", pins={NAME: world.mallory.public})) == ["pin-changed", "threshold"]


def test_first_use_needs_a_name(world, judge):
    assert errors(judge({}, tofu="first-use", card=world.make_card(name=None))) == ["threshold"]


def test_first_use_ends_where_no_more_can_be_pinned(judge):
    """Or a name that finds no place would be the first for everybody who comes with it."""
    pins = {f"name-{number}": bytes(32) for number in range(MAX_PINS - 1)}
    assert judge({}, tofu="first-use", pins=pins).ok
    assert errors(judge({}, tofu="first-use", pins={**pins, "last": bytes(32)})) == ["threshold"]


@pytest.mark.parametrize("tofu", ["ask", "first-use"])
def test_first_use_is_not_asked_where_issuers_agree(judge, tofu):
    assert codes(judge(by("ops-a"), tofu=tofu)) == []


def test_first_use_revives_nobody(world, judge):
    facts = world.facts(world.self_revocation(world.identity))
    assert errors(judge({}, facts=facts, tofu="first-use")) == ["revoked"]


def test_what_somebody_of_first_use_was_granted_counts_for_nothing(judge):
    assert judge({"nobody": ["admins"]}, tofu="first-use").groups == ()


# Times.


def test_a_peer_that_we_had_accepted_outlives_its_end_by_the_grace_and_a_new_one_does_not(world):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, expired_grace=DAY)
    for raw, code in (
        (world.envelope(exp=world.now), "expired"),
        (world.envelope(world.card.body, grants=[world.app(world.card.body, exp=world.now)]), "expired-app"),
    ):
        assert code in errors(world.verify(raw, policy=policy))
        known = world.verify(raw, policy=policy, established=True)
        assert (known.ok, codes(known), known.valid_until) == (True, [code], world.now + DAY)
        assert world.verify(raw, policy=policy, established=True, now=world.now + DAY - 1).ok
        assert code in errors(world.verify(raw, policy=policy, established=True, now=world.now + DAY))


@pytest.mark.parametrize("leeway", [0, 3600])
def test_the_leeway_is_the_policys(world, leeway):
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, leeway=leeway)
    for field in ("nbf", "iat"):
        assert world.verify(world.envelope(**{field: world.now + leeway}), policy=policy).ok
        late = world.verify(world.envelope(**{field: world.now + leeway + 1}), policy=policy)
        assert errors(late) == ["not-yet-valid"]


def test_an_overdue_list_refuses_new_peers_or_is_told_as_the_policy_says(world):
    old = world.holding(world.make_list(now=world.now - 2 * DAY, lifetime=DAY), world.make_list(world.second))
    for stale, ok in (("warn", True), ("refuse", False)):
        policy = cards.Policy(network=world.network, issuers=world.policy.issuers, stale=stale)
        verdict = world.verify(world.raw, policy=policy, facts=cards.Facts(old))
        assert (verdict.ok, "revocation-stale" in codes(verdict)) == (ok, True)


def test_the_grace_of_an_overdue_list_is_the_policys(world):
    old = cards.Facts(world.holding(world.make_list(now=world.now - DAY, lifetime=1), world.make_list(world.second)))
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, revocation_grace=DAY)
    assert world.verify(world.raw, policy=policy, facts=old).ok
    assert not world.verify(world.raw, policy=policy, facts=old, now=world.now + 1).ok


def test_numbers_count_for_pinned_cards_too(world):
    options = {"pins": {NAME: world.identity.public}, "mark": cards.Mark(1, bytes(32))}
    assert errors(world.verify(world.envelope(seq=MAX_JUMP + 2), **options)) == ["suspicious-jump"]


REVIVALS = {
    "allow": lambda w: ({"allow": (w.identity.public,)}, {}),
    "a pin": lambda w: ({}, {w.card.name: w.identity.public}),
    "first use": lambda _w: ({"tofu": "first-use"}, {}),
}


@pytest.mark.parametrize("revival", REVIVALS.values(), ids=REVIVALS.keys())
@pytest.mark.parametrize("grants", ["with its grant", "without it"])
def test_leaving_a_revoked_grant_out_brings_nobody_back(world, revival, grants):
    options, pins = revival(world)
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, **options)
    card = world.card if grants == "with its grant" else world.card.with_grants(())
    revoking = world.make_list(sequence=2, entries=[world.entry(world.identity.public)])
    held = cards.Facts(world.holding(revoking, held=world.holding()))
    before = world.verify(card.raw, policy=policy, pins=pins)
    assert before.ok
    verdict = world.verify(card.raw, policy=policy, pins=pins, facts=held)
    assert not verdict.ok
    assert "revoked" in {finding.code for finding in verdict.errors}


def test_a_key_with_many_ways_to_sign_is_verified_once(world):
    """One delegate's delegate could make every verdict cost a thousand signatures."""
    first, second = cards.IssuerKey(b"1" * 32), cards.IssuerKey(b"2" * 32)
    ways = [world.delegation(second, first, ttl=n) for n in range(10**6, 10**6 + 20)]
    facts = world.facts(world.delegation(first, path=2), *ways)

    class Counting(cards.SignatureCache):
        asked = 0

        def verify(self, key, signature, message):
            self.asked += 1
            return super().verify(key, signature, message)

    signatures = Counting()
    card = world.grant(world.make_card(), second, lifetime=1000)
    verdict = world.verify(card.raw, facts=facts, signatures=signatures)
    assert verdict.ok
    assert len(verdict.weighed) > 10
    assert signatures.asked == 3  # the key signature, the node signature, the grant's
