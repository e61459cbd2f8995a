"""Reconciliation: two tables end with all that either holds, and neither can be made to pay for more than its part."""

import random
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.gossip import budget, overlay, reconciliation
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.items import NO_ISSUER, Place, Span, bound_between, key_of
from p2pnoise.gossip.messages import KEY_SIZE, MAX_IDS, MAX_RANGES, Announce, CardItem, Items, Push, Range, Ranges, Want
from p2pnoise.instant import SECOND
from tests.gossip.comparison import LAB, LINK, OPS, Side, converse, made_up, pair, without

BOTH = pytest.mark.parametrize("dense", [False, True], ids=["a node's items", "items of a simulated world"])
MAX_TRIPS = 40  # more than any of these takes


def same(one, other):
    return set(one.items) == set(other.items)


# What it finds, and at what cost.


@BOTH
def test_equal_tables_exchange_one_fingerprint(dense):
    items = made_up(2_000)
    _, _, talk = converse(items, items, dense=dense)
    assert len(talk.sizes) == 1
    assert talk.bytes < 100


@BOTH
@pytest.mark.parametrize("ours", [0, 1, 40, 700])
@pytest.mark.parametrize("theirs", [0, 1, 40, 700])
def test_both_end_with_all_that_either_holds(dense, ours, theirs):
    one, other, talk = converse(made_up(ours, seed=1), made_up(theirs, seed=2), dense=dense)
    assert same(one, other)
    assert len(one.items) == ours + theirs
    assert len(talk.sizes) <= MAX_TRIPS


@BOTH
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_a_hundred_recent_differences_take_two_round_trips(dense, whose):
    items = made_up(5_000)
    late = without(items, [*items][-100:])
    one, other, talk = converse(*((late, items) if whose == "ours" else (items, late)), dense=dense)
    assert same(one, other)
    assert len(talk.sizes) <= 4
    assert talk.bytes < 5_000


@BOTH
def test_both_sides_of_a_short_partition_meet_in_two_round_trips(dense):
    items = made_up(5_000)
    recent = [*items][-100:]
    one, other, talk = converse(without(items, recent[::2]), without(items, recent[1::2]), dense=dense)
    assert same(one, other)
    assert len(talk.sizes) <= 4
    assert talk.bytes < 5_000


@BOTH
def test_scattered_differences_are_found_at_a_cost_of_their_number(dense):
    items = made_up(5_000)
    lost = random.Random(2).sample([*items], 40)
    one, other, talk = converse(without(items, lost[:20]), without(items, lost[20:]), dense=dense)
    assert same(one, other)
    assert talk.bytes < 40 * 700
    assert len(talk.sizes) <= MAX_TRIPS


@BOTH
@pytest.mark.parametrize("hours", [1, 5_000], ids=["all in one hour", "an hour for each"])
def test_whoever_chooses_hours_makes_nothing_dearer(dense, hours):
    items = made_up(4_000, hours=hours)
    lost = random.Random(3).sample([*items], 20)
    one, other, talk = converse(items, without(items, lost), dense=dense)
    assert same(one, other)
    assert talk.bytes < 20 * 900
    assert len(talk.sizes) <= MAX_TRIPS


@BOTH
def test_ids_that_are_alike_to_the_last_byte_are_told_apart(dense):
    place = Place(9, frozenset((OPS,)))
    items = {bytes(14) + number.to_bytes(2, "big"): place for number in range(1_000)}
    one, other, _ = converse(items, without(items, [bytes(16), bytes(14) + b"\2\2"]), dense=dense)
    assert same(one, other)


def test_a_simulated_world_says_what_nodes_would():
    """Byte for byte: parts, bounds, fingerprints and ids."""
    items = made_up(3_000, hours=30)
    lost = random.Random(4).sample([*items], 60)
    talks = [converse(without(items, lost[:30]), without(items, lost[30:]), dense=dense)[2] for dense in (False, True)]
    assert talks[0].written == talks[1].written


keys = st.integers(0, 60)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 2), keys, st.integers(0, 3)), max_size=250), st.booleans(), st.integers(1, 9))
def test_any_two_tables_end_equal_in_a_bounded_number_of_messages(drawn, dense, few):
    """Ids and hours that collide more than any will: with small parts there are many levels."""
    everything, held = {}, ([], [])
    for number, (whose, low, hour) in enumerate(drawn):
        item = bytes([low]) + number.to_bytes(15, "big")
        everything[item] = Place(hour, frozenset((OPS,)))
        for side in (0, 1):
            if whose in (side, 2):
                held[side].append(item)
    before = reconciliation.FEW, reconciliation.PARTS, reconciliation.NEWEST
    reconciliation.FEW, reconciliation.PARTS, reconciliation.NEWEST = few, few + 1, few
    try:
        one, other, talk = converse(*({item: everything[item] for item in ids} for ids in held), dense=dense)
    finally:
        reconciliation.FEW, reconciliation.PARTS, reconciliation.NEWEST = before
    assert set(one.items) == set(other.items) == set(everything)
    assert len(talk.sizes) <= MAX_TRIPS


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE), st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE))
def test_a_bound_lies_between_two_keys_and_is_no_longer_than_it_must_be(one, other):
    if one == other:
        return
    last, first = sorted((one, other))
    bound = bound_between(last, first)
    assert last < bound <= first
    assert bound[-1]
    assert not last < bound[:-1] <= first


# Groups.


@BOTH
def test_nodes_with_different_policies_agree_on_the_issuer_that_both_accept(dense):
    """What counts for another issuer besides is in the group of each, so nothing of it looks different."""
    place, twice = frozenset((OPS,)), frozenset((OPS, LAB))
    shared = made_up(200, seed=1) | made_up(200, seed=2, groups=(OPS, LAB))
    lab = made_up(50, seed=3, groups=(LAB,))
    assert {one.groups for one in shared.values()} == {place, twice}
    one, other = pair(shared, shared | lab, dense=dense)
    wide = SimpleNamespace(issuers={"ops": OPS, "lab": LAB})
    other.core._table.policy = wide
    assert one.hear(other.begin()) == (None, frozenset())
    assert other.hear(one.begin()) == (None, frozenset())
    one.core._table.policy = wide
    answer, _ = other.hear(one.begin())
    assert {group for group, _ in answer.groups} == {LAB}


@BOTH
def test_what_needs_no_issuer_is_compared_where_there_is_some(dense):
    items = made_up(10) | made_up(5, seed=2, groups=(NO_ISSUER,))
    one, other = pair(made_up(10), items, dense=dense)
    assert [group for group, _ in one.begin().groups] == [OPS]
    message = other.begin()
    assert [group for group, _ in message.groups] == [NO_ISSUER, OPS]
    assert set(one.hear(message)[1]) == set(items)


def test_a_group_of_an_issuer_that_we_do_not_accept_is_not_answered():
    one, _ = pair(made_up(100), {})
    assert one.hear(Ranges(((LAB, (Range(b"", frozenset()),)),), frozenset()))[0] is None


# What a peer can cost.


def greedy(number):
    """A message that claims to hold nothing at all, or another nothing each time."""
    return Ranges(((OPS, (Range(b"", frozenset((number.to_bytes(16, "big"),))),)),), frozenset())


@pytest.fixture
def poor(monkeypatch):
    """Nobody is told all once an hour."""
    monkeypatch.setattr(budget.Budgets, "room", lambda self, node, _, now: self._account(node, now.monotonic).left)


def spent(side, messages, now=0):
    """The bytes that it answers to all of these."""
    answers = [side.hear(message, now)[0] for message in messages]
    return sum(len(encode(answer)) for answer in answers if answer is not None)


def test_a_minute_costs_no_more_than_its_allowance(poor):
    side = Side(b"a", made_up(20_000))
    assert 0 < spent(side, map(greedy, range(200))) <= budget.ALLOWANCE
    assert spent(side, map(greedy, range(200)), now=59 * SECOND) == 0
    assert 0 < spent(side, map(greedy, range(200)), now=60 * SECOND) <= budget.ALLOWANCE


def test_small_messages_are_as_few_as_large_ones(poor):
    items = made_up(100)
    side = Side(b"a", items)
    almost = frozenset([*items][1:])
    answers = [side.hear(Ranges(((OPS, (Range(b"", almost),)),), frozenset()))[0] for _ in range(200)]
    assert sum(answer is not None for answer in answers) <= 64


def test_what_was_worth_it_may_be_spent_again(poor):
    side = Side(b"a", made_up(50_000))
    spent(side, map(greedy, range(50)))
    side.core.earned(LINK, asked=10_000, given=0, now=SimpleNamespace(monotonic=0, unix=0))
    more = spent(side, map(greedy, range(50)))
    assert 0 < more <= budget.GAIN * 10_000 * 16


def test_to_ask_for_the_same_again_and_again_is_worth_it_once(poor):
    items = made_up(5_000)
    side = Side(b"a", items)
    for _ in range(100):
        side.core.earned(LINK, asked=len(items), given=0, now=SimpleNamespace(monotonic=0, unix=0))
    assert spent(side, map(greedy, range(1_000))) <= budget.GAIN * 16 * len(items)


def test_once_an_hour_a_peer_may_be_told_all():
    items = made_up(20_000)
    side = Side(b"a", items)
    whole = spent(side, map(greedy, range(200)))
    assert len(items) * 16 <= whole <= len(items) * 16 + budget.ALLOWANCE
    assert spent(side, map(greedy, range(200)), now=59 * 60 * SECOND) <= budget.ALLOWANCE
    assert spent(side, map(greedy, range(200)), now=60 * 60 * SECOND) >= len(items) * 16


def test_a_new_link_is_no_new_account(poor):
    side = Side(b"a", made_up(20_000))
    spent(side, map(greedy, range(200)))
    side.core.close(LINK)
    side.core.open(LINK, b"of the other")
    assert spent(side, map(greedy, range(200))) == 0


def test_accounts_are_bounded(monkeypatch):
    monkeypatch.setattr(budget, "MAX_ACCOUNTS", 3)
    budgets = budget.Budgets()
    for number in range(9):
        budgets.spend(bytes([number]), 1, SimpleNamespace(monotonic=0))
    assert len(budgets._accounts) == 3


def test_of_many_ranges_that_differ_few_are_opened_at_once():
    items = made_up(40_000)
    side = Side(b"a", items)
    cuts = [key_of(item, place.hour) for item, place in items.items()][::100]
    uppers = [bound_between(last, first) for last, first in pairwise(cuts)]
    ranges = tuple(Range(upper, bytes(16)) for upper in uppers)
    answer, _ = side.hear(Ranges(((OPS, ranges),), frozenset()))
    ((_, said),) = answer.groups
    whole = {one.upper for one in ranges}
    opened = [one for one in said if one.upper not in whole and one.holds is not None]
    assert len(opened) == reconciliation.OPENED * (reconciliation.PARTS - 1)
    assert len(said) <= MAX_RANGES


def test_which_of_them_is_left_to_chance():
    """Or what differs for ever would hide what does not."""
    items = made_up(8_000)
    uppers = [bytes((0, 0x07, 0xA1 + part)) for part in range(2)] + [bytes((0x07, 0xA1, 0x20 + at)) for at in range(40)]
    ranges = tuple(Range(upper, bytes(16)) for upper in sorted(uppers))
    said = {Side(b"a", items, seed=seed).hear(Ranges(((OPS, ranges),), frozenset()))[0] for seed in range(5)}
    assert len(said) == 5


def test_a_table_that_differs_everywhere_gets_on_within_an_allowance(poor):
    """Were ranges opened in the order of keys, or the largest first, none would ever come to ids."""
    ours, theirs = made_up(20_000, seed=1), made_up(20_000, seed=2)
    common = made_up(40_000, seed=3)
    one, other = pair(ours | common, theirs | common)
    learned = 0
    message, speaker, listener = one.begin(), one, other
    while message is not None:
        answer, offered = listener.hear(message)
        learned += len(set(offered) - set(listener.items))
        speaker, listener, message = listener, speaker, answer
    assert speaker is not None
    assert learned > 100


def test_a_peer_is_told_more_when_it_has_asked_for_what_it_was_told():
    """So a joiner is never told more than it can ask for, however much there is."""
    items = made_up(20_000)
    empty, full = pair({}, items)
    answer, offered = full.hear(empty.begin())
    assert len(offered) == 0
    assert len(answer.told) == reconciliation.MAX_TOLD <= MAX_IDS
    empty.wants.queue(LINK, answer.told, frozenset(), 0)
    assert empty.hear(answer)[0] is None
    empty.core.resume(SimpleNamespace(monotonic=0))
    assert empty.spoken() is None
    for item in answer.told:
        empty.have(item, items[item])
    empty.core.resume(SimpleNamespace(monotonic=0))
    further, _ = full.hear(empty.spoken())
    assert len(further.told) == len(answer.told)
    assert not further.told & answer.told


# On links.


@pytest.mark.parametrize("late", ["ada", "bob"])
def test_whoever_is_judged_last_the_tables_are_compared(mesh, late):
    """One side begins, and the other may not have judged it yet."""
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob", names=["dora"])
    held, judge = [], mesh.judge
    mesh.judge = lambda one, name: held.append((one, name)) if one.name == late else judge(one, name)
    mesh.join(ada, bob)
    assert not mesh.converged
    mesh.judge = judge
    for speaker, name in held:
        mesh.judge(speaker, name)
    mesh.pump()
    assert mesh.converged


def test_what_is_kept_of_a_peer_that_is_not_judged_is_little(mesh):
    ada = mesh.add("ada")
    puppet = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(puppet, ada)
    mesh.say(puppet, ada, *[Ranges((), frozenset())] * 50)
    (state,) = ada.overlay._links.values()
    assert len(state.early) == overlay.MAX_EARLY


def test_a_comparison_is_made_every_minute_with_somebody(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    ada.heard.clear()
    bob.heard.clear()
    mesh.wait(600)
    assert 16 <= len(ada.heard_of(Ranges)) + len(bob.heard_of(Ranges)) <= 20


def test_whoever_came_to_us_in_numbers_does_not_have_all_comparisons(mesh):
    ada = mesh.add("ada")
    mesh.join(ada, mesh.add("bob"))
    for number in range(10):
        mesh.puppet(f"eve-{number}", ada)  # each of them is dialled, and one of our choice, but for what is said here
    views = ada.overlay.views
    for link in views.active:
        views.active[link] = link == ada.links["bob"]
    mesh.speakers["bob"].heard.clear()
    mesh.wait(60 * 60)
    assert len(mesh.speakers["bob"].heard_of(Ranges)) > 20


def test_a_joiner_learns_a_thousand_items_from_one_peer_without_waiting(mesh):
    ada = mesh.add("ada", names=[f"node-{number}" for number in range(400)])
    bob = mesh.add("bob")
    mesh.join(ada, bob)
    assert mesh.converged
    assert len(bob.table.items) > 1_200
    assert mesh.now == 0


def test_who_lacks_nearly_all_of_what_was_made_in_one_hour_is_told_all_in_one_comparison(mesh, monkeypatch):
    """Bodies bring grants, which stand far behind them."""
    for name, tenth in (("MAX_TOLD", 197), ("BEHIND", 98), ("MAX_LEFT", 8), ("OPENED", 2)):
        monkeypatch.setattr(reconciliation, name, tenth)
    ada, bob = mesh.add("ada", names=[f"node-{number}" for number in range(800)]), mesh.add("bob")
    mesh.join(bob, ada)
    assert len(bob.table) == len(ada.table)


def test_a_peer_that_offers_what_it_does_not_give_holds_no_other_comparison_up(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    made = frozenset(number.to_bytes(16, "big") for number in range(2_000))
    mesh.say(eve, ada, Ranges((), made))
    assert eve.heard_of(Want)
    bob = mesh.add("bob", names=[f"node-{number}" for number in range(30)])
    mesh.join(ada, bob)
    mesh.wait(2)
    assert len(ada.table) == 32


def news(count):
    return Announce(frozenset(number.to_bytes(16, "big") for number in range(count)))


@pytest.mark.parametrize("much", [True, False])
def test_a_peer_in_a_storm_is_answered_when_it_has_calmed_down(mesh, much):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, news(reconciliation.MUCH + much))
    eve.heard.clear()
    everything = Range(b"", frozenset())
    mesh.say(eve, ada, Ranges(((bytes(mesh.place.issuer.public), (everything,)),), frozenset()))
    assert len(eve.heard_of(Ranges)) == (not much)
    mesh.wait(reconciliation.CALM / SECOND)
    assert len(eve.heard_of(Ranges)) == 1


def test_a_storm_of_one_peer_puts_off_no_comparison_with_another(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    mesh.wait(2 * reconciliation.TURN / SECOND)
    mesh.say(eve, ada, news(100))
    bob = mesh.add("bob", names=["carl"])
    mesh.join(ada, bob)
    assert len(ada.table) == 3


def test_ranges_of_a_peer_that_is_not_judged_are_not_answered(mesh):
    ada = mesh.add("ada")
    puppet = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(puppet, ada)
    issuer = bytes(mesh.place.issuer.public)
    mesh.say(puppet, ada, Ranges(((issuer, (Range(b"", frozenset()),)),), frozenset()))
    assert not puppet.heard_of(Ranges)
    assert not puppet.heard_of(Items)


def test_all_ids_are_told_to_whoever_claims_to_have_none(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    issuer = bytes(mesh.place.issuer.public)
    eve.heard.clear()
    mesh.say(eve, ada, Ranges(((issuer, (Range(b"", frozenset()),)),), frozenset()))
    assert eve.heard == [Ranges((), frozenset(ada.table.items))]
    span = Span(issuer, b"", b"")
    mesh.say(eve, ada, Ranges(((issuer, (Range(b"", bytes(ada.table.items.fingerprint(span))),)),), frozenset()))
    assert len(eve.heard) == 1


def test_whoever_signs_lists_without_end_does_not_have_us_compare_without_end(mesh):
    place = mesh.place
    ada = mesh.add("ada", policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))
    eve, bob = mesh.puppet("eve", ada), mesh.puppet("bob", ada)
    mesh.wait(5)
    before = len(bob.heard_of(Ranges))
    for number in range(2, 22):
        mesh.say(eve, ada, Push((CardItem(place.card(f"stranger-{number}", issuer=place.stranger).raw),)))
        mesh.say(eve, ada, place.given(place.make_list(number, issuer=place.second)))
    assert len(bob.heard_of(Ranges)) == before + 1
    mesh.wait(2 * overlay.FORGIVEN / SECOND)
    assert len(bob.heard_of(Ranges)) == before + 2
