"""Issuing: what an issuer's hand refuses to sign."""

import hashlib
import os
from dataclasses import replace

import pytest

from cards import CardError, IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card, make_list, verify_card

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


def test_a_card_commits_to_the_identity_key_to_come():
    digest = hashlib.sha256(IdentityKey(b"n" * 32).public).digest()
    card = make_card(IdentityKey(bytes(32)), NodeKey.generate(os.urandom), network="n", now=NOW, next_key_digest=digest)
    assert card.next_key_digest == digest


class Elsewhere:
    """A signer that is no key: all it has is a public key and somebody to ask."""

    def __init__(self, key):
        self.public = bytes(key.public)
        self.sign = key.sign


def test_whoever_can_sign_can_issue():
    identity, issuer = Elsewhere(IdentityKey(bytes(32))), Elsewhere(IssuerKey(b"i" * 32))
    card = make_card(identity, NodeKey.generate(os.urandom), network="example-net", now=NOW)
    granted = grant(issuer, card, serial=1, now=NOW, entropy=os.urandom)
    policy = Policy(network="example-net", issuers={"ops": IssuerKey(b"i" * 32).public})
    assert verify_card(granted, policy=policy, now=NOW).ok
    first = make_list(issuer, network="example-net", sequence=1, now=NOW)
    assert first.check(network="example-net", now=NOW, leeway=0) is None


def test_a_card_is_renewed_without_the_node_key(request_card):
    again = make_card(
        IdentityKey(bytes(32)), request_card, network="example-net", name="db-03", now=NOW + 1, sequence=2
    )
    assert (again.node_id, again.sequence) == (request_card.node_id, 2)
    assert verify_card(again, policy=Policy(network="example-net"), now=NOW + 1).level == "known"


@pytest.mark.parametrize(
    ("change", "who", "network", "code"),
    [
        ({"node_signature": b""}, bytes(32), "example-net", "unproven"),
        ({"node_signature": bytes(64)}, bytes(32), "example-net", "node-signature-invalid"),
        ({}, b"x" * 32, "example-net", "node-signature-invalid"),
        ({}, bytes(32), "other-net", "node-signature-invalid"),
    ],
)
def test_a_node_signature_serves_only_the_identity_and_network_that_it_names(request_card, change, who, network, code):
    with pytest.raises(CardError) as caught:
        make_card(IdentityKey(who), replace(request_card, **change), network=network, now=NOW)
    assert caught.value.code == code
