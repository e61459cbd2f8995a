"""Enrolment: how a machine that has nothing gets its card, as values; protocol rule P17. No I/O.

A `JoinToken` lets one machine in. What it and the issuer's side say to each other is in `messages`, what becomes of a
token in `deciding`, and what people are told in `reasons`. The wire is in p2pnoise/PROTOCOL.md.
"""

from typing import Final

from p2pnoise.noise import Protocol

from .deciding import Settled, TokenFacts, may_begin, refusal, settled
from .messages import (
    MAX_ANSWER,
    MAX_ASK,
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
from .reasons import REASONS, Reason
from .token import MAX_TOKEN, TOKEN_ID, JoinToken

__all__ = [
    "BACK",
    "FIRST",
    "MAX_ANSWER",
    "MAX_ASK",
    "MAX_TOKEN",
    "PROLOGUE",
    "REASONS",
    "TOKEN_ID",
    "Granted",
    "Join",
    "JoinToken",
    "MessageError",
    "Pending",
    "Reason",
    "Refused",
    "Renew",
    "Renewed",
    "Settled",
    "Status",
    "TokenFacts",
    "may_begin",
    "parse_answer",
    "parse_ask",
    "parse_renewal",
    "refusal",
    "settled",
]

PROLOGUE: Final = b"p2pnoise/v1/join"
"""The application prologue: nothing that a peer says on another port is understood here, and the other way round."""
FIRST: Final = Protocol.parse("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
"""Who has a token that nobody has used begins with this."""
BACK: Final = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
"""Who asks what became of its request begins with this: its static key says whose."""
