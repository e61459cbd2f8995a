"""Reasons: the codes by which enrolment refuses or waits, what each says to the person at the new machine, what to do.

The issuer's side sends the code, and what is peculiar to the case as text; the sentences are the joiner's own.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from cards.findings import BINDING, CONFLICT, MALFORMED, TIME, UNEXPECTED, UNTRUSTED

__all__ = ["REASONS", "Reason"]


class Reason(NamedTuple):
    """A sentence, the next step, and the exit code of the command that meets it."""

    text: str
    hint: str
    exit: int


_NEW = "ask for a new one: p2pnoise join token, at the issuer"

REASONS: Final[Mapping[str, Reason]] = {
    "token-used": Reason(
        "this join token has let another machine in already",
        f"{_NEW}; if that machine is nobody's you know, have it revoked there: p2pnoise join list, then revoke add",
        CONFLICT,
    ),
    "token-expired": Reason("this join token has expired", _NEW, TIME),
    "token-unknown": Reason("the issuer knows no such join token, or has cancelled it", _NEW, UNTRUSTED),
    "token-name": Reason(
        "this join token is for a node of another name",
        "join with the name that it was made for, or ask for one for yours: p2pnoise join token --name",
        UNTRUSTED,
    ),
    "token-identity": Reason(
        "this join token is bound to another identity",
        "use it where that identity's key is, or ask for one for yours: p2pnoise join token --for id1...",
        BINDING,
    ),
    "token-proof": Reason("the secret of this join token does not fit its number", _NEW, UNTRUSTED),
    "issuer-mismatch": Reason(
        "whoever answers is not the issuer that the join token names",
        "nothing was sent that matters: check the address, and who may be in between; then ask the issuer in person",
        UNTRUSTED,
    ),
    "request-invalid": Reason(
        "the issuer cannot use this request", "begin anew: p2pnoise id new --force, then join again", MALFORMED
    ),
    "not-granted": Reason(
        "the issuer does not grant this request; the join token stays good",
        "mend what it names, then run this again",
        UNTRUSTED,
    ),
    "denied": Reason("the issuer's operator denied this request", "ask them why, and for a new join token", UNTRUSTED),
    "pending": Reason(
        "the request waits for the issuer's operator",
        "run this again once they have approved: p2pnoise join approve, at the issuer",
        UNTRUSTED,
    ),
    "signer-down": Reason(
        "the request is kept, but the issuer cannot sign now: its signer is down",
        "run this again once it is back; the join token need not be used a second time",
        UNEXPECTED,
    ),
    "busy": Reason("the issuer has too much to do now", "run this again in a minute", UNEXPECTED),
    "unreachable": Reason(
        "the issuer's side does not answer",
        "check that p2pnoise join serve runs there, and that this machine can reach it; then run this again",
        UNEXPECTED,
    ),
    # Of renewal
    "no-issuer": Reason("no peer in reach can renew this grant", "have it renewed: p2pnoise card renew", UNEXPECTED),
    "not-renewed": Reason(
        "its issuer renews this grant no more by itself",
        "ask for a new join token, and use it on this machine: p2pnoise join run",
        TIME,
    ),
    "card-ends": Reason(
        "the card itself ends with its grant", "its owner signs the next one: p2pnoise card renew", TIME
    ),
}
