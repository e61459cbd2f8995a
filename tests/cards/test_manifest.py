"""The manifest: which issuers a network has. Those before and those after sign each version; a policy only tightens."""

import itertools

import pytest

import cards

A, B, C, D = (cards.IssuerKey(name.ljust(32).encode()) for name in ("issuer a", "issuer b", "issuer c", "issuer d"))
NAMES = {"a": A, "b": B, "c": C, "d": D}


def errors(verdict):
    return [finding.code for finding in verdict.errors]


def policy(world, *names, threshold=1):
    issuers = {name: NAMES[name].public for name in names}
    return cards.Policy(network=world.network, issuers=issuers, app=(cards.Rule(threshold),))


def held(world, *manifests, of=("a", "b", "c", "d"), threshold=1):
    """Facts with an empty list of each issuer and these manifests; those refused are left out."""
    believed = policy(world, *of, threshold=threshold)
    facts = world.facts(*(world.make_list(NAMES[name]) for name in of), policy=believed, held=cards.Facts())
    for manifest in manifests:
        facts, _ = facts.add(manifest, policy=believed, now=world.now)
    return facts


def judge(world, facts, *granted, of=("a", "b", "c", "d"), threshold=1):
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, issuer=NAMES[name]) for name in granted])
    return world.verify(raw, facts=facts, policy=policy(world, *of, threshold=threshold))


def reached(world, facts, *of, threshold=1):
    found = facts.manifest(policy(world, *of, threshold=threshold))
    return found and found.version


def test_issuers_that_the_manifest_leaves_out_do_not_count(world):
    facts = held(world, world.manifest(1, 1, [A, B]))
    assert judge(world, facts, "a").ok
    assert errors(judge(world, facts, "c")) == ["threshold"]


def test_issuers_of_the_manifest_that_the_policy_does_not_name_do_not_count(world):
    facts = held(world, world.manifest(1, 1, [A, B]), of=("a",))
    assert errors(judge(world, facts, "b", of=("a",))) == ["threshold"]


def test_the_manifest_asks_for_more_issuers_than_the_policy(world):
    facts = held(world, world.manifest(1, 2, [A, B, C]))
    assert errors(judge(world, facts, "a")) == ["threshold"]
    assert judge(world, facts, "a", "b").ok


def test_the_policy_asks_for_more_issuers_than_the_manifest(world):
    facts = held(world, world.manifest(1, 1, [A, B, C], by=[A, B]), threshold=2)
    assert errors(judge(world, facts, "a", threshold=2)) == ["threshold"]
    assert judge(world, facts, "a", "b", threshold=2).ok


def test_a_manifest_that_fewer_signed_than_the_policy_asks_for_is_not_reached(world):
    facts = held(world, world.manifest(1, 1, [A, B, C], by=[A]), threshold=2)
    assert reached(world, facts, "a", "b", "c", threshold=2) is None
    assert judge(world, facts, "d", "c", threshold=2).ok


def test_of_two_issuers_both_sign_the_first_manifest(world):
    alone, both = world.manifest(1, 1, [A]), world.manifest(1, 1, [A], by=[A, B])
    assert reached(world, held(world, alone, of=("a", "b")), "a", "b") is None
    assert reached(world, held(world, both, of=("a", "b")), "a", "b") == 1


def test_the_only_issuer_of_a_policy_signs_the_first_manifest_alone(world):
    assert reached(world, held(world, world.manifest(1, 1, [A]), of=("a",)), "a") == 1


def test_a_manifest_may_ask_for_fewer_than_the_first_one_needed(world):
    first, second = world.manifest(1, 1, [A, B]), world.manifest(2, 1, [A], by=[A])
    assert reached(world, held(world, first, second), "a", "b", "c", "d") == 2


def test_the_next_version_needs_the_threshold_of_the_one_before(world):
    first = world.manifest(1, 2, [A, B])
    those_who_come = world.manifest(2, 2, [C, D])
    one_who_leaves = world.manifest(2, 2, [C, D], by=[A, C, D])
    both = world.manifest(2, 2, [C, D], by=[A, B, C, D])
    assert reached(world, held(world, first, those_who_come), "a", "b", "c", "d") == 1
    assert reached(world, held(world, first, one_who_leaves), "a", "b", "c", "d") == 1
    assert reached(world, held(world, first, both), "a", "b", "c", "d") == 2


def test_the_next_version_needs_its_own_threshold(world):
    with pytest.raises(cards.CardError) as caught:
        world.manifest(2, 2, [C, D], by=[A, B, C])
    assert (caught.value.code, caught.value.finding.exit) == ("manifest-invalid", 4)


def test_a_version_is_reached_over_one_whose_issuers_the_policy_never_knew(world):
    first, second = world.manifest(1, 1, [A]), world.manifest(2, 1, [A, D], by=[A])
    third = world.manifest(3, 1, [D], by=[D])
    assert reached(world, held(world, first, second, third, of=("a",)), "a") == 3
    assert reached(world, held(world, first, third, of=("a",)), "a") == 1


def test_a_lower_version_changes_nothing(world):
    facts = held(world, world.manifest(2, 1, [A, B]), world.manifest(1, 1, [A, B, C, D]))
    assert reached(world, facts, "a", "b", "c", "d") == 2
    assert errors(judge(world, facts, "c")) == ["threshold"]


def test_of_two_manifests_of_one_version_the_lower_digest_counts(world):
    rivals = sorted((world.manifest(1, 1, [A, B]), world.manifest(1, 1, [A, C])), key=lambda one: one.digest)
    for order in (rivals, rivals[::-1]):
        assert held(world, *order).manifest(policy(world, "a", "b", "c")) == rivals[0]


def test_a_manifest_of_strangers_is_unknown(world):
    facts = held(world, of=("a", "b"))
    after, finding = facts.add(world.manifest(1, 1, [C, D]), policy=policy(world, "a", "b"), now=world.now)
    assert (finding.code, finding.exit, after is facts) == ("unknown-issuer", 5, True)


def test_the_order_of_manifests_does_not_matter(world):
    manifests = [
        world.manifest(1, 2, [A, B]),
        world.manifest(2, 2, [B, C], by=[A, B, C]),
        world.manifest(3, 1, [C, D], by=[B, C]),
        world.manifest(3, 1, [A], by=[A]),
    ]
    answers = {
        (reached(world, held(world, *order), "a", "b", "c", "d"), judge(world, held(world, *order), "d").ok)
        for order in itertools.permutations(manifests)
    }
    assert answers == {(3, True)}


def test_a_manifest_never_admits_whom_the_policy_refuses(world):
    """A manifest tightens: whatever one says, no card is accepted that was not accepted without it."""
    for threshold, count in itertools.product((1, 2), (1, 2, 3)):
        for issuers in itertools.combinations("abcd", count):
            keys = [NAMES[name] for name in issuers]
            signed = world.manifest(1, min(threshold, count), keys, by={A, B, *keys})
            facts = held(world, signed, of=("a", "b"))
            assert reached(world, facts, "a", "b") == 1
            for granted in ((), ("a",), ("c",), ("a", "b"), ("a", "c"), ("c", "d")):
                with_it = judge(world, facts, *granted, of=("a", "b"))
                without = judge(world, held(world, of=("a", "b")), *granted, of=("a", "b"))
                assert without.ok or not with_it.ok
