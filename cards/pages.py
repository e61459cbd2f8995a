"""Pages: the entries of a revocation list, cut so that one entry more changes one page.

    page       [[subject, at, reason, until], ...]      sorted by subject, over all pages

A subject is an identity key, a card id or an issuer key, all 32 bytes. Nodes fetch the pages that they do not hold.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple

from . import codec, fields
from .findings import CardError

MAX_PAGES = 16  # of one list: the highest power of two whose digests let two heads fit a conflict
MAX_ENTRIES = 1_000  # of one page; with the longest of our reasons they make 60,003 bytes
MAX_PAGE = 62_000  # bytes: one message on a link holds a page and its head

_subject = fields.binary(32)
_reason = fields.name(32)


class Entry(NamedTuple):
    """One revocation: 32 bytes of identity key or card id, since when, why, and until when it must be remembered."""

    subject: bytes
    at: int
    reason: str
    until: int


def page_digest(page: bytes) -> bytes:
    return hashlib.sha256(page).digest()


def read_pages(pages: Iterable[bytes]) -> tuple[Entry, ...]:
    """The entries of all pages. Raises `CardError`."""
    entries = tuple(entry for page in pages for entry in _read_page(page))
    subjects = [entry.subject for entry in entries]
    if subjects != sorted(set(subjects)):
        raise CardError("not-deterministic", "the entries are not sorted by subject without repeats")
    return entries


def _read_page(page: bytes) -> Iterator[Entry]:
    rows = codec.decode(page, limit=MAX_PAGE, what="page")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ENTRIES:
        raise CardError("malformed", f"a page is an array of 1 to {MAX_ENTRIES} entries")
    for row in rows:
        if not isinstance(row, list) or len(row) != 4:
            raise CardError("malformed", "an entry is an array of four parts")
        subject, at, reason, until = row
        yield Entry(
            _subject(subject, "subject"),
            fields.integer(at, "at"),
            _reason(reason, "reason"),
            fields.integer(until, "until"),
        )


def cut_pages(entries: Iterable[Entry]) -> tuple[bytes, ...]:
    """The pages that hold these entries; of several for one subject the last. Raises `CardError` too-large.

    Each page holds all subjects that begin with the same bits, as few bits as it takes: where an entry comes or goes,
    the others stay as they are. Whoever grinds keys to begin alike can make such pages many and small; those are cut
    evenly instead.
    """
    rows = sorted({entry.subject: entry for entry in entries}.values())
    most = MAX_PAGES * MAX_ENTRIES
    if len(rows) <= most:
        by_bits = tuple(islice(_by_bits(rows, 0), MAX_PAGES + 1))
        for pages in chain([by_bits], _evenly(rows)):
            if len(pages) <= MAX_PAGES and all(len(page) <= MAX_PAGE for page in pages):
                return pages
    size = f"{len(rows)} entries of {sum(len(_encode([row])) - 1 for row in rows)} bytes"
    limit = f"a revocation list holds {MAX_PAGES} pages of {MAX_ENTRIES} entries and {MAX_PAGE} bytes"
    raise CardError("too-large", f"{size}, {limit}: let grants end sooner, or have a second issuer grant some")


def _by_bits(rows: Sequence[Entry], bit: int) -> Iterator[bytes]:
    """Pages of these entries, whose subjects have their first `bit` bits in common."""
    if not rows:
        return
    if len(rows) <= MAX_ENTRIES and len(page := _encode(rows)) <= MAX_PAGE:
        yield page
        return
    middle = bisect_left(rows, 1, key=lambda entry: entry.subject[bit // 8] >> (7 - bit % 8) & 1)
    yield from _by_bits(rows[:middle], bit + 1)
    yield from _by_bits(rows[middle:], bit + 1)


def _evenly(rows: Sequence[Entry]) -> Iterator[tuple[bytes, ...]]:
    """All ways to cut these entries into pages of one length, beginning with the longest."""
    for count in range(-(-len(rows) // MAX_ENTRIES), MAX_PAGES + 1):
        cuts = [len(rows) * place // count for place in range(count + 1)]
        yield tuple(_encode(rows[start:end]) for start, end in pairwise(cuts))


def _encode(rows: Iterable[Entry]) -> bytes:
    return codec.encode([list(row) for row in rows])
