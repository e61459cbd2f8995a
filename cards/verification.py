"""Verification: the one place where a claimed card becomes a verified one, with every reason for and against it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from .card import Card, Grant
from .codec import MAX_INT
from .findings import CardError, Finding, exit_code
from .keys import IssuerId
from .policy import Policy
from .revocation import Revocations
from .statements import CARD_APP, CARD_KEY, CARD_NODE, SignatureCache, frame

Level = Literal["reject", "known", "verified", "pinned"]

MAX_JUMP = 2**32  # sequence numbers further ahead than this were not reached by counting

_PROOF: Final = object()


class Mark(NamedTuple):
    """The highest sequence number accepted from an identity, and the card id that had it."""

    sequence: int
    card_id: bytes


class VerifiedCard:
    """A card that is well-formed, for our network, signed by its identity key and by its node key.

    Only `verify_card` makes one. Whether it counts is the policy's affair, which may change; this does not.
    """

    __slots__ = ("card",)

    def __init__(self, card: Card, proof: object) -> None:
        if proof is not _PROOF:
            raise TypeError("a VerifiedCard comes from verify_card alone")
        self.card = card

    def __repr__(self) -> str:
        return f"<VerifiedCard {self.card.label} {self.card.node_id.short}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check of one card says: a level, what it grants, and all findings.

    `claim` is the card as parsed; `card` the proof where both signatures hold, whatever the policy thinks of it.
    `endorsed` tells that an accepted issuer did sign, however revoked or expired: such a peer may hear a reason.
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
    valid_until: int = 0

    @property
    def ok(self) -> bool:
        return self.level in ("verified", "pinned")

    @property
    def exit_code(self) -> int:
        return exit_code(self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "exit": self.exit_code,
            "level": self.level,
            "findings": [finding.to_json() for finding in self.findings],
            "groups": list(self.groups),
            "capabilities": list(self.capabilities),
            "issuers": [str(issuer) for issuer in self.issuers],
            "valid_until": self.valid_until or None,
            "card": self.claim.to_json() if self.claim else None,
        }


def verify_card(
    raw: bytes | Card,
    *,
    policy: Policy,
    now: int,
    peer_static: bytes | None = None,
    revocations: Revocations | None = None,
    mark: Mark | None = None,
    established: bool = False,
    signatures: SignatureCache | None = None,
    thorough: bool = True,
) -> Verdict:
    """Judge a card; never raises for hostile bytes. `now` is seconds since 1970.

    `peer_static` is the Noise static key that the bearer proved, where there is one. With `revocations` the lists of
    the granting issuers must be held and current; without it they are not looked at, and a finding says so.
    `mark` is what is known of this identity's sequence numbers. For an `established` peer an overdue list is a
    warning: only new peers are refused. Unless `thorough`, nothing is spent on signatures once an error is found.
    """
    try:
        card = raw if isinstance(raw, Card) else Card.parse(raw)
    except CardError as error:
        return Verdict(level="reject", findings=(error.finding,))
    check = _Check(card, policy, now, revocations, signatures or SignatureCache(limit=16), established=established)
    check.cheap(peer_static, mark)
    if thorough or not any(finding.severity == "error" for finding in check.findings):
        check.signed()
    return check.verdict()


@dataclass(slots=True)
class _Check:
    """One run over one card, cheap questions before signatures."""

    card: Card
    policy: Policy
    now: int
    revocations: Revocations | None
    signatures: SignatureCache
    established: bool = field(kw_only=True)
    findings: list[Finding] = field(default_factory=list)
    bound: bool = False  # both signatures of the card hold
    endorsed: bool = False
    counted: dict[IssuerId, Grant] = field(default_factory=dict)

    def cheap(self, peer_static: bytes | None, mark: Mark | None) -> None:
        card, now = self.card, self.now
        if card.network != self.policy.network:
            self.error("wrong-network", f"card is for network {card.network}, ours is {self.policy.network}")
        if peer_static is not None and peer_static != card.node_id:
            self.error("node-mismatch", f"the peer proved another node key; the card names {card.node_id.short}")
        if now >= card.not_after:
            self.error("expired", f"the card ended {_when(card.not_after, now)}; this clock says {_utc(now)}")
        begin = max(card.not_before, card.issued_at)
        if begin > now + self.policy.leeway:
            self.error("not-yet-valid", f"the card begins {_when(begin, now)}; this clock says {_utc(now)}")
        if mark is not None and card.sequence < mark.sequence:
            self.error("rollback", f"sequence {card.sequence}, already accepted {mark.sequence}")
        if mark is not None and card.sequence == mark.sequence and card.card_id != mark.card_id:
            self.error("equivocation", f"two different cards with sequence {card.sequence}")
        if mark is not None and card.sequence > mark.sequence + MAX_JUMP:
            self.error(
                "suspicious-jump",
                f"sequence {card.sequence} after {mark.sequence}, at most {MAX_JUMP} further",
            )
        if not card.node_signature:
            self.error("unproven", "the card has no node signature: nothing shows that this node agreed to it")
        if not any(grant.kid == key.hint for grant in card.grants for key in self.policy.issuers.values()):
            for grant in card.grants:
                self.warn("unknown-issuer", f"signed by issuer key id {grant.kid.hex()}, not in this policy")
            self.error("threshold", "0 of 1 needed app signatures count")

    def signed(self) -> None:
        card = self.card
        key_ok = self.signatures.verify(card.identity, card.key_signature, frame(CARD_KEY, card.body))
        if not key_ok:
            self.error("key-signature-invalid", "the key signature does not fit the body")
        node_ok = bool(card.node_signature) and self.signatures.verify(
            card.node_id.signing_key,
            card.node_signature,
            frame(CARD_NODE, card.network.encode(), card.identity, card.node_id),
        )
        if card.node_signature and not node_ok:
            self.error("node-signature-invalid", f"node {card.node_id.short} did not sign for this identity")
        self.bound = key_ok and node_ok
        self.grants()

    def grants(self) -> None:
        """Which grants count. What is wrong with one is an error only where no other one counts."""
        problems: dict[tuple[str, str], None] = {}  # a set in order of finding
        tried = False
        for grant in self.card.grants:
            # kid is a hint: every accepted issuer that it fits is tried, so a collision hides nothing.
            keys = [key for key in self.policy.issuers.values() if key.hint == grant.kid]
            message = frame(CARD_APP, self.card.body, grant.attrs)
            issuer = next((key for key in keys if self.signatures.verify(key, grant.signature, message)), None)
            tried = tried or bool(keys)
            if issuer is not None:
                self.endorsed = self.endorsed or self.bound
                problem = self.grant_problem(grant, issuer)
                if problem is not None:
                    problems[problem] = None
                elif issuer not in self.counted or grant.rank > self.counted[issuer].rank:
                    self.counted[issuer] = grant
            elif keys:
                name = self.policy.issuer_name(keys[0])
                problems["app-signature-invalid", f"the signature of issuer {name} does not fit this card"] = None
        for code, message_ in problems:
            (self.warn if self.counted else self.error)(code, message_)
        if tried and not self.counted:
            self.error("threshold", "0 of 1 needed app signatures count")
        for issuer in self.counted:
            self.freshness(issuer)

    def grant_problem(self, grant: Grant, issuer: IssuerId) -> tuple[str, str] | None:
        now, name = self.now, self.policy.issuer_name(issuer)
        entry = self.revocations.find(issuer, self.card, now) if self.revocations is not None else None
        if entry is not None and self.revocations is not None:
            number = self.revocations.by_issuer[issuer].sequence
            return "revoked", f"by {name} at {_utc(entry.at)}, reason {entry.reason}, list {number}"
        if now >= grant.not_after:
            ended = f"{_when(grant.not_after, now)}; this machine's clock says {_utc(now)}"
            return "expired-app", f"the signature of issuer {name} ended {ended}"
        begin = max(grant.not_before, grant.issued_at)
        if begin > now + self.policy.leeway:
            return "not-yet-valid", f"the signature of issuer {name} begins {_when(begin, now)}"
        if self.revocations is not None and issuer not in self.revocations.by_issuer:
            return "revocation-missing", f"we hold no revocation list of {name}"
        return self.stale(issuer) if now >= self.overdue(issuer) else None

    def overdue(self, issuer: IssuerId) -> int:
        """From when on the list of `issuer` is too old to admit this peer; the end of time where it never is."""
        if self.revocations is None or self.established:
            return MAX_INT
        return self.revocations.by_issuer[issuer].next_due + self.policy.revocation_grace

    def stale(self, issuer: IssuerId) -> tuple[str, str] | None:
        state = self.revocations.by_issuer[issuer] if self.revocations is not None else None
        if state is None or self.now < state.next_due:
            return None
        name, due = self.policy.issuer_name(issuer), _when(state.next_due, self.now)
        return "revocation-stale", f"list {state.sequence} of {name} was due to be replaced {due}"

    def freshness(self, issuer: IssuerId) -> None:
        name = self.policy.issuer_name(issuer)
        if self.revocations is None:
            self.warn("revocation-unchecked", f"the revocation list of {name} was not looked at")
            return
        state = self.revocations.by_issuer[issuer]
        if state.disputed:
            self.warn("issuer-equivocation", f"{name} signed different lists with one number; their union holds")
        stale = self.stale(issuer)
        if stale is not None:
            self.warn(*stale)

    def verdict(self) -> Verdict:
        errors = [finding for finding in self.findings if finding.severity == "error"]
        proven = self.bound and self.card.network == self.policy.network
        ok = proven and bool(self.counted) and not errors
        # Proven but not granted is "known"; anything that is wrong with the card itself is a reject.
        known = proven and all(finding.code in ("threshold", "unknown-issuer") for finding in errors)
        counted = self.counted if ok else {}
        return Verdict(
            level="verified" if ok else "known" if known else "reject",
            findings=tuple(self.findings),
            claim=self.card,
            card=VerifiedCard(self.card, _PROOF) if proven else None,
            endorsed=self.endorsed,
            issuers=tuple(counted),
            groups=tuple(sorted({group for grant in counted.values() for group in grant.groups})),
            capabilities=tuple(sorted({name for grant in counted.values() for name in grant.capabilities})),
            valid_until=self.valid_until() if ok else 0,
        )

    def valid_until(self) -> int:
        # The first end, not the last: what an issuer granted must not outlive its grant because another one holds.
        ends = [min(grant.not_after, self.overdue(issuer)) for issuer, grant in self.counted.items()]
        return min(self.card.not_after, *ends)

    def error(self, code: str, message: str) -> None:
        self.findings.append(Finding(code, message))

    def warn(self, code: str, message: str) -> None:
        self.findings.append(Finding(code, message, "warning"))


def _utc(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):  # a claimed time may lie beyond the year 9999
        return f"second {seconds}"


def _when(seconds: int, now: int) -> str:
    distance = abs(now - seconds)
    amount = f"{distance // 86400} days" if distance >= 2 * 86400 else f"{distance} s"
    return f"{_utc(seconds)} ({amount} ago)" if seconds <= now else f"{_utc(seconds)} (in {amount})"
