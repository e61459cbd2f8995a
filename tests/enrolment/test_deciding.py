"""Whether a token lets a machine in, and what who comes back hears."""

import hashlib
import random
from dataclasses import replace

import pytest

from cards import IdentityKey, NodeKey, make_card
from p2pnoise.enrolment import Pending, Refused, TokenFacts, may_begin, refusal, settled

NOW = 1_800_000_000
NETWORK = "example-net"
IDENTITY, OTHER = (IdentityKey(bytes([number]) * 32) for number in (1, 2))
NODE, STRANGER = (NodeKey.generate(random.Random(number).randbytes) for number in (1, 2))
CARD = make_card(IDENTITY, NODE, network=NETWORK, now=NOW, name="db-03")
PROOF = b"\x41" * 32
OPEN = TokenFacts(token_id=bytes(16), state="open", not_after=NOW + 10, proof_digest=hashlib.sha256(PROOF).digest())
SPENT = replace(OPEN, state="spent", proof_digest=None, spent_by=bytes(NODE.public))
CANCELLED = replace(OPEN, state="cancelled", proof_digest=None)


def judged(token, *, proof=PROOF, rs=NODE.public, card=CARD, now=NOW):
    found = refusal(token, rs=rs, proof=proof, card=card, network=NETWORK, now=now)
    return found and found.code


def test_an_open_token_may_begin_until_its_last_second():
    assert may_begin(OPEN, NOW + 9)
    assert not may_begin(OPEN, NOW + 10)


@pytest.mark.parametrize("token", [None, SPENT, CANCELLED])
def test_no_other_token_may_begin(token):
    assert not may_begin(token, NOW)


def test_an_open_token_with_its_proof_is_good_for_the_card_of_who_brings_it():
    assert judged(OPEN) is None
    assert judged(replace(OPEN, name="db-03", identity=IDENTITY.public)) is None


@pytest.mark.parametrize(
    ("token", "code"), [(None, "token-unknown"), (SPENT, "token-used"), (CANCELLED, "token-unknown")]
)
def test_a_token_that_is_not_open_is_refused_by_what_became_of_it(token, code):
    assert judged(token) == code


def test_a_token_ends_at_its_end():
    assert judged(OPEN, now=NOW + 9) is None
    assert judged(OPEN, now=NOW + 10) == "token-expired"


@pytest.mark.parametrize("proof", [b"", b"\x42" * 32, hashlib.sha256(PROOF).digest()])
def test_without_its_proof_a_token_is_worth_nothing(proof):
    assert judged(OPEN, proof=proof) == "token-proof"


def test_a_card_of_another_node_than_the_handshake_proved_is_refused():
    assert judged(OPEN, rs=STRANGER.public) == "request-invalid"


def test_a_card_of_another_network_is_refused():
    assert judged(OPEN, card=make_card(IDENTITY, NODE, network="other-net", now=NOW, name="db-03")) == "request-invalid"


@pytest.mark.parametrize("name", ["db-04", None])
def test_a_card_of_another_name_than_the_token_s_is_refused(name):
    card = make_card(IDENTITY, NODE, network=NETWORK, now=NOW, name=name)
    assert judged(replace(OPEN, name="db-03"), card=card) == "token-name"


def test_a_card_of_another_identity_than_the_token_is_bound_to_is_refused():
    assert judged(replace(OPEN, identity=OTHER.public)) == "token-identity"


def heard(token, request=None, reason=None, *, rs=NODE.public, now=NOW):
    found = settled(token, request, reason, rs=rs, now=now)
    return found and (type(found), found.code)


@pytest.mark.parametrize("request_state", ["accepted", "granted"])
def test_who_used_the_token_comes_back_for_its_card(request_state):
    assert heard(SPENT, request_state) is None
    assert heard(SPENT, request_state, now=NOW + 1000) is None  # the token's end is not the request's


def test_who_used_the_token_hears_that_an_operator_is_to_decide_and_what_they_decided():
    assert heard(SPENT, "waiting") == (Pending, "pending")
    assert settled(SPENT, "denied", "unknown machine", rs=NODE.public, now=NOW) == Refused("denied", "unknown machine")


@pytest.mark.parametrize("request_state", ["waiting", "accepted", "granted", "denied"])
def test_anybody_else_learns_that_the_token_was_used_and_nothing_more(request_state):
    found = settled(SPENT, request_state, "unknown machine", rs=STRANGER.public, now=NOW)
    assert found == Refused("token-used")


@pytest.mark.parametrize(
    ("token", "now", "code"),
    [
        (None, NOW, "token-unknown"),
        (CANCELLED, NOW, "token-unknown"),
        (OPEN, NOW + 10, "token-expired"),
        (OPEN, NOW, "busy"),
    ],
)
def test_who_comes_back_without_a_request_learns_what_became_of_the_token(token, now, code):
    assert heard(token, now=now) == (Refused, code)
