"""ReplayCache: each key once, in time, bounded, and nothing that a cache before it may have seen."""

from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.noisesocket.replay import ReplayCache

WINDOW = 10_000
START = 1_000_000
READY = START + 2 * WINDOW
"""When all that is in time is also new to this cache."""


def new_cache(capacity=100):
    return ReplayCache(window=WINDOW, capacity=capacity, start=START)


def test_a_key_is_fresh_once():
    cache = new_cache()
    assert [cache.fresh(b"key", READY, READY) for _ in range(3)] == [True, False, False]


def test_what_was_sent_too_long_ago_or_too_far_ahead_is_not_fresh():
    cache = new_cache()
    now = READY + WINDOW
    verdicts = [cache.fresh(b"%d" % off, now + off, now) for off in (-WINDOW - 1, -WINDOW, WINDOW, WINDOW + 1)]
    assert verdicts == [False, True, True, False]


def test_what_the_cache_before_may_have_seen_is_not_fresh():
    cache = new_cache()
    assert not cache.fresh(b"key", START, START)
    # Sent by a fast clock and taken before the start: still in time a window later.
    assert not cache.fresh(b"key", START + WINDOW, START + WINDOW)
    assert cache.fresh(b"key", START + WINDOW + 1, START + WINDOW + 1)


def test_a_full_cache_takes_nothing_until_an_entry_is_out_of_its_window():
    cache = new_cache(capacity=2)
    assert cache.fresh(b"one", READY, READY)
    assert cache.fresh(b"two", READY, READY)
    assert not cache.fresh(b"three", READY + WINDOW, READY + WINDOW)
    assert cache.fresh(b"three", READY + WINDOW, READY + WINDOW + 1)
    assert len(cache) == 1


def test_a_clock_that_is_set_back_brings_nothing_back():
    cache = new_cache()
    assert cache.fresh(b"key", READY, READY)
    later = READY + WINDOW + 1
    assert cache.fresh(b"other", later, later)
    assert not cache.fresh(b"key", READY, READY)


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(range(5)), st.integers(0, 3 * WINDOW), st.integers(-WINDOW, WINDOW)), max_size=60
    )
)
def test_no_message_is_fresh_twice_whatever_the_clock_does(moves):
    """A message is its key and its sending time, which its sender authenticated."""
    cache, taken = new_cache(capacity=3), set()
    now = READY
    for number, sent_after, step in moves:
        now += step
        message = (b"%d" % number, READY + sent_after)
        if cache.fresh(*message, now):
            assert message not in taken
            taken.add(message)
