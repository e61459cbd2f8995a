"""What holds for every card, every order and every byte; Hypothesis looks for the exception, the same way each time."""

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cards
from cards import codec
from cards.codec import MAX_DEPTH, MAX_INT
from cards.fields import TEN_YEARS

often = settings(max_examples=300, deadline=None, derandomize=True)
seldom = settings(max_examples=60, deadline=None, derandomize=True)

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
SCALARS = st.booleans() | st.integers(0, MAX_INT) | TEXT | st.binary(max_size=300)


def nested(depth):
    if depth == 0:
        return SCALARS
    inner = nested(depth - 1)
    return SCALARS | st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)


VALUES = nested(MAX_DEPTH)
NAMES = st.from_regex(r"[a-z0-9._-]{1,32}", fullmatch=True)
SEEDS = st.binary(min_size=32, max_size=32)
RANKS = {"reject": 0, "known": 1, "verified": 2, "pinned": 3}


def same(a, b):
    """Equal in type too, for True equals 1."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@often
@given(VALUES)
def test_what_is_encoded_decodes_to_the_same(value):
    assert same(codec.decode(codec.encode(value), limit=10**6), value)


@often
@given(st.binary(max_size=60))
def test_bytes_that_decode_are_the_only_form_of_their_value(data):
    try:
        value = codec.decode(data, limit=60)
    except cards.CardError:
        return
    assert codec.encode(value) == data


def another_form(draw, value):
    """`value` as msgpack, each header drawn from all that hold it and each map in a drawn order."""
    if type(value) is bool:
        return b"\xc3" if value else b"\xc2"
    if type(value) is int:
        forms = [
            struct.pack(f">B{kind}", code, value)
            for code, kind, bits in (
                (0xCC, "B", 8),
                (0xCD, "H", 16),
                (0xCE, "I", 32),
                (0xCF, "Q", 64),
                (0xD0, "b", 7),
                (0xD1, "h", 15),
                (0xD2, "i", 31),
                (0xD3, "q", 63),
            )
            if value < 2**bits
        ]
        return draw(st.sampled_from(forms + ([bytes([value])] if value < 128 else [])))
    if type(value) is dict:
        items = draw(st.permutations(list(value.items())))
        inner = b"".join(another_form(draw, name) + another_form(draw, item) for name, item in items)
        return header(draw, len(value), 0x80, 16, (None, 0xDE, 0xDF)) + inner
    if type(value) is list:
        inner = b"".join(another_form(draw, item) for item in value)
        return header(draw, len(value), 0x90, 16, (None, 0xDC, 0xDD)) + inner
    if type(value) is str:
        return header(draw, len(value), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + value.encode()
    return header(draw, len(value), None, 0, (0xC4, 0xC5, 0xC6)) + value


def header(draw, size, short, below, codes):
    forms = [bytes([short + size])] if short is not None and size < below else []
    for code, kind, bits in zip(codes, "BHI", (8, 16, 32), strict=True):
        if code is not None and size < 2**bits:
            forms.append(struct.pack(f">B{kind}", code, size))
    return draw(st.sampled_from(forms))


@often
@given(st.data(), VALUES)
def test_every_other_form_of_a_value_is_refused(data, value):
    form = another_form(data.draw, value)
    if form == codec.encode(value):
        return
    with pytest.raises(cards.CardError) as caught:
        codec.decode(form, limit=10**6)
    assert caught.value.code == "not-deterministic"


@seldom
@given(
    data=st.data(),
    identity=SEEDS,
    issuer=SEEDS,
    network=NAMES,
    name=st.none() | NAMES,
    sequence=st.integers(1, MAX_INT),
    now=st.integers(0, 2**40),
    prev=st.booleans(),
)
def test_every_card_that_can_be_made_is_read_back(world, *, data, identity, issuer, network, name, sequence, now, prev):
    card = cards.make_card(
        cards.IdentityKey(identity),
        world.node,
        network=network,
        now=now,
        name=name,
        sequence=sequence,
        lifetime=data.draw(st.integers(1, TEN_YEARS)),
        previous=identity if prev else None,
    )
    groups = data.draw(st.lists(NAMES, max_size=4))
    granted = cards.grant(cards.IssuerKey(issuer), card, serial=sequence, now=now, entropy=bytes, groups=groups)
    assert cards.Card.parse(card.raw) == card
    assert cards.Card.parse(granted.raw) == granted
    assert cards.Card.from_text(granted.to_text()) == granted
    assert granted.card_id == card.card_id
    policy = cards.Policy(network=network, issuers={"a": cards.IssuerKey(issuer).public})
    verdict = cards.verify_card(granted.raw, policy=policy, now=now)
    assert verdict.ok
    assert verdict.groups == tuple(sorted(set(groups)))
    assert verdict.to_json()["ok"]


@often
@given(st.binary(max_size=1100))
def test_no_bytes_make_verify_card_raise(world, data):
    assert world.verify(data).level == "reject"


@often
@given(VALUES, VALUES, st.binary(max_size=64))
def test_no_well_formed_msgpack_makes_verify_card_raise(world, body, attrs, signature):
    parts = [
        1,
        codec.encode(body),
        signature.ljust(64),
        signature.ljust(64),
        [[bytes(8), codec.encode(attrs), bytes(64)]],
    ]
    assert world.verify(codec.encode(parts)).level == "reject"


@often
@given(st.data())
def test_no_mutation_of_a_verified_card_is_verified(world, data):
    raw = bytearray(world.raw)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(("change", "drop", "insert", "copy")))
        if kind == "change":
            raw[at] ^= data.draw(st.integers(1, 255))
        elif kind == "drop":
            del raw[at]
        elif kind == "insert":
            raw.insert(at, data.draw(st.integers(0, 255)))
        else:
            end = data.draw(st.integers(at, min(len(raw), at + 40)))
            raw[at:at] = raw[at:end]
    mutated = bytes(raw)
    verdict = world.verify(mutated)
    assert verdict.ok == (mutated == world.raw)
    verdict.to_json()


def test_every_changed_byte_of_an_envelope_is_refused_or_told(world):
    for at, flip in itertools.product(range(len(world.raw)), (0x01, 0x80, 0xFF)):
        mutated = bytearray(world.raw)
        mutated[at] ^= flip
        verdict = world.verify(bytes(mutated))
        assert not verdict.ok, (at, flip)
        assert verdict.errors, (at, flip)


@often
@given(st.data())
def test_a_mutated_list_is_refused_or_not_signed(world, data):
    one = world.make_list(entries=[world.entry(world.identity.public), world.entry(world.mallory.public)])
    raw = bytearray(one.raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        mutated = cards.RevocationList.parse(bytes(raw))
    except cards.CardError:
        return
    assert world.add(cards.Revocations(), mutated)[1] is not None


@often
@given(st.data())
def test_a_mutated_record_is_refused_or_not_signed(world, data):
    record = cards.make_record(world.node, network=world.network, addresses=["[::1]:1"], sequence=1, now=world.now)
    raw = bytearray(record.raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        mutated = cards.AddressRecord.parse(bytes(raw))
    except cards.CardError:
        return
    assert mutated.check(network=world.network, now=world.now, leeway=300) is not None


# Grants: what they do to a verdict, in which order and beside which others.

ISSUERS = [cards.IssuerKey(bytes([n]) * 32) for n in range(1, 7)]
GOOD, ENDED, REVOKING, UNLISTED, LATE, STRANGER = range(6)


@pytest.fixture(scope="module")
def trust(world):
    """A policy of five issuers of which each has its own trouble, their lists, and the grants of all six."""
    policy = cards.Policy(
        network=world.network, issuers={f"issuer-{n}": issuer.public for n, issuer in enumerate(ISSUERS[:STRANGER])}
    )
    entries = [world.entry(world.identity.public)]
    lists = [
        world.make_list(ISSUERS[GOOD]),
        world.make_list(ISSUERS[ENDED]),
        world.make_list(ISSUERS[REVOKING], entries=entries),
        world.make_list(ISSUERS[LATE], now=world.now - 10**7),
    ]
    held = cards.Revocations()
    for one in lists:
        held, finding = world.add(held, one, issuers=policy.issuers.values())
        assert finding is None
    card = world.make_card()
    grants = [
        cards.Grant.parse(
            *world.app(card.body, issuer=issuer, exp=world.now + (0 if n == ENDED else 1000 + n), grp=[f"g{n}"])
        )
        for n, issuer in enumerate(ISSUERS)
    ]
    forged = cards.Grant.parse(*world.app(b"", issuer=ISSUERS[GOOD]))
    older = cards.Grant.parse(*world.app(card.body, issuer=ISSUERS[GOOD], sn=2, grp=["older"]))
    return policy, held, card, [*grants, forged, older]


@often
@given(st.data())
def test_neither_order_nor_company_of_grants_changes_the_card_id_and_a_good_one_always_counts(world, trust, data):
    policy, held, card, grants = trust
    chosen = data.draw(st.lists(st.sampled_from(grants), max_size=3, unique=True))
    shuffled = data.draw(st.permutations(chosen))

    def judge(some):
        verdict = world.verify(card.with_grants(tuple(some)).raw, policy=policy, facts=cards.Facts(held))
        assert verdict.claim.card_id == card.card_id
        return verdict

    one, other, more = judge(chosen), judge(shuffled), judge([*shuffled, grants[GOOD]])
    assert (one.level, one.groups, one.valid_until, one.exit_code) == (
        other.level,
        other.groups,
        other.valid_until,
        other.exit_code,
    )
    assert RANKS[more.level] >= RANKS[one.level]
    assert more.ok


@often
@given(st.data())
def test_a_narrower_policy_never_accepts_more(world, trust, data):
    policy, held, card, grants = trust
    chosen = data.draw(st.lists(st.sampled_from(grants), max_size=4, unique=True))
    raw = card.with_grants(tuple(chosen)).raw
    names = data.draw(st.lists(st.sampled_from(sorted(policy.issuers)), unique=True))
    narrow = cards.Policy(network=world.network, issuers={name: policy.issuers[name] for name in names})
    wide, less = (world.verify(raw, policy=one, facts=cards.Facts(held)) for one in (policy, narrow))
    assert wide.ok or not less.ok
    assert set(less.groups) <= set(wide.groups)


# Revocation: what has been revoked stays so, whatever comes in whatever order.

SUBJECTS = [bytes([n]) * 32 for n in range(5)]
ENTRIES = st.lists(st.tuples(st.sampled_from(SUBJECTS), st.integers(1, 40)), max_size=4)
LISTS = st.lists(st.tuples(st.integers(1, 6), ENTRIES, st.booleans()), min_size=1, max_size=14)


def make(world, sequence, entries, heals=()):
    rows = [cards.Entry(subject, world.now, "lost", world.now + seconds) for subject, seconds in entries]
    return world.make_list(sequence=sequence, entries=rows, heals=heals)


@seldom
@given(LISTS)
def test_revocation_is_monotone(world, lists):
    held, issuer, signatures = cards.Revocations(), world.issuer.public, cards.SignatureCache()
    for sequence, entries, heal in lists:
        state = held.by_issuer.get(issuer)
        heals = sorted(state.disputed)[:4] if heal and state else ()
        before = dict(state.entries) if state else {}
        held, finding = world.add(held, make(world, sequence, entries, heals), signatures=signatures)
        state = held.by_issuer[issuer]
        for subject, entry in before.items():
            assert state.entries[subject].until >= entry.until
        if finding is None:
            for subject, seconds in dict(entries).items():
                assert state.entries[subject].until >= world.now + seconds
        assert len(state.lists) <= 12


@seldom
@given(ENTRIES, ENTRIES, ENTRIES)
def test_two_lists_of_one_number_mean_the_same_in_either_order(world, before, first, second):
    older, one, other = make(world, 1, before), make(world, 2, first), make(world, 2, second)
    here, there = world.holding(older, one, other), world.holding(older, other, one)
    assert here.heads == there.heads
    assert here.to_json() == there.to_json()


@seldom
@given(ENTRIES, ENTRIES, st.integers(0, 41))
def test_an_entry_left_out_holds_exactly_until_its_end(world, first, second, seconds):
    held, now = world.holding(make(world, 1, first), make(world, 2, second)), world.now + seconds
    for subject in SUBJECTS:
        ends = [
            world.now + until
            for entries in (dict(first), dict(second))
            for it, until in entries.items()
            if it == subject
        ]
        assert (held.find(world.issuer.public, subject, now=now) is not None) == any(end > now for end in ends)
