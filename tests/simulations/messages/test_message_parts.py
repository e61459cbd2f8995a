"""What the message world is made of: sets of bits, the queue, and dice."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.gossip.items import fingerprint, share
from simulations.messages.bits import lowest, numbers_of
from simulations.messages.dice import Dice
from simulations.messages.queue import Queue
from simulations.messages.registry import ItemBits, Registry

ids = st.sets(st.binary(min_size=16, max_size=16), max_size=40)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ids, ids)
def test_sets_of_bits_are_sets(one, other):
    registry = Registry()
    bits = ItemBits(registry, registry.bits_of(one))
    for theirs in (other, ItemBits(registry, registry.bits_of(other))):
        assert bits | theirs == one | other
        assert bits & theirs == one & other
        assert bits - theirs == one - other
    assert frozenset(other) - bits == other - one
    assert frozenset(other) | bits == one | other
    assert len(bits) == len(one)
    assert set(bits) == one
    assert all(item in bits for item in one)
    assert not any(item in bits for item in other - one)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 300), st.data())
def test_the_lowest_of_many_bits(bits, data):
    numbers = list(numbers_of(bits))
    assert numbers == [number for number in range(301) if bits >> number & 1]
    if numbers:
        most = data.draw(st.integers(0, len(numbers) - 1))
        assert list(numbers_of(lowest(bits, most))) == numbers[:most]


def test_bodies_are_asked_for_first_then_records_then_grants():
    registry = Registry()
    made = [bytes([kind << 6]) + bytes([number]) * 15 for number in range(4) for kind in (2, 0, 1)]
    bits = registry.bits_of(frozenset(made))
    kinds = [[registry.ids[n][0] >> 6 for n in numbers_of(registry.first(bits, most))] for most in (4, 6, 9)]
    assert [sorted(one) for one in kinds] == [[0] * 4, [0] * 4 + [1] * 2, [0] * 4 + [1] * 4 + [2]]


def test_a_queue_gives_by_time_and_in_the_order_of_coming():
    queue, expected = Queue(), []
    chance = random.Random(3)
    for number in range(500):
        time = chance.choice([chance.randrange(1 << 24), 5 << 20, 5 << 20])
        queue.push(time, number, None, None)
        expected.append((time, number))
    expected.sort()
    found, until = [], 0
    while len(queue):
        until += 1 << 19
        while (entry := queue.pop(until)) is not None:
            assert entry[0] <= until
            found.append((entry[0], entry[2]))
            if entry[2] == 7:  # what is put in while it gives comes out in its time
                queue.push(entry[0], 1_000, None, None)
                expected.append((entry[0], 1_000))
    assert found == sorted(expected)


def test_dice_are_fair_enough_and_their_own():
    dice, same, other = Dice(5), Dice(5), Dice(6)
    thrown = [dice.randrange(6) for _ in range(6_000)]
    assert thrown == [same.randrange(6) for _ in range(6_000)] != [other.randrange(6) for _ in range(6_000)]
    assert all(900 < thrown.count(eye) < 1_100 for eye in range(6))
    deck = list(range(20))
    dice.shuffle(deck)
    assert sorted(deck) == list(range(20)) != deck
    assert 0 <= dice.random() < 1


def test_a_fingerprint_is_of_the_sum_and_the_number():
    one, other = share(b"a" * 16), share(b"b" * 16)
    assert fingerprint(one + other, 2) == fingerprint(other + one + (1 << 256), 2)
    assert fingerprint(one, 1) != fingerprint(one, 2) != fingerprint(other, 2)
