"""Issuing: what an issuer's hand refuses to sign."""

import os
from dataclasses import replace

import pytest

from cards import CardError, IdentityKey, IssuerKey, NodeKey, grant, make_card

NOW = 1_800_000_000


@pytest.fixture
def request_card():
    return make_card(IdentityKey(bytes(32)), NodeKey.generate(os.urandom), network="example-net", name="db-03", now=NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key_signature": bytes(64)}, "key-signature-invalid"),
        ({"node_signature": bytes(64)}, "node-signature-invalid"),
        ({"node_signature": b""}, "unproven"),
    ],
)
def test_a_claim_that_its_own_keys_did_not_sign_gets_no_grant(request_card, change, code):
    claim = replace(request_card, **change)
    with pytest.raises(CardError) as caught:
        grant(IssuerKey(bytes(32)), claim, serial=1, now=NOW, entropy=os.urandom)
    assert caught.value.code == code


def test_a_renewed_grant_takes_the_place_of_the_old_one(request_card):
    issuer = IssuerKey(bytes(32))
    first = grant(issuer, request_card, serial=1, now=NOW, entropy=os.urandom)
    second = grant(issuer, first, serial=2, now=NOW + 1, entropy=os.urandom, position=first.grants[0].position)
    assert [grant_.serial for grant_ in second.grants] == [2]
    assert second.card_id == first.card_id


def test_a_grant_never_outlives_its_card(request_card):
    granted = grant(IssuerKey(bytes(32)), request_card, serial=1, now=NOW, entropy=os.urandom, lifetime=9 * 365 * 86400)
    assert granted.grants[0].not_after == request_card.not_after
