"""Pages of revocation lists: one entry more changes one page, ground keys do not make too many, limits are named."""

import hashlib
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cards
from cards import pages
from cards.pages import MAX_ENTRIES, MAX_PAGE, MAX_PAGES, Entry, cut_pages, read_pages


def entry(subject, reason="key-compromise"):
    return Entry(subject, 1_800_000_000, reason, 1_900_000_000)


def entries(count, **options):
    return [entry(hashlib.sha256(str(number).encode()).digest(), **options) for number in range(count)]


@pytest.mark.parametrize("count", [1, 999, 5_000, 10_000, 13_000])
def test_one_entry_more_changes_one_page(count):
    before, after = cut_pages(entries(count)), cut_pages(entries(count + 1))
    assert len(set(after) - set(before)) == len(set(before) - set(after)) == 1


def test_the_entry_that_no_longer_fits_divides_its_page_and_leaves_the_others():
    below = [entry(bytes([0]) + subject[1:]) for subject, *_ in entries(MAX_ENTRIES)]
    above = [entry(bytes([255]) + subject[1:]) for subject, *_ in entries(MAX_ENTRIES)]
    before = cut_pages([*below, *above])
    after = cut_pages([*below, *above, entry(b"\xff" * 32)])
    assert (len(before), len(after)) == (2, 3)
    assert before[0] == after[0]


def test_subjects_that_begin_alike_for_200_bits_fill_a_page_like_any_others():
    alike = [entry(bytes(25) + subject[25:]) for subject, *_ in entries(1_500)]
    assert len(cut_pages(alike)) == 2


def test_where_ground_subjects_would_make_too_many_pages_they_are_cut_evenly():
    """One subject of each length of prefix, and 1,001 of the longest: a page for each step down to them."""
    steps = [entry((2**256 - 2 ** (256 - bits)).to_bytes(32, "big")) for bits in range(40)]
    ground = [entry(b"\xff" * 5 + subject[5:]) for subject, *_ in entries(MAX_ENTRIES + 1)]
    evenly = cut_pages([*steps, *ground])
    assert len(evenly) == 2
    assert len(read_pages(evenly)) == len(steps) + len(ground)


def test_a_list_holds_16_000_entries_of_our_longest_reason_and_no_more():
    assert max(map(len, cards.revocation.REASONS)) == len("key-compromise")
    full = entries(MAX_PAGES * MAX_ENTRIES)
    assert read_pages(cut_pages(full)) == tuple(sorted(full))
    with pytest.raises(cards.CardError, match=r"16001 entries of .* 16 pages of 1000 .*: let grants end"):
        cut_pages(entries(MAX_PAGES * MAX_ENTRIES + 1))


def test_pages_are_cut_by_their_bytes_too():
    long = entries(MAX_ENTRIES, reason="x" * 32)
    cut = cut_pages(long)
    assert len(cut) == 2
    assert all(len(page) <= MAX_PAGE for page in cut)


def test_a_list_with_too_many_bytes_for_16_pages_says_how_many():
    with pytest.raises(cards.CardError, match="15000 entries of 1185000 bytes"):
        cut_pages(entries(15_000, reason="x" * 32))


def test_no_entries_make_no_page():
    assert cut_pages([]) == ()


SUBJECTS = st.binary(min_size=32, max_size=32) | st.integers(0, 2**16).map(lambda number: number.to_bytes(32, "big"))


@given(st.sets(SUBJECTS, min_size=1, max_size=60), st.data())
def test_whatever_the_subjects_pages_are_full_sorted_and_change_one_at_a_time(subjects, data):
    last = data.draw(st.sampled_from(sorted(subjects)))
    rows = [entry(subject) for subject in subjects]
    with mock.patch.object(pages, "MAX_ENTRIES", 4), mock.patch.object(pages, "MAX_PAGES", 64):
        after, before = cut_pages(rows), cut_pages(row for row in rows if row.subject != last)
        assert read_pages(after) == tuple(sorted(rows))
        assert all(a[-1] < b[0] for a, b in pairwise(read_pages([page]) for page in after))
    # A page that the new entry divides, or one that it makes: no other is touched.
    assert len(set(before) - set(after)) <= 1
