"""Memo: what is remembered is what would be said again, to the letter, whoever asks."""

import random
from dataclasses import fields

import pytest

import cards
from cards.facts import BUILD_TIME

DAY = 86_400
NOW = 1_800_000_000


def said(verdict):
    """All that a verdict says, with what its own comparison leaves out."""
    values = {one.name: getattr(verdict, one.name) for one in fields(verdict)}
    return values | {"card": verdict.card and verdict.card.card}


def asked(world, memo=None, card=None, **options):
    """One question, of a memo or of nobody."""
    given = {"policy": world.policy, "now": world.now, "facts": world.facts(), "pins": {}, "marks": {}} | options
    if memo is None:
        return cards.verify_card(card or world.card, **given)
    return memo.verify_card(card or world.card, **given)


class Questions:
    """Every way to ask that makes a difference, each part from a few that are the same objects every time."""

    def __init__(self, world):
        policies = [
            world.policy,
            cards.Policy(network=world.network, issuers={"ops-a": world.issuer.public}, expired_grace=DAY),
            cards.Policy(network=world.network, issuers=world.policy.issuers, deny=(world.card.node_id,)),
            cards.Policy(network=world.network, issuers=world.policy.issuers, app=(cards.Rule(2),), tofu="first-use"),
            cards.Policy(network=world.network, issuers={}, tofu="ask"),
        ]
        body = world.make_card()
        two = world.grant(body, world.second, lifetime=3 * DAY)
        garbled = body.with_grants((cards.Grant.parse(world.issuer.public.hint, world.attrs, bytes(64)),))
        offered = [
            world.card,
            world.grant(body, lifetime=2 * DAY),
            body.with_grants((*world.card.grants, *two.grants)),
            world.grant(world.make_card(name=None)),
            world.grant(world.make_card(sequence=8)),
            garbled,
            body,
        ]
        entry = cards.Entry(bytes(world.identity.public), world.now - 200, "lost", world.now + 4 * DAY)
        listed = cards.Facts(world.holding(world.make_list(entries=[entry]), world.make_list(world.second)))
        facts = [
            world.facts(),
            cards.Facts(),
            listed,
            cards.Facts(world.holding(world.make_list(lifetime=DAY))),
            world.facts(world.self_revocation(world.identity)),
            world.facts(world.delegation(world.mallory_issuer)),
        ]
        mark = cards.Mark(world.card.sequence, world.card.card_id)
        marks = [None, mark, cards.Mark(9, bytes(32)), cards.Mark(world.card.sequence, bytes(32))]
        pins = [{}, {world.card.name: world.identity.public}, {world.card.name: world.mallory.public}]
        peers = [None, world.card.node_id, bytes(32)]
        ends = [NOW, BUILD_TIME - DAY, *(NOW + days * DAY for days in (1, 2, 3, 4, 5))]
        ends += [end for card in offered for end in (card.not_before - 300, card.not_after, card.not_after + DAY)]
        ends += [grant.not_after for card in offered for grant in card.grants]
        self.parts = {
            "card": offered,
            "policy": policies,
            "facts": facts,
            "pins": pins,
            "mark": marks,
            "peer_static": peers,
            "established": [False, True],
            "thorough": [True, False],
            "now": sorted({end + shift for end in ends for shift in (-1, 0, 1)}),
        }

    def draw(self, name, chance):
        """Mostly the first, or hardly any card would be fine."""
        return chance.choice(self.parts[name] if name == "now" else [*self.parts[name][:1] * 5, *self.parts[name]])


@pytest.fixture(scope="module")
def questions(world):
    return Questions(world)


PARTS = {"card": 150, "policy": 150, "facts": 150, "pins": 150, "mark": 150, "peer_static": 150}
PARTS |= {"established": 150, "thorough": 150, "now": 1000}


@pytest.mark.parametrize("share", [3, pytest.param(1, marks=pytest.mark.long)], ids=["a third", "all"])
@pytest.mark.parametrize(("part", "times"), PARTS.items())
def test_every_answer_is_the_one_that_would_be_given_without(world, questions, part, times, share):
    """A question, another that differs in one part, and the first again."""
    chance, signatures = random.Random(part), cards.SignatureCache()
    for _ in range(times // share):
        memo = cards.Memo()
        memo.signatures = signatures
        first = {name: questions.draw(name, chance) for name in PARTS}
        other = first | {part: chance.choice(questions.parts[part])}
        for question in (first, other, first):
            assert said(asked(world, memo, **question)) == said(asked(world, signatures=signatures, **question))


def test_a_card_that_is_fine_is_judged_once_until_something_ends(world):
    memo, facts = cards.Memo(), world.facts()
    end = min(facts.revocations.by_issuer[key].next_due for key in (world.issuer.public,))
    first = asked(world, memo, facts=facts)
    assert first.ok
    assert asked(world, memo, facts=facts, now=end - 1) is first
    assert asked(world, memo, facts=facts, now=end) is not first


@pytest.mark.parametrize("lifetime", [DAY, 10**6])
def test_a_peer_in_its_grace_is_not_what_it_was_before(world, lifetime):
    """It counts for longer, with a warning: what ended is the grant, or all."""
    policy = cards.Policy(network=world.network, issuers=world.policy.issuers, expired_grace=10**6)
    card = world.grant(world.make_card(lifetime=2 * DAY), lifetime=lifetime)
    end = min(card.not_after, card.grants[0].not_after)
    memo, facts = cards.Memo(), world.facts()
    for now, findings in ((end - 1, False), (end, True), (end + 1, True), (end - 1, False)):
        options = {"card": card, "policy": policy, "facts": facts, "established": True, "now": now}
        verdict = asked(world, memo, **options)
        assert (verdict.ok, bool(verdict.findings)) == (True, findings)
        assert said(verdict) == said(asked(world, **options))


def test_what_is_wrong_is_said_anew_every_second(world):
    memo, facts = cards.Memo(), world.facts()
    late = world.card.not_after
    first = asked(world, memo, facts=facts, now=late)
    assert asked(world, memo, facts=facts, now=late) is first
    assert "1 s ago" in asked(world, memo, facts=facts, now=late + 1).findings[0].message


def test_equal_bytes_are_one_card_and_one_record(world):
    memo = cards.Memo()
    assert memo.card(bytes(world.raw)) is memo.card(bytes(bytearray(world.raw)))
    record = cards.make_record(world.node, network=world.network, addresses=["10.0.0.1:1"], sequence=1, now=world.now)
    assert memo.record(record.raw) is memo.record(bytes(bytearray(record.raw)))
    for read in (memo.card, memo.record):
        for _ in range(2):
            with pytest.raises(cards.CardError):
                read(b"\xc1")


def test_what_is_read_from_bytes_is_written_as_these_bytes(world):
    again = cards.Card.parse(world.raw)
    assert again.raw == world.raw == cards.Card.parse(world.raw).with_grants(again.grants).raw
    assert again.with_grants(()).raw != world.raw


@pytest.mark.parametrize("shift", [-301, -1, 0, 1, DAY, 8 * DAY])
def test_a_record_is_judged_as_without(world, shift):
    memo = cards.Memo()
    record = cards.make_record(world.node, network=world.network, addresses=[], sequence=1, now=world.now)
    forged = cards.AddressRecord.from_parts(record.body, bytes(64))
    for one in (record, forged):
        for network in (world.network, "another"):
            for now in (world.now, world.now + shift, world.now):
                options = {"network": network, "now": now, "leeway": 300}
                assert memo.check_record(one, **options) == one.check(**options)


def test_equal_facts_are_one_object_and_others_are_not(world):
    memo = cards.Memo()
    ending, lent = world.self_revocation(world.mallory), world.delegation(world.mallory_issuer)
    both = [memo.facts(world.facts(ending, lent)) for _ in range(2)]
    assert both[0] is both[1]
    assert memo.facts(world.facts(lent, ending)) is not both[0]  # in another order they may be told in another one
    assert memo.facts(world.facts(ending)) is not both[0]
    lists = [cards.Facts(world.holding(world.make_list(sequence=number))) for number in (1, 2)]
    assert memo.facts(lists[0]) is not memo.facts(lists[1])


def test_what_follows_from_an_object_is_worked_out_once_for_it_and_anew_for_its_equal():
    memo, asked_of = cards.Memo(), []

    def longer(values):
        asked_of.append(values)
        return [*values, 0]

    one, equal = [1], [1]
    assert memo.once(longer, one) is memo.once(longer, one)
    assert memo.once(longer, equal) is not memo.once(longer, one)
    assert len(asked_of) == 2


def test_no_more_is_remembered_than_the_limit(world):
    memo = cards.Memo(limit=1)
    other = world.grant(world.make_card(sequence=8))
    first = memo.card(world.raw)
    memo.card(other.raw)
    assert memo.card(world.raw) is not first
    facts = world.facts()
    verdict = asked(world, memo, facts=facts)
    asked(world, memo, card=other, facts=facts)
    assert asked(world, memo, facts=facts) is not verdict
    for _ in range(2 * memo.MAX_JUDGES):
        asked(world, memo, facts=world.facts())
    assert len(memo._judges) == memo.MAX_JUDGES
