"""Join tokens in an issuer's registry: used once, whoever asks how often from how many processes."""

import os
import time
from contextlib import ExitStack

import pytest

from cards import Address, IdentityKey, NodeKey, make_card
from cli.folders import IssuerFolder
from cli.join_table import Request
from cli.output import Fault
from p2pnoise.enrolment import JoinToken

NOW = int(time.time())


@pytest.fixture
def tables(place, issuer):
    """The same registry, open twice as by two processes."""
    with ExitStack() as stack:
        yield [stack.enter_context(IssuerFolder(place.issuer).open_registry()).joins for _ in range(2)]


@pytest.fixture
def token(tables, issuer):
    made = JoinToken(
        token_id=os.urandom(16),
        secret=os.urandom(32),
        not_after=NOW + 10,
        network="example-net",
        issuer=None,
        node_id=NodeKey.generate(os.urandom).public,
        addresses=(Address("192.0.2.1", 7061),),
    )
    tables[0].add(made, now=NOW, groups=(), lifetime=0, approve=False)
    return made


def request(token):
    card = make_card(IdentityKey(os.urandom(32)), NodeKey.generate(os.urandom), network="example-net", now=NOW)
    return Request(token.token_id, card, "192.0.2.9", NOW, "accepted")


def test_of_two_processes_that_use_a_token_one_does(tables, token):
    first, second = request(token), request(token)
    assert tables[0].spend(first, NOW)
    assert not tables[1].spend(second, NOW)
    assert tables[1].request(token.token_id) == first
    assert tables[1].facts(token.token_id).spent_by == first.card.node_id


def test_a_token_that_is_over_is_not_used(tables, token):
    assert not tables[0].spend(request(token), NOW + 10)
    assert tables[0].request(token.token_id) is None


def test_a_token_that_is_over_has_no_psk_even_before_it_is_deleted(tables, token):
    assert tables[0].psk(token.token_id, NOW + 9) == token.psk
    assert tables[0].psk(token.token_id, NOW + 10) is None


def test_a_used_token_is_not_cancelled(tables, token):
    tables[0].spend(request(token), NOW)
    assert not tables[1].cancel(token.token_id)
    assert tables[1].token(token.token_id).state == "spent"


def test_of_two_operators_who_decide_one_does(tables, token):
    tables[0].spend(request(token)._replace(state="waiting"), NOW)
    assert tables[0].settle(token.token_id, ("waiting",), "denied", "no")
    assert not tables[1].settle(token.token_id, ("waiting",), "accepted")
    assert tables[1].request(token.token_id).state == "denied"


def test_a_request_is_counted_until_it_is_settled(tables, token):
    tables[0].spend(request(token), NOW)
    assert tables[1].count_waiting("192.0.2.9") == (1, 1)
    assert tables[1].count_waiting("192.0.2.10") == (0, 1)
    tables[0].settle(token.token_id, ("accepted",), "granted")
    assert tables[1].count_waiting("192.0.2.9") == (0, 0)


def test_one_number_is_never_two_tokens(tables, token):
    with pytest.raises(Fault):
        tables[1].add(token, now=NOW, groups=(), lifetime=0, approve=False)
