"""Join tokens: one text for one meaning, and a secret that nothing prints."""

import hashlib
import hmac
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import Address, CardError, IdentityKey, IssuerKey, NodeKey
from p2pnoise.enrolment import MAX_TOKEN, JoinToken

IDENTITY = IdentityKey(b"\x11" * 32).public
TOKEN = JoinToken(
    token_id=bytes(range(16)),
    secret=bytes(range(100, 132)),
    not_after=1_800_000_000,
    network="example-net",
    issuer=IssuerKey(b"\x22" * 32).public,
    node_id=NodeKey.generate(random.Random(1).randbytes).public,
    addresses=(Address("192.0.2.1", 7061),),
)
NAMES = st.from_regex(r"[a-z0-9._-]{1,64}", fullmatch=True)


def test_a_token_is_read_back_as_it_was_made():
    assert JoinToken.parse(TOKEN.to_text()) == TOKEN


@given(
    secret=st.binary(min_size=32, max_size=32),
    not_after=st.integers(0, 2**53 - 1),
    name=st.none() | NAMES,
    identity=st.sampled_from([None, IDENTITY]),
    addresses=st.lists(st.builds(Address, st.just("2001:db8::1"), st.integers(1, 65535)), min_size=1, max_size=4),
)
def test_any_token_is_read_back_from_its_one_text(secret, not_after, name, identity, addresses):
    token = replace(
        TOKEN,
        token_id=secret[:16],
        secret=secret,
        not_after=not_after,
        name=name,
        identity=identity,
        addresses=tuple(addresses),
    )
    text = token.to_text()
    assert JoinToken.parse(text) == token
    assert len(text) <= MAX_TOKEN


def test_the_longest_token_there_can_be_is_taken():
    host = ".".join(["a" * 63, "b" * 63])
    longest = replace(
        TOKEN,
        name="n" * 64,
        network="n" * 32,
        identity=IDENTITY,
        addresses=(Address(host, 65535),) * 4,
        not_after=2**53 - 1,
    )
    assert JoinToken.parse(longest.to_text()) == longest


def test_a_token_of_one_address_fits_one_qr_code():
    assert len(replace(TOKEN, name="db-03.dc1.example").to_text()) < 400


def test_every_changed_letter_is_named_as_a_mistake():
    text = TOKEN.to_text()
    for at in range(5, len(text)):
        changed = text[:at] + ("b" if text[at] == "a" else "a") + text[at + 1 :]
        with pytest.raises(CardError, match="mistyped or cut short"):
            JoinToken.parse(changed)


def test_every_token_that_was_cut_short_is_named_as_one():
    text = TOKEN.to_text()
    for size in range(6, len(text)):
        with pytest.raises(CardError, match="mistyped or cut short"):
            JoinToken.parse(text[:size])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "join1",
        "node1abc",
        TOKEN.to_text().upper(),
        f" {TOKEN.to_text()}",
        f"{TOKEN.to_text()}=",
        "join1é",
        "join1\n",
    ],
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(CardError, match="no whole join token"):
        JoinToken.parse(text)


def test_a_text_too_long_for_a_token_is_refused_unread():
    with pytest.raises(CardError) as error:
        JoinToken.parse("join1" + "a" * MAX_TOKEN)
    assert error.value.code == "too-large"


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_id": bytes(15)},
        {"secret": bytes(33)},
        {"addresses": ()},
        {"addresses": (Address("192.0.2.1", 7061),) * 5},
        {"name": "Upper"},
        {"network": ""},
        {"not_after": -1},
    ],
)
def test_a_token_that_nobody_would_read_is_not_made(wrong):
    with pytest.raises(CardError):
        replace(TOKEN, **wrong).to_text()


def test_nothing_prints_the_secret():
    shown = repr(TOKEN) + str(TOKEN)
    assert TOKEN.secret.hex() not in shown
    assert repr(TOKEN.secret) not in shown
    with pytest.raises(CardError) as error:
        JoinToken.parse(TOKEN.to_text() + "a")
    assert TOKEN.to_text()[30:50] not in str(error.value)


def test_psk_and_proof_are_two_secrets_of_which_neither_tells_the_other():
    assert len({TOKEN.psk, TOKEN.proof, TOKEN.secret}) == 3
    assert {len(TOKEN.psk), len(TOKEN.proof)} == {32}


def test_psk_and_proof_are_those_of_hkdf_by_hand():
    """RFC 5869 with SHA-256, no salt, in four lines of its own."""
    extracted = hmac.digest(bytes(32), TOKEN.secret, "sha256")
    assert hmac.digest(extracted, b"psk\x01", hashlib.sha256) == TOKEN.psk
    assert hmac.digest(extracted, b"proof\x01", hashlib.sha256) == TOKEN.proof
