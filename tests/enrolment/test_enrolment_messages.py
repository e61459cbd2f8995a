"""What joiners, issuers and renewing peers say: one encoding each, within limits."""

import pytest

from cards import codec
from cards.card import MAX_CARD
from p2pnoise.config import Bootstrap
from p2pnoise.enrolment import (
    MAX_ANSWER,
    MAX_ASK,
    REASONS,
    Granted,
    Join,
    MessageError,
    Pending,
    Refused,
    Renew,
    Renewed,
    Status,
    parse_answer,
    parse_ask,
    parse_renewal,
)

PROOF = bytes(range(32))


@pytest.mark.parametrize("message", [Join(PROOF, b"card"), Join(PROOF, bytes(MAX_CARD)), Status()])
def test_what_a_joiner_says_is_read_back(message):
    assert parse_ask(message.encode()) == message


@pytest.mark.parametrize(
    "message",
    [
        Granted(b"text", "ops"),
        Granted(bytes(4_000_000), "ops", tuple(Bootstrap.parse(f"192.0.2.{n}:7060") for n in range(8))),
        Pending("pending", 3600),
        Refused("token-used", "by somebody else"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_an_issuer_says_is_read_back(message):
    assert parse_answer(message.encode()) == message


@pytest.mark.parametrize("message", [Renew(0, b"card"), Renew(1, b"card"), Renewed(b"card"), Refused("no-issuer")])
def test_what_is_said_of_renewal_is_read_back(message):
    assert parse_renewal(message.encode()) == message


WRONG = [
    b"",
    b"\xc1",
    codec.encode([]),
    codec.encode([1]),
    codec.encode([2, "status"]),
    codec.encode([True, "status"]),
    codec.encode(["1", "status"]),
    codec.encode({"v": 1}),
    codec.encode([1, "status", 1]),
    codec.encode([1, "join", PROOF[1:], b"card"]),
    codec.encode([1, "join", PROOF, "card"]),
    codec.encode([1, "granted", b"text", "ops", ["nowhere"]]),
    codec.encode([1, "granted", b"text", "ops", [7]]),
    codec.encode([1, "granted", b"text", "ops", ["192.0.2.1:1"] * 9]),
    codec.encode([1, "pending", "pending", 3601]),
    codec.encode([1, "pending", "pending", True]),
    codec.encode([1, "pending", "p" * 33, 1]),
    codec.encode([1, "refused", "busy", "t" * 401]),
    codec.encode([1, "renew", 2, b"card"]),
    codec.encode([1, "renew", True, b"card"]),
    Status().encode() + b"\0",
    b"\x92\xcc\x01\xa6status",
]


@pytest.mark.parametrize("data", WRONG, ids=lambda data: data[:20].hex())
@pytest.mark.parametrize("parse", [parse_ask, parse_answer, parse_renewal])
def test_what_is_no_message_is_refused(parse, data):
    with pytest.raises(MessageError):
        parse(data)


@pytest.mark.parametrize(
    ("parse", "limit"), [(parse_ask, MAX_ASK), (parse_renewal, MAX_ASK), (parse_answer, MAX_ANSWER)]
)
def test_what_is_too_long_is_refused_by_its_length(parse, limit):
    with pytest.raises(MessageError, match=f"limit {limit}"):
        parse(bytes(limit + 1))


def test_a_refusal_says_nothing_that_would_steer_a_terminal():
    heard = parse_answer(Refused("denied", "\x1b[2Jgone\nföe" + "x" * 900).encode())
    assert heard.text.startswith("?[2Jgone?f?e")
    assert len(heard.text) == 400


def test_a_request_shows_no_proof():
    assert PROOF.hex() not in repr(Join(PROOF, b"card"))
    assert repr(PROOF) not in repr(Join(PROOF, b"card"))


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_fits_a_message_and_says_what_to_do(code):
    assert parse_answer(Refused(code).encode()) == Refused(code)
    assert REASONS[code].text
    assert REASONS[code].hint
    assert 1 <= REASONS[code].exit <= 9
