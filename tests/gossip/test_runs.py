"""Runs: whatever was added and removed, every stretch has the count, sum and keys that a sorted list has."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.gossip import runs
from p2pnoise.gossip.runs import Runs

keys = st.binary(min_size=2, max_size=2)
bounds = st.binary(max_size=2)


def share(key):
    return int.from_bytes(key, "big") ** 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(keys, max_size=60), st.integers(2, 9), bounds, bounds, st.data())
def test_runs_are_a_sorted_list(changes, most, low, high, data):
    kept = runs.MAX_RUN
    runs.MAX_RUN = most
    try:
        made, model = Runs(share), set()
        for key in changes:
            (made.remove if key in model else made.add)(key)
            model ^= {key}
    finally:
        runs.MAX_RUN = kept
    if high and high < low:
        low, high = high, low
    found = sorted(key for key in model if low <= key and (not high or key < high))
    assert len(made) == len(model)
    assert list(made.keys(low, high)) == found
    assert made.count(low, high) == len(found)
    assert made.total(low, high) == sum(map(share, found))
    ranks = sorted(data.draw(st.lists(st.integers(0, len(found) - 1)))) if found else []
    assert made.at(low, ranks) == [found[rank] for rank in ranks]


def test_a_stretch_costs_no_look_at_each_key():
    looked = []
    made = Runs(lambda key: looked.append(key) or share(key))
    chance = random.Random(1)
    for key in {chance.randbytes(4) for _ in range(20_000)}:
        made.add(key)
    for low, high in ((b"", b""), (b"\x20", b"\xe0"), (b"\x20\x10", b"\x20\x11")):
        looked.clear()
        made.total(low, high)
        assert len(looked) <= runs.MAX_RUN
