"""Verdicts: what one check of one card says, and the proof that a card is one."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from .card import Card, Grant
from .delegation import Authority
from .findings import Finding, exit_code
from .keys import IssuerId

__all__ = ["PROOF", "Level", "Verdict", "VerifiedCard", "Weighed"]

Level = Literal["reject", "known", "verified", "pinned"]

PROOF: Final = object()
"""What `verify_card` makes a VerifiedCard with, and nobody else."""


class VerifiedCard:
    """A card that is well-formed, for our network, signed by its identity key and by its node key.

    Only `verify_card` makes one. Whether it counts is the policy's affair, which may change; this does not.
    """

    __slots__ = ("card",)

    def __init__(self, card: Card, proof: object) -> None:
        if proof is not PROOF:
            raise TypeError("a VerifiedCard comes from verify_card alone")
        self.card = card

    def __repr__(self) -> str:
        return f"<VerifiedCard {self.card.label} {self.card.node_id.short}>"


class Weighed(NamedTuple):
    """A grant, who signed it and by whose leave, and the code and sentence for which it does not count, if it does not.

    A key that several delegated to is weighed once for each way in which it may sign.
    """

    grant: Grant
    authority: Authority
    problem: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one check of one card says: a level, what it grants, and all findings.

    `claim` is the card as parsed; `card` the proof where both signatures hold, whatever the policy thinks of it.
    `endorsed` tells that an accepted issuer did sign, however revoked or expired: such a peer may hear a reason.
    `weighed` has every grant that somebody who may sign did sign, for explanations; two verdicts may differ in it.
    An `ok` verdict with all that it grants holds until `valid_until`, seconds since 1970; ask again then.
    """

    level: Level
    findings: tuple[Finding, ...]
    claim: Card | None = None
    card: VerifiedCard | None = None
    endorsed: bool = False
    issuers: tuple[IssuerId, ...] = ()
    groups: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    weighed: tuple[Weighed, ...] = field(default=(), compare=False, repr=False)
    valid_until: int = 0

    @property
    def ok(self) -> bool:
        """Whether the card counts: verified, or pinned."""
        return self.level in ("verified", "pinned")

    @cached_property
    def counting(self) -> tuple[Weighed, ...]:
        """Those of `weighed` that count, once the card does: the grants to keep and to pass on, and who signed them."""
        return tuple(one for one in self.weighed if one.problem is None) if self.ok else ()

    @property
    def name(self) -> str | None:
        """The effective name: what the card calls itself, once it counts."""
        return self.claim.name if self.ok and self.claim is not None else None

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this verdict; 0 where it is ok."""
        return exit_code(self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the card from counting, in the order in which they were found."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_json(self) -> dict[str, Any]:
        """What a program reads of this verdict."""
        return {
            "ok": self.ok,
            "exit": self.exit_code,
            "level": self.level,
            "name": self.name,
            "findings": [finding.to_json() for finding in self.findings],
            "groups": list(self.groups),
            "capabilities": list(self.capabilities),
            "issuers": [str(issuer) for issuer in self.issuers],
            "valid_until": self.valid_until or None,
            "card": self.claim.to_json() if self.claim else None,
        }
