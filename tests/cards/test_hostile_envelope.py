"""Hostile envelopes and msgpack: what is not the one form of a card is refused by name, and nothing raises."""

import hashlib

import msgpack
import pytest

import cards


def swap(world, old, new, **changes):
    """An ordinary body with one field's bytes replaced, signed as it then stands."""
    body = msgpack.packb(world.fields(**changes))
    assert body.count(old) == 1
    return world.envelope(body.replace(old, new))


def with_parts(world, **changes):
    parts = dict(zip(("version", "body", "key", "node", "grants"), world.parts(), strict=True)) | changes
    return msgpack.packb(list(parts.values()))


def doubled_seq(world):
    body = msgpack.packb(world.fields())
    return world.envelope(bytes([body[0] + 1]) + body[1:].replace(b"\xa3seq\x07", b"\xa3seq\x07\xa3seq\x07"))


def unsorted(world):
    fields = world.fields()
    return world.envelope(msgpack.packb(dict(reversed(fields.items()))))


def extra(world, entry):
    """An ordinary body with one more encoded entry, put before the first field."""
    body = msgpack.packb(world.fields())
    return world.envelope(bytes([body[0] + 1]) + entry + body[1:])


def nested(depth):
    return b"\x91" * depth + b"\x01"


CASES = [
    ("empty", lambda _w: b"", "truncated"),
    ("a byte that msgpack never uses", lambda _w: b"\xc1", "malformed"),
    ("a byte after the end", lambda w: w.raw + b"\0", "trailing-data"),
    ("a second card after the end", lambda w: w.raw + w.raw, "trailing-data"),
    ("1025 bytes", lambda w: w.raw.ljust(1025, b"\0"), "too-large"),
    ("map instead of array", lambda w: msgpack.packb({"body": w.card.body}), "malformed"),
    ("four parts", lambda w: msgpack.packb(w.parts()[:4]), "malformed"),
    ("six parts", lambda w: msgpack.packb([*w.parts(), 1]), "malformed"),
    ("version 0", lambda w: with_parts(w, version=0), "unsupported-version"),
    ("version 2", lambda w: with_parts(w, version=2), "unsupported-version"),
    ("version True", lambda w: with_parts(w, version=True), "malformed"),
    ("version as text", lambda w: with_parts(w, version="1"), "malformed"),
    ("body version 2", lambda w: w.envelope(v=2), "unsupported-version"),
    ("body version True", lambda w: w.envelope(v=True), "malformed"),
    ("body as text", lambda w: with_parts(w, body="body"), "malformed"),
    ("array claiming 4294967295 entries", lambda _w: b"\xdd\xff\xff\xff\xff", "malformed"),
    ("map claiming 4294967295 entries", lambda _w: b"\xdf\xff\xff\xff\xff", "malformed"),
    ("binary claiming 4294967295 bytes", lambda _w: b"\xc6\xff\xff\xff\xff", "truncated"),
    ("text claiming 4294967295 bytes", lambda _w: b"\xdb\xff\xff\xff\xff", "truncated"),
    ("ext cut short", lambda _w: b"\xd6\xff\0", "truncated"),
    ("nested 900 deep", lambda _w: nested(900), "too-deep"),
    ("nested 5 deep", lambda _w: nested(5), "too-deep"),
    ("body nested 5 deep", lambda w: w.envelope(ext={"x-a": [[[1]]]}), "too-deep"),
    ("body not a map", lambda w: w.envelope(msgpack.packb([1, 2])), "malformed"),
    ("body empty", lambda w: w.envelope(b""), "truncated"),
    ("body followed by a byte", lambda w: w.envelope(w.card.body + b"\0"), "trailing-data"),
    ("key seq twice", doubled_seq, "not-deterministic"),
    ("keys unsorted", unsorted, "not-deterministic"),
    ("7 in 64 bits", lambda w: swap(w, b"\xa3seq\x07", b"\xa3seq\xcf\0\0\0\0\0\0\0\x07"), "not-deterministic"),
    ("7 in 8 bits", lambda w: swap(w, b"\xa3seq\x07", b"\xa3seq\xcc\x07"), "not-deterministic"),
    ("7 as signed", lambda w: swap(w, b"\xa3seq\x07", b"\xa3seq\xd0\x07"), "not-deterministic"),
    ("str 8 header for a key", lambda w: swap(w, b"\xa1v\x01", b"\xd9\x01v\x01"), "not-deterministic"),
    ("bin 16 header for a key", lambda w: swap(w, b"\xa3key\xc4\x20", b"\xa3key\xc5\0\x20"), "not-deterministic"),
    ("map 16 header", lambda w: w.envelope(b"\xde\0\x09" + msgpack.packb(w.fields())[1:]), "not-deterministic"),
    ("array 16 header", lambda w: b"\xdc\0\x05" + w.raw[1:], "not-deterministic"),
    ("seq 7.0", lambda w: w.envelope(seq=7.0), "malformed"),
    ("exp NaN", lambda w: w.envelope(exp=float("nan")), "malformed"),
    ("exp as a timestamp", lambda w: w.envelope(exp=msgpack.Timestamp(1)), "malformed"),
    ("exp as an ext type", lambda w: w.envelope(exp=msgpack.ExtType(1, b"")), "malformed"),
    ("a binary map key", lambda w: extra(w, b"\xc4\x01a\x01"), "malformed"),
    ("key as text and as binary", lambda w: extra(w, b"\xc4\x03key\x01"), "malformed"),
    ("a map key 1", lambda w: extra(w, b"\x01\x01"), "malformed"),
    ("a map key True", lambda w: extra(w, b"\xc3\x01"), "malformed"),
    ("a map key nil", lambda w: extra(w, b"\xc0\x01"), "malformed"),
    ("a map key that is a list", lambda w: extra(w, b"\x90\x01"), "malformed"),
    ("not UTF-8", lambda w: swap(w, b"\xa1v\x01", b"\xa1\xff\x01"), "malformed"),
    ("overlong UTF-8", lambda w: swap(w, b"\xa1v\x01", b"\xa2\xc0\x80\x01"), "malformed"),
    ("a surrogate in UTF-8", lambda w: swap(w, b"\xa1v\x01", b"\xa3\xed\xa0\x80\x01"), "malformed"),
    ("a text that is nil", lambda w: w.envelope(msgpack.packb(w.fields() | {"prev": None})), "malformed"),
    ("the envelope nil", lambda _w: b"\xc0", "malformed"),
    ("app signatures not an array", lambda w: with_parts(w, grants={}), "malformed"),
    ("app signature of two parts", lambda w: with_parts(w, grants=[w.parts()[4][0][:2]]), "malformed"),
    ("app signature that is binary", lambda w: with_parts(w, grants=[b"abc"]), "malformed"),
    ("five app signatures", lambda w: w.envelope(grants=[[b"", b"", b""]] * 5), "too-many-signatures"),
    ("kid of 7 bytes", lambda w: w.envelope(grants=[[bytes(7), w.attrs, bytes(64)]]), "malformed"),
    ("attrs as text", lambda w: w.envelope(grants=[[bytes(8), "attrs", bytes(64)]]), "malformed"),
    ("attrs not a map", lambda w: w.envelope(grants=[[bytes(8), b"\x90", bytes(64)]]), "malformed"),
    ("attrs of 513 bytes", lambda w: w.envelope(grants=[[bytes(8), w.attrs.ljust(513), bytes(64)]]), "too-large"),
    (
        "attrs not in their one form",
        lambda w: w.envelope(grants=[w.app(w.card.body, b"\xde\0\0")]),
        "not-deterministic",
    ),
    ("attrs of another kind", lambda w: w.envelope(grants=[w.app(b"", name="db")]), "unknown-field"),
    *[(f"key signature of {n} bytes", lambda w, n=n: w.envelope(key=bytes(n)), "malformed") for n in (0, 63, 65)],
    *[(f"node signature of {n} bytes", lambda w, n=n: w.envelope(node=bytes(n)), "malformed") for n in (1, 63, 65)],
    *[
        (f"app signature of {n} bytes", lambda w, n=n: w.envelope(grants=[[bytes(8), w.attrs, bytes(n)]]), "malformed")
        for n in (0, 63, 65)
    ],
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in CASES])
def test_what_is_not_a_card_is_refused_by_name(world, make, code):
    raw = make(world)
    with pytest.raises(cards.CardError) as caught:
        cards.Card.parse(raw)
    verdict = world.verify(raw)

    assert caught.value.code == code
    assert [finding.code for finding in verdict.findings] == [code]
    assert (verdict.level, verdict.exit_code, verdict.card, verdict.claim) == ("reject", 3, None, None)


def test_a_card_cut_at_any_byte_is_truncated(world):
    for end in range(len(world.raw)):
        assert [finding.code for finding in world.verify(world.raw[:end]).findings] == ["truncated"], end


def test_a_list_nested_2000_deep_is_too_deep_without_a_recursion_error():
    with pytest.raises(cards.CardError) as caught:
        cards.RevocationList.parse(nested(2000))
    assert caught.value.code == "too-deep"


def test_the_offset_of_a_second_form_is_told(world):
    body = world.card.body
    at = body.index(b"\xa3seq\x07") + 4
    with pytest.raises(cards.CardError, match=f"^byte {at}: ") as caught:
        cards.Card.parse(world.envelope(body.replace(b"\xa3seq\x07", b"\xa3seq\xcc\x07")))
    assert caught.value.offset == at


def test_the_offset_of_trailing_data_is_told(world):
    with pytest.raises(cards.CardError) as caught:
        cards.Card.parse(world.raw + b"\0")
    assert caught.value.offset == len(world.raw)


def test_a_message_repeats_little_of_a_hostile_field_name(world):
    with pytest.raises(cards.CardError) as caught:
        cards.Card.parse(world.envelope(**{"a" * 400: 1}))
    assert len(str(caught.value)) < 120


def record_parts(world, **changes):
    body = {"v": 1, "net": "n", "node": bytes(world.node.public), "seq": 1, "iat": 1, "exp": 2, "addr": []} | changes
    return [1, msgpack.packb({name: body[name] for name in sorted(body)}), bytes(64)]


RECORDS = [
    ("empty", lambda _w: b"", "truncated"),
    ("a card", lambda w: w.raw, "malformed"),
    ("two parts", lambda w: msgpack.packb(record_parts(w)[:2]), "malformed"),
    ("version 2", lambda w: msgpack.packb([2, *record_parts(w)[1:]]), "unsupported-version"),
    ("body as text", lambda _w: msgpack.packb([1, "body", bytes(64)]), "malformed"),
    ("signature of 63 bytes", lambda w: msgpack.packb([*record_parts(w)[:2], bytes(63)]), "malformed"),
    ("513 bytes", lambda _w: bytes(513), "too-large"),
    ("an address that is binary", lambda w: msgpack.packb(record_parts(w, addr=[b"a:1"])), "malformed"),
    ("addresses not an array", lambda w: msgpack.packb(record_parts(w, addr="a:1")), "malformed"),
    ("an unknown field", lambda w: msgpack.packb(record_parts(w, nbf=1)), "unknown-field"),
    ("a node of low order", lambda w: msgpack.packb(record_parts(w, node=bytes(32))), "bad-node-id"),
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in RECORDS])
def test_what_is_not_an_address_record_is_refused_by_name(world, make, code):
    with pytest.raises(cards.CardError) as caught:
        cards.AddressRecord.parse(make(world))
    assert (caught.value.code, caught.value.finding.exit) == (code, 3)


def list_parts(world, *pages, **changes):
    pages = [msgpack.packb(page) for page in pages]
    head = {"v": 1, "net": "n", "iss": bytes(world.issuer.public), "seq": 1, "iat": 1, "next": 2}
    head |= {"pages": [hashlib.sha256(one).digest() for one in pages]} | changes
    return [1, msgpack.packb({name: head[name] for name in sorted(head)}), bytes(64), pages]


ROW = [bytes(32), 1, "lost", 2]


def rows(count):
    return [[number.to_bytes(32, "big"), 1, "lost", 2] for number in range(count)]


def pages(count):
    return [[row] for row in rows(count)]


def head_of(world, size):
    """A head of `size` bytes, with a name of hundreds."""
    return list_parts(world, net="n" * (size - 1 - len(list_parts(world)[1])))


def without_a_page(world):
    *head, held = list_parts(world, *pages(2))
    return msgpack.packb([*head, held[:1]])


LISTS = [
    ("empty", lambda _w: b"", "truncated"),
    ("a card", lambda w: w.raw, "malformed"),
    ("three parts", lambda w: msgpack.packb(list_parts(w)[:3]), "malformed"),
    ("version 2", lambda w: msgpack.packb([2, *list_parts(w)[1:]]), "unsupported-version"),
    ("head as text", lambda _w: msgpack.packb([1, "head", bytes(64), []]), "malformed"),
    ("signature of 65 bytes", lambda w: msgpack.packb([*list_parts(w)[:2], bytes(65), []]), "malformed"),
    ("a page as text", lambda w: msgpack.packb([*list_parts(w)[:3], ["page"]]), "malformed"),
    (
        "a page that the head does not name",
        lambda w: msgpack.packb([*list_parts(w)[:3], [b"\x90"]]),
        "revocation-invalid",
    ),
    ("17 pages", lambda w: msgpack.packb(list_parts(w, *pages(17))), "malformed"),
    ("a page less than the head names", without_a_page, "revocation-invalid"),
    ("pages in another order", lambda w: msgpack.packb(list_parts(w, *reversed(pages(2)))), "not-deterministic"),
    ("an entry on two pages", lambda w: msgpack.packb(list_parts(w, [ROW], [ROW])), "not-deterministic"),
    ("an empty page behind a full one", lambda w: msgpack.packb(list_parts(w, [ROW], [])), "malformed"),
    ("1001 entries on a page", lambda w: msgpack.packb(list_parts(w, rows(1_001))), "malformed"),
    ("a page of 62000 bytes", lambda w: msgpack.packb(list_parts(w, bytes(62_000 - 3))), "malformed"),
    ("a page of 62001 bytes", lambda w: msgpack.packb(list_parts(w, bytes(62_001 - 3))), "too-large"),
    ("a head of 960 bytes", lambda w: msgpack.packb(head_of(w, 960)), "bad-name"),
    ("a head of 961 bytes", lambda w: msgpack.packb(head_of(w, 961)), "too-large"),
    ("an empty page", lambda w: msgpack.packb(list_parts(w, [])), "malformed"),
    ("a page not an array", lambda w: msgpack.packb(list_parts(w, 1)), "malformed"),
    ("an entry of three", lambda w: msgpack.packb(list_parts(w, [ROW[:3]])), "malformed"),
    ("an entry not an array", lambda w: msgpack.packb(list_parts(w, [1])), "malformed"),
    ("an entry twice", lambda w: msgpack.packb(list_parts(w, [ROW, ROW])), "not-deterministic"),
    ("entries unsorted", lambda w: msgpack.packb(list_parts(w, [[b"b" * 32, *ROW[1:]], ROW])), "not-deterministic"),
    ("an issuer of low order", lambda w: msgpack.packb(list_parts(w, iss=bytes(32))), "weak-key"),
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in LISTS])
def test_what_is_not_a_revocation_list_is_refused_by_name(world, make, code):
    with pytest.raises(cards.CardError) as caught:
        cards.RevocationList.parse(make(world))
    assert caught.value.code == code


def test_the_size_of_a_list_is_looked_at_before_anything_else():
    with pytest.raises(cards.CardError) as caught:
        cards.RevocationList.parse(b"\xc1" * 1_000_001)
    assert caught.value.code == "too-large"
