"""Locked key files: the passphrase opens them, and what is missing or wrong is said."""

import random

import pytest

import cards


@pytest.fixture(scope="module")
def locked_key():
    return cards.IssuerKey(bytes(32)).to_locked_pem(b"swordfish", random.Random(7).randbytes)


def test_a_locked_key_file_opens_with_its_passphrase_alone(locked_key):
    assert cards.IssuerKey.from_pem(locked_key, b"swordfish").public == cards.IssuerKey(bytes(32)).public
    assert cards.IssuerKey(bytes(32)).to_pem() not in locked_key


@pytest.mark.parametrize(
    ("passphrase", "sentence"),
    [
        (None, "none was given"),
        (b"", "none was given"),
        (b"Swordfish", "does not open the key"),
        (b"swordfish\n", "does not open the key"),
        (b"x" * 10_000, "does not open the key"),
    ],
)
def test_a_locked_key_file_says_whether_a_passphrase_is_missing_or_wrong(locked_key, passphrase, sentence):
    with pytest.raises(cards.CardError, match=sentence) as caught:
        cards.IssuerKey.from_pem(locked_key, passphrase)
    assert caught.value.code == "locked"


def test_a_damaged_locked_key_file_is_refused(locked_key):
    lines = locked_key.splitlines()
    for body in (lines[1], lines[1].replace(b"A", b"B", 1), b""):
        with pytest.raises(cards.CardError) as caught:
            cards.IssuerKey.from_pem(b"\n".join([lines[0], body, lines[-1], b""]), b"swordfish")
        assert caught.value.code == "locked"


def test_an_empty_passphrase_locks_nothing():
    with pytest.raises(cards.CardError) as caught:
        cards.IssuerKey(bytes(32)).to_locked_pem(b"", random.Random(7).randbytes)
    assert caught.value.code == "locked"


def test_a_passphrase_that_is_not_needed_is_not_looked_at():
    pem = cards.IssuerKey(bytes(32)).to_pem()
    assert cards.IssuerKey.from_pem(pem, b"swordfish").public == cards.IssuerKey(bytes(32)).public
