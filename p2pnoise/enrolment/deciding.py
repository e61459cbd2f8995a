"""Deciding: whether a token lets a machine in, and what who comes back may hear; values in, a code or nothing out.

Nothing here uses a token up: that is one atomic step of whoever keeps them, and it alone decides who was first.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cards import Card, IdentityId

from .messages import Pending, Refused

__all__ = ["Settled", "TokenFacts", "may_begin", "refusal", "settled"]

State: TypeAlias = Literal["open", "spent", "cancelled"]
Settled: TypeAlias = Literal["waiting", "accepted", "granted", "denied"]
"""Of a request: an operator is to decide; to be granted; granted; denied."""

ASK_AGAIN = 2  # seconds between two questions of one who waits; a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What is kept of a token. `not_after` in seconds since 1970; `proof_digest` is there while it is open."""

    token_id: bytes
    state: State
    not_after: int
    proof_digest: bytes | None = field(default=None, repr=False)
    name: str | None = None
    identity: IdentityId | None = None
    spent_by: bytes | None = None
    """The static key of who used it."""


def may_begin(token: TokenFacts | None, now: int) -> bool:
    """Whether a handshake may be answered with the psk of this token."""
    return token is not None and token.state == "open" and now < token.not_after


def refusal(token: TokenFacts | None, *, rs: bytes, proof: bytes, card: Card, network: str, now: int) -> Refused | None:
    """Why this request of who proved the static key `rs` is not taken; None where the token may be used up for it."""
    if token is None or token.state != "open" or now >= token.not_after:
        return _gone(token)
    # A digest of 32 unpredictable bytes gives nothing away by time, and costs nothing to compare this way.
    if token.proof_digest is None or not hmac.compare_digest(hashlib.sha256(proof).digest(), token.proof_digest):
        return Refused("token-proof")
    if card.node_id != rs:
        return Refused("request-invalid", f"it names node {card.node_id}, the handshake proved another key")
    if card.network != network:
        return Refused("request-invalid", f"it is for network {card.network}, this issuer's is {network}")
    if token.name is not None and card.name != token.name:
        return Refused("token-name", f"for {token.name}, the request says {card.name or 'no name'}")
    if token.identity is not None and card.identity != token.identity:
        return Refused("token-identity", f"for {token.identity}, the request is of {card.identity}")
    return None


def settled(
    token: TokenFacts | None, request: Settled | None, reason: str | None, *, rs: bytes, now: int
) -> Refused | Pending | None:
    """What who proved the static key `rs` hears of its request; None where it is to have its card.

    Whoever else shows the same token learns what became of the token, and nothing of the request.
    """
    if token is not None and token.state == "spent" and token.spent_by == rs:
        if request == "denied":
            return Refused("denied", reason or "")
        return Pending("pending", ASK_AGAIN) if request == "waiting" else None
    if may_begin(token, now):
        # It is still good: whoever asks was turned away in the handshake, for want of the psk or of time.
        return Refused("busy", "the join token is unused")
    return _gone(token)


def _gone(token: TokenFacts | None) -> Refused:
    if token is None or token.state == "cancelled":
        return Refused("token-unknown")
    return Refused("token-used" if token.state == "spent" else "token-expired")
