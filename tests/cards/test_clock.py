"""The time floor: what issuers have signed sets a clock that is behind, and nobody alone moves it."""

import pytest

import cards
from cards.facts import BUILD_TIME, MAX_STEP

DAY = 86400
NEVER = 1_000  # 1970: a board without a clock, just started


def facts_of(world, *times, issuers=None, policy=None, now=None):
    """Facts with a list of each issuer, made at these times and taken when the last of them was made."""
    held, policy = cards.Facts(), policy or world.policy
    now = max(times) if now is None else now
    for issuer, time in zip(issuers or (world.issuer, world.second), times, strict=False):
        held, finding = held.add(world.make_list(issuer, now=time), policy=policy, now=now)
        assert finding is None, finding
    return held


def single(world):
    return cards.Policy(network=world.network, issuers={"ops-a": world.issuer.public})


def test_a_clock_that_is_ahead_of_all_is_believed(world):
    assert facts_of(world, world.now, world.now).clock(world.policy, world.now + DAY) == world.now + DAY


def test_a_clock_behind_the_build_time_is_set_to_it(world):
    assert cards.Facts().clock(world.policy, NEVER) == BUILD_TIME


def test_one_issuer_alone_does_not_move_the_floor_of_two(world):
    assert facts_of(world, world.now).clock(world.policy, BUILD_TIME) == BUILD_TIME
    facts = facts_of(world, world.now + 90 * DAY, world.now)
    assert facts.clock(world.policy, BUILD_TIME) == world.now


def test_the_only_issuer_of_a_policy_moves_the_floor(world):
    assert facts_of(world, world.now, policy=single(world)).clock(single(world), BUILD_TIME) == world.now


def test_as_many_issuers_as_a_rule_asks_for_move_the_floor(world):
    third = cards.IssuerKey(b"third".ljust(32))
    issuers = {**world.policy.issuers, "audit": third.public}
    strict = cards.Policy(network=world.network, issuers=issuers, app=(cards.Rule(3),))
    keys, times = (world.issuer, world.second, third), (world.now, world.now - DAY, world.now - 2 * DAY)
    assert facts_of(world, *times, issuers=keys, policy=strict).clock(strict, BUILD_TIME) == times[2]


def test_retiring_the_issuer_that_lied_heals_the_floor(world):
    lists = [world.make_list(world.issuer, now=world.now + 300 * DAY), world.make_list(world.second, now=world.now)]
    third = cards.IssuerKey(b"third".ljust(32))
    policy = cards.Policy(network=world.network, issuers={**world.policy.issuers, "audit": third.public})
    lists.append(world.make_list(third, now=world.now - DAY))
    facts = cards.Facts()
    for one in lists:
        facts, finding = facts.add(one, policy=policy, now=world.now + 300 * DAY)
        assert finding is None
    assert facts.clock(policy, BUILD_TIME) == world.now
    facts, finding = facts.add(world.retirement(world.issuer, iat=world.now - 100), policy=policy, now=world.now)
    assert finding is None
    assert facts.clock(policy, BUILD_TIME) == world.now - DAY


def test_a_policy_without_the_issuer_that_lied_heals_the_floor(world):
    facts = facts_of(world, world.now + 300 * DAY, world.now)
    without = cards.Policy(network=world.network, issuers={"ops-b": world.second.public})
    assert facts.clock(world.policy, BUILD_TIME) == world.now
    assert facts.clock(without, BUILD_TIME) == world.now


def test_nothing_from_beyond_the_leeway_is_taken_by_a_clock_that_can_be_right(world):
    _, finding = cards.Facts().add(world.make_list(now=BUILD_TIME + 301), policy=single(world), now=BUILD_TIME)
    assert (finding.code, finding.exit) == ("not-yet-valid", 6)


def test_a_single_issuer_moves_the_floor_of_a_clock_that_can_be_right_by_the_leeway_alone(world):
    policy, facts = single(world), cards.Facts()
    for number in range(1, 20):
        made = facts.clock(policy, world.now) + 300
        facts, _ = facts.add(world.make_list(sequence=number, now=made), policy=policy, now=world.now)
    assert facts.clock(policy, world.now) == world.now + 300


def test_a_clock_set_back_takes_what_is_not_later_than_the_floor(world):
    facts = facts_of(world, world.now, world.now)
    back = {"policy": world.policy, "now": world.now - 30 * DAY}
    assert facts.add(world.make_list(sequence=2, now=world.now), **back)[1] is None
    assert facts.add(world.make_list(sequence=2, now=world.now + 1), **back)[1].code == "not-yet-valid"


def test_a_clock_before_the_build_time_takes_one_step_of_at_most_400_days(world):
    policy = single(world)
    facts, finding = cards.Facts().add(world.make_list(now=BUILD_TIME + MAX_STEP), policy=policy, now=NEVER)
    assert finding is None
    assert facts.clock(policy, NEVER) == BUILD_TIME + MAX_STEP
    _, finding = cards.Facts().add(world.make_list(now=BUILD_TIME + MAX_STEP + 1), policy=policy, now=NEVER)
    assert finding.code == "not-yet-valid"


def test_a_clock_that_was_never_set_does_not_walk_forward_step_by_step(world):
    policy = single(world)
    facts, _ = cards.Facts().add(world.make_list(now=BUILD_TIME + MAX_STEP), policy=policy, now=NEVER)
    facts, _ = facts.add(world.make_list(sequence=2, now=BUILD_TIME + 2 * MAX_STEP), policy=policy, now=NEVER)
    assert facts.clock(policy, NEVER) == BUILD_TIME + MAX_STEP


def test_the_floor_ends_a_card_whose_bearer_hopes_for_a_clock_set_back(world):
    long_ago = {"iat": world.now - 9 * DAY, "nbf": world.now - 9 * DAY}
    ended = world.envelope(exp=world.now, grants=[], **long_ago)
    body = world.parts(ended)[1]
    ended = world.envelope(body, grants=[world.app(body, **long_ago)])
    before = world.now - 2 * DAY
    assert world.verify(ended, facts=facts_of(world, before, before), now=before).ok
    verdict = world.verify(ended, facts=facts_of(world, world.now, world.now), now=before)
    assert [finding.code for finding in verdict.errors] == ["expired"]


@pytest.mark.parametrize("where", ["card", "grant"])
def test_a_clock_that_was_never_set_takes_what_is_younger_than_the_lists(world, where):
    facts = facts_of(world, world.now - 20 * DAY, policy=single(world))
    young = {"iat": world.now, "nbf": world.now}
    old = {"iat": world.now - 20 * DAY, "nbf": world.now - 20 * DAY}
    body = world.parts(world.envelope(grants=[], **(young if where == "card" else old)))[1]
    raw = world.envelope(body, grants=[world.app(body, **young)])
    assert world.verify(raw, facts=facts, policy=single(world), now=NEVER).ok
    behind = world.verify(raw, facts=facts, policy=single(world), now=world.now - 20 * DAY)
    assert "not-yet-valid" in {finding.code for finding in behind.findings}


def test_a_clock_that_was_never_set_takes_no_card_of_more_than_400_days_later(world):
    facts = facts_of(world, BUILD_TIME, policy=single(world), now=NEVER)
    later = {"iat": BUILD_TIME + MAX_STEP + 1, "nbf": BUILD_TIME, "exp": BUILD_TIME + 2 * MAX_STEP}
    body = world.parts(world.envelope(grants=[], **later))[1]
    verdict = world.verify(world.envelope(body, grants=[]), facts=facts, policy=single(world), now=NEVER)
    assert "not-yet-valid" in {finding.code for finding in verdict.errors}


@pytest.mark.parametrize("jump", [-(10**9), -DAY, -1, 0, 1])
def test_no_jump_of_the_clock_lowers_the_floor(world, jump):
    facts = facts_of(world, world.now, world.now)
    assert facts.clock(world.policy, max(0, world.now + jump)) >= (
        world.now if world.now + jump > BUILD_TIME else BUILD_TIME
    )
