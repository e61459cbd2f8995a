"""Gossip messages: every shape goes there and back, every other is refused, newer ones are let pass."""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cards import Head
from cards.codec import encode as pack
from p2pnoise.gossip.encoding import decode, encode, ranges_size
from p2pnoise.gossip.messages import (
    MAX_IDS,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_RANGES,
    MAX_SAMPLE,
    MAX_WANT,
    MAX_WANT_STATEMENTS,
    Announce,
    CardItem,
    Found,
    GivenList,
    GivenPage,
    GivenStatements,
    GrantItem,
    Heads,
    HeldStatements,
    Items,
    MessageError,
    Probe,
    ProbeAnswer,
    Prune,
    Push,
    Range,
    Ranges,
    RecordItem,
    Sample,
    Unknown,
    Want,
    WantLists,
    WantPages,
    WantStatements,
)

ID = b"i" * 16
KEY = b"k" * 32
HEAD = Head(KEY, 7, b"d" * 32)


def numbered(count):
    return frozenset(number.to_bytes(16, "big") for number in range(count))


FINGERPRINT = b"f" * 16
UPPERS = [(2 * number + 1).to_bytes(19, "big") for number in range(MAX_RANGES)]


def of_group(*values):
    return pack([1, 14, [[KEY, [*values]]], b""])


MESSAGES = [
    Heads(()),
    Heads((HEAD,) * 16),
    WantLists(()),
    WantLists((KEY,) * 16),
    GivenList(b"", b"", ()),
    GivenList(b"x" * 960, bytes(64), (b"x" * 62_000,)),
    GivenList(b"", b"", (b"",) * 16),
    WantPages(()),
    WantPages((KEY,) * 8),
    GivenPage(b""),
    GivenPage(b"x" * 62_000),
    Ranges((), frozenset()),
    Ranges((), numbered(MAX_IDS)),
    Ranges(((b"", (Range(b"", FINGERPRINT),)), (KEY, (Range(b"", frozenset()),))), frozenset()),
    Ranges(((KEY, (Range(b"\1", None), Range(b"\1\1", numbered(300)), Range(b"\2", FINGERPRINT))),), numbered(2)),
    Ranges(((KEY, tuple(Range(upper, FINGERPRINT) for upper in UPPERS)),), numbered(2_000)),
    Announce(numbered(MAX_IDS)),
    Want(numbered(MAX_WANT)),
    Want(frozenset(), graft=True),
    Push(()),
    Push((CardItem(b"c"), GrantItem(KEY, b"h" * 8, b"attrs", b"s" * 64), RecordItem(b"r"))),
    Push((CardItem(b""),) * MAX_ITEMS),
    Prune(),
    Sample(frozenset(), asks=False, full=True),
    Sample(numbered(MAX_SAMPLE), asks=True, full=False),
    Items((), last=True),
    Items((CardItem(b"c"), GrantItem(KEY, b"h" * 8, b"attrs", b"s" * 64), RecordItem(b"r")), last=False),
    Items((CardItem(b""),) * MAX_ITEMS, last=False),
    Items((CardItem(b"x" * 1_024), *(RecordItem(b"x" * 109),) * 511), last=False),
    Probe(b"1234"),
    Probe(b"1234", about=KEY),
    ProbeAnswer(b"1234", Found.HERE),
    ProbeAnswer(b"1234", Found.NO_ANSWER),
    HeldStatements((KEY,) * 1_000),
    WantStatements((KEY,) * MAX_WANT_STATEMENTS),
    GivenStatements(()),
    GivenStatements((("SUCCESSION", b"raw"),) * MAX_WANT_STATEMENTS),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_goes_there_and_back(message):
    assert decode(encode(message)) == message
    assert len(encode(message)) <= MAX_MESSAGE


@pytest.mark.parametrize("message", [message for message in MESSAGES if isinstance(message, Ranges)])
def test_ranges_have_the_size_that_is_said_of_them(message):
    assert ranges_size(message) == len(encode(message))


BAD = {
    "no message": pack([]),
    "no type": pack([1]),
    "a map": pack({"v": 1}),
    "type as text": pack([1, "1", []]),
    "version true": pack([True, 6, ID]),
    "type true": pack([1, True, []]),
    "heads: none": pack([1, 1]),
    "heads: one field too many": pack([1, 1, [], []]),
    "heads: 17": pack([1, 1, [[KEY, 1, KEY]] * 17]),
    "heads: short issuer": pack([1, 1, [[b"k", 1, KEY]]]),
    "heads: short digest": pack([1, 1, [[KEY, 1, b"d"]]]),
    "heads: sequence as text": pack([1, 1, [[KEY, "1", KEY]]]),
    "heads: sequence true": pack([1, 1, [[KEY, True, KEY]]]),
    "heads: not an array": pack([1, 1, KEY]),
    "want lists: 17": pack([1, 2, [KEY] * 17]),
    "want lists: short": pack([1, 2, [b"k"]]),
    "given list: an envelope": pack([1, 3, b"list"]),
    "given list: a page as text": pack([1, 3, b"head", bytes(64), ["page"]]),
    "given list: 17 pages": pack([1, 3, b"head", bytes(64), [b""] * 17]),
    "given list: pages not an array": pack([1, 3, b"head", bytes(64), b"page"]),
    "sample: half an id": pack([1, 17, bytes(24), False, False]),
    "sample: seventeen": pack([1, 17, b"".join(sorted(numbered(MAX_SAMPLE + 1))), False, False]),
    "sample: one id twice": pack([1, 17, bytes(32), False, False]),
    "sample: no truth": pack([1, 17, b"", 1, False]),
    "sample: one truth": pack([1, 17, b"", False]),
    "probe: a short nonce": pack([1, 21, b"123"]),
    "probe: half a node id": pack([1, 21, b"1234", KEY[:16]]),
    "probe: about nobody": pack([1, 21, b"1234", b""]),
    "probe: about two": pack([1, 21, b"1234", KEY, KEY]),
    "probe answer: a long nonce": pack([1, 22, b"12345", 0]),
    "probe answer: found true": pack([1, 22, b"1234", True]),
    "probe answer: found 3": pack([1, 22, b"1234", 3]),
    "want pages: half a digest": pack([1, 12, bytes(48)]),
    "want pages: nine": pack([1, 12, KEY * 9]),
    "given page: text": pack([1, 13, "page"]),
    "given page: two": pack([1, 13, b"page", b"page"]),
    "held statements: half a digest": pack([1, 9, bytes(48)]),
    "held statements: 1,001": pack([1, 9, KEY * 1_001]),
    "want statements: 97": pack([1, 10, KEY * 97]),
    "given statements: 97": pack([1, 11, [["SUCCESSION", b"raw"]] * 97]),
    "given statements: label as bytes": pack([1, 11, [[b"SUCCESSION", b"raw"]]]),
    "given statements: one part": pack([1, 11, [["SUCCESSION"]]]),
    "given statements: not an array": pack([1, 11, b"raw"]),
    "ranges: nothing told": pack([1, 14, []]),
    "ranges: told half an id": pack([1, 14, [], bytes(24)]),
    "ranges: told 3,001": pack([1, 14, [], b"".join(sorted(numbered(MAX_IDS + 1)))]),
    "ranges: 3,001 ids in all": pack(
        [1, 14, [[KEY, [b"", 2, b"".join(sorted(numbered(MAX_IDS)))]]], ID],
    ),
    "ranges: 18 groups": pack([1, 14, [[bytes(31) + bytes([n]), [b"", 1, FINGERPRINT]] for n in range(18)], b""]),
    "ranges: a group twice": pack([1, 14, [[KEY, [b"", 1, FINGERPRINT]]] * 2, b""]),
    "ranges: groups that go down": pack([1, 14, [[key, [b"", 1, FINGERPRINT]] for key in (KEY, b"a" * 32)], b""]),
    "ranges: a short group": pack([1, 14, [[b"k", [b"", 1, FINGERPRINT]]], b""]),
    "ranges: a group of nothing": pack([1, 14, [[KEY, []]], b""]),
    "ranges: a group alone": pack([1, 14, [[KEY]], b""]),
    "ranges: not an array": pack([1, 14, KEY, b""]),
    "ranges: 513": of_group(*(value for upper in [*UPPERS, b""] for value in (upper, 1, FINGERPRINT))),
    "ranges: two values": of_group(b"", 1),
    "ranges: four values": of_group(b"", 1, FINGERPRINT, b""),
    "ranges: a long bound": of_group(b"\1" * 20, 1, FINGERPRINT),
    "ranges: a bound that ends in 0": of_group(b"\1\0", 1, FINGERPRINT),
    "ranges: a bound as text": of_group("1", 1, FINGERPRINT),
    "ranges: a bound twice": of_group(b"\1", 1, FINGERPRINT, b"\1", 1, FINGERPRINT),
    "ranges: bounds that go down": of_group(b"\2", 1, FINGERPRINT, b"\1", 1, FINGERPRINT),
    "ranges: one after the end": of_group(b"", 1, FINGERPRINT, b"\1", 1, FINGERPRINT),
    "ranges: one behind the end": of_group(b"", 1, FINGERPRINT, b"", 1, FINGERPRINT),
    "ranges: two that are skipped": of_group(b"\1", 0, b"", b"\2", 0, b"", b"", 1, FINGERPRINT),
    "ranges: the last one skipped": of_group(b"\1", 1, FINGERPRINT, b"", 0, b""),
    "ranges: something skipped": of_group(b"\1", 0, FINGERPRINT, b"", 1, FINGERPRINT),
    "ranges: half a fingerprint": of_group(b"", 1, bytes(8)),
    "ranges: half an id": of_group(b"", 2, bytes(24)),
    "ranges: ids that go down": of_group(b"", 2, b"j" * 16 + ID),
    "ranges: of kind 3": of_group(b"", 3, FINGERPRINT),
    "ranges: of kind true": of_group(b"", True, FINGERPRINT),
    "ranges: a fingerprint as text": of_group(b"", 1, "f" * 16),
    "announce: half an id": pack([1, 6, bytes(24)]),
    "announce: 3,001": pack([1, 6, b"".join(sorted(numbered(MAX_IDS + 1)))]),
    "announce: an id twice": pack([1, 6, ID * 2]),
    "announce: ids that go down": pack([1, 6, b"j" * 16 + ID]),
    "want: 513": pack([1, 7, b"".join(sorted(numbered(MAX_WANT + 1)))]),
    "items: 513": pack([1, 8, [[1, b""]] * (MAX_ITEMS + 1), False]),
    "items: of type 4": pack([1, 8, [[4, b""]], False]),
    "items: a grant of two parts": pack([1, 8, [[2, b"", b""]], False]),
    "items: a card as text": pack([1, 8, [[1, "card"]], False]),
    "items: of type true": pack([1, 8, [[True, b"card"]], False]),
    "items: bare": pack([1, 8, [b"card"], False]),
    "items: last as a number": pack([1, 8, [], 1]),
    "items: nothing of last": pack([1, 8, []]),
    "too large": pack([1, 3, bytes(MAX_MESSAGE)]),
    "trailing": encode(Items((), last=True)) + b"\x00",
    "wide integer": b"\x93\xcd\x00\x01\x08\x90",
    "nothing": b"",
}


@pytest.mark.parametrize("what", BAD)
def test_it_is_refused(what):
    with pytest.raises(MessageError):
        decode(BAD[what])


@pytest.mark.parametrize("kind", [4, 5])
def test_a_number_that_meant_something_once_means_nothing(kind):
    assert decode(pack([1, kind, bytes(512)])) == Unknown()


@pytest.mark.parametrize("data", [pack([2, 1, "anything"]), pack([1, 98]), pack([1, 99, [1, 2]]), pack([0, 0])])
def test_a_version_or_type_of_tomorrow_is_unknown(data):
    assert decode(data) == Unknown()


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300))
@example(b"\x93\x01\x08\x91\x92\x01\xc4\x00")
def test_any_bytes_are_a_message_or_a_message_error(data):
    with contextlib.suppress(MessageError):
        decode(data)


values = st.recursive(
    st.integers(0, 70) | st.binary(max_size=40) | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 14), st.lists(values, max_size=3))
def test_any_fields_are_a_message_or_a_message_error(kind, fields):
    try:
        data = pack([1, kind, *fields])
    except ValueError:
        return
    try:
        message = decode(data)
    except MessageError:
        return
    if message != Unknown():
        assert decode(encode(message)) == message
