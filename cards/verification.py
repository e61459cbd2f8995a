"""Verification: the one place where a claimed card becomes a verified one, with every reason for and against it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from .card import Card, Grant, Mark
from .codec import MAX_INT
from .delegation import Authority, endorsed
from .facts import Facts
from .findings import CardError, Finding
from .keys import IdentityId, IssuerId
from .limits import Rule
from .policy import Policy
from .statements import CARD_APP, CARD_KEY, CARD_NODE, SignatureCache, frame
from .verdict import PROOF, Level, Verdict, VerifiedCard, Weighed

__all__ = ["MAX_JUMP", "MAX_PINS", "verify_card"]

MAX_PINS = 10_000  # names; a guess, some 2 MB

MAX_JUMP = 2**32  # sequence numbers further ahead than this were not reached by counting

_MAX_HEIRS = 8  # successions that a pin follows; a guess: nobody rotates an identity so often

_ONE: Final = Rule()
_NO_FACTS: Final = Facts()
_UNCACHED: Final = SignatureCache(limit=0)


def verify_card(
    raw: bytes | Card,
    *,
    policy: Policy,
    now: int,
    peer_static: bytes | None = None,
    facts: Facts | None = None,
    pins: Mapping[str, bytes] | None = None,
    mark: Mark | None = None,
    marks: Mapping[bytes, Mark] | None = None,
    established: bool = False,
    signatures: SignatureCache | None = None,
    thorough: bool = True,
) -> Verdict:
    """Judge a card; never raises for hostile bytes. `now` is seconds since 1970.

    `peer_static` is the Noise static key that the bearer proved, where there is one. With `facts` the lists of the
    granting issuers must be held and current; without them nothing is known to be revoked, and a finding says so.
    `pins` are identity keys by name, `mark` is what is known of this identity's sequence numbers, `marks` of others by
    identity key: a pin goes to no other successor than the one that was committed to. For an `established` peer an
    overdue list is a warning, and its end may be some time ago: only new peers are refused. Unless `thorough`, nothing
    is spent on signatures once an error is found.
    """
    try:
        card = raw if isinstance(raw, Card) else Card.parse(raw)
    except CardError as error:
        return Verdict(level="reject", findings=(error.finding,))
    check = _Check(
        card,
        policy,
        facts.clock(policy, now) if facts is not None else now,
        facts.leeway(policy, now) if facts is not None else policy.leeway,
        facts,
        pins or {},
        mark,
        marks or {},
        signatures or _UNCACHED,
        (facts or _NO_FACTS).authorities(policy),
        established=established,
    )
    check.cheap(peer_static)
    if thorough or not any(finding.severity == "error" for finding in check.findings):
        check.signed()
    return check.verdict()


@dataclass(slots=True)
class _Check:
    """One run over one card, cheap questions before signatures."""

    card: Card
    policy: Policy
    now: int
    leeway: int
    facts: Facts | None
    pins: Mapping[str, bytes]
    mark: Mark | None
    marks: Mapping[bytes, Mark]
    signatures: SignatureCache
    authorities: tuple[Authority, ...]
    established: bool = field(kw_only=True)
    findings: list[Finding] = field(default_factory=list)
    bound: bool = False  # both signatures of the card hold
    endorsed: bool = False
    weighed: list[Weighed] = field(default_factory=list)
    counted: dict[tuple[IssuerId, IssuerId], Grant] = field(default_factory=dict)  # by root and whoever signed
    trusted: bool = False  # by the policy's rules, a pin, or on first use

    # What costs nothing

    def cheap(self, peer_static: bytes | None) -> None:
        card, policy, now = self.card, self.policy, self.now
        if card.network != policy.network:
            self.error("wrong-network", f"card is for network {card.network}, ours is {policy.network}")
        if peer_static is not None and peer_static != card.node_id:
            self.error("node-mismatch", f"the peer proved another node key; the card names {card.node_id.short}")
        if card.identity in policy.deny or card.node_id in policy.deny:
            self.error("denied", f"the policy denies {card.label}")
        if now >= card.not_after:
            ended = f"the card ended {_when(card.not_after, now)}; this clock says {_utc(now)}"
            (self.error if now >= self.end(card.not_after) else self.warn)("expired", ended)
        begin = max(card.not_before, card.issued_at)
        if begin > now + self.leeway:
            self.error("not-yet-valid", f"the card begins {_when(begin, now)}; this clock says {_utc(now)}")
        self.history()
        self.endings()
        if not card.node_signature:
            self.error("unproven", "the card has no node signature: nothing shows that this node agreed to it")
        hints = {authority.key.hint for authority in self.authorities}
        if not any(grant.kid in hints for grant in card.grants):
            for grant in card.grants:
                self.warn("unknown-issuer", f"signed by issuer key id {grant.kid.hex()}, not in this policy")
            self.rules()

    def history(self) -> None:
        """What was accepted before from this identity, and under this name."""
        card, mark = self.card, self.mark
        if mark is not None and card.sequence < mark.sequence:
            self.error("rollback", f"sequence {card.sequence}, already accepted {mark.sequence}")
        if mark is not None and card.sequence == mark.sequence and card.card_id != mark.card_id:
            self.error("equivocation", f"two different cards with sequence {card.sequence}")
        if mark is not None and card.sequence > mark.sequence + MAX_JUMP:
            self.error(
                "suspicious-jump",
                f"sequence {card.sequence} after {mark.sequence}, at most {MAX_JUMP} further",
            )
        held = self.pins.get(card.name) if card.name else None
        if held is not None and not self.holds_pin:
            self.error("pin-changed", f"{card.name} is pinned to {IdentityId(held)}, the card is of {card.identity}")

    def endings(self) -> None:
        """What ended this identity or its node key, whoever grants it what."""
        if self.facts is None:
            return
        card, facts = self.card, self.facts
        own = facts.self_revoked.get(card.identity)
        if own is not None:
            self.error("revoked", f"by its own identity key at {_utc(own.issued_at)}, reason {own.reason}")
        for name in self.policy.revokers:
            entry = facts.revocations.find(self.policy.issuers[name], card.identity, card.card_id, now=self.now)
            if entry is not None:
                self.error("revoked", f"by {name} at {_utc(entry.at)}, reason {entry.reason}; it may end an identity")
        committed = self.mark.next_key_digest if self.mark is not None else card.next_key_digest
        heirs = sorted(facts.heirs(card.identity, committed))
        if len(heirs) > 1:
            self.error("superseded", f"this identity handed over to {len(heirs)} others, of whom none counts")
        elif heirs:
            self.error("superseded", f"this identity handed over to {heirs[0]}")
        if card.node_id in facts.set_aside:
            self.error("node-conflict", f"node {card.node_id.short} has signed for two identities")
        for conflict in facts.conflicts.get(card.identity, ()):
            kept = self.mark is not None and self.mark.card_id == card.card_id
            # Only what an accepted issuer granted counts: a thief of the identity key alone must not freeze its owner.
            if (
                card.sequence <= conflict.sequence
                and not kept
                and all(endorsed(card, self.authorities, self.signatures) for card in conflict.cards)
            ):
                text = f"two different cards with sequence {conflict.sequence}; one with a higher number ends this"
                self.error("equivocation", text)

    @property
    def pinned(self) -> bool:
        """Whether the policy allows this identity, or its name is pinned to it."""
        return self.card.identity in self.policy.allow or self.holds_pin

    @property
    def holds_pin(self) -> bool:
        """Whether a pin gives this name to this identity, or to one that handed over to it."""
        card = self.card
        held = self.pins.get(card.name) if card.name else None
        for _ in range(_MAX_HEIRS):
            if held is None or held == card.identity:
                break
            committed = self.marks[held].next_key_digest if held in self.marks else None
            held = self.facts.successor(held, committed) if self.facts is not None else None
        return held is not None and held == card.identity

    @property
    def first_use(self) -> Literal["off", "ask", "first-use"]:
        """What the policy says of a name that nobody is pinned to, where this card has one.

        Off where no more can be pinned: a name that never is would be the first for everybody who comes with it.
        """
        free = self.card.name and self.card.name not in self.pins and len(self.pins) < MAX_PINS
        return self.policy.tofu if free else "off"

    @property
    def needs_no_issuer(self) -> bool:
        return self.pinned or self.first_use == "first-use"

    def end(self, not_after: int) -> int:
        """From when on something that ends at `not_after` is refused: later for peers that we had accepted."""
        return not_after + (self.policy.expired_grace if self.established else 0)

    # What costs signatures

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
        if not any(finding.code in ("threshold", "first-use") for finding in self.findings):
            self.rules()

    def grants(self) -> None:
        """Which grants count. What is wrong with one is an error only where no other one counts."""
        problems: dict[tuple[str, str], None] = {}  # a set in order of finding
        for grant in self.card.grants:
            # kid is a hint: every accepted issuer that it fits is tried, so a collision hides nothing.
            tried = [authority for authority in self.authorities if authority.key.hint == grant.kid]
            # Each key once: by delegations it can have hundreds of ways to sign.
            signers = {key for key in {authority.key for authority in tried} if self.signs(key, grant, self.card)}
            signed = [authority for authority in tried if authority.key in signers]
            if tried and not signed:
                name = self.policy.issuer_name(tried[0].key)
                problems["app-signature-invalid", f"the signature of issuer {name} does not fit this card"] = None
            self.endorsed = self.endorsed or (self.bound and bool(signed))
            found = [Weighed(grant, authority, self.grant_problem(grant, authority)) for authority in signed]
            self.weighed += found
            for _, authority, problem in found:
                # Serials of two keys say nothing of each other: a delegate's must not displace what its root granted.
                signer = authority.root, authority.key
                if problem is None and (signer not in self.counted or grant.rank > self.counted[signer].rank):
                    self.counted[signer] = grant
            reasons = [one.problem for one in found if one.problem is not None]
            if found and len(reasons) == len(found):
                problems.update(dict.fromkeys(reasons))
        for code, message in problems:
            # A grant that a card does without cannot harm it, or its owner would rather leave it out. Revocation can.
            needless = self.counted or (self.needs_no_issuer and code != "revoked")
            (self.warn if needless else self.error)(code, message)
        for root in self.roots:
            self.freshness(root)
        for key, end in dict.fromkeys((key, grant.not_after) for (_, key), grant in self.counted.items()):
            if self.now >= end:
                name = self.policy.issuer_name(key)
                self.warn("expired-app", f"the signature of issuer {name} ended {_when(end, self.now)}")

    @property
    def roots(self) -> tuple[IssuerId, ...]:
        """The issuers of whom a grant counts, each once, however many delegates it has."""
        return tuple(dict.fromkeys(root for root, _ in self.counted))

    def signs(self, key: IssuerId, grant: Grant, card: Card) -> bool:
        return self.signatures.verify(key, grant.signature, frame(CARD_APP, card.body, grant.attrs))

    def grant_problem(self, grant: Grant, authority: Authority) -> tuple[str, str] | None:
        now, root, name = self.now, authority.root, self.policy.issuer_name(authority.key)
        lists = self.facts.revocations if self.facts is not None else None
        if lists is not None:
            subjects = (self.card.identity, self.card.card_id, *(step for step, _ in authority.steps))
            entry = lists.find(root, *subjects, now=now)
            if entry is not None:
                by, number = self.policy.issuer_name(root), lists.by_issuer[root].sequence
                told = f"by {by} at {_utc(entry.at)}, reason {entry.reason}, list {number}"
                if entry.subject == self.card.card_id:
                    told += ", this one card"
                elif entry.subject != self.card.identity:
                    told += f", the delegate {self.policy.issuer_name(IssuerId(entry.subject))}"
                return "revoked", told
        if now >= self.end(grant.not_after):
            ended = f"{_when(grant.not_after, now)}; this machine's clock says {_utc(now)}"
            return "expired-app", f"the signature of issuer {name} ended {ended}"
        begin = max(grant.not_before, grant.issued_at)
        if begin > now + self.leeway:
            return "not-yet-valid", f"the signature of issuer {name} begins {_when(begin, now)}"
        beyond = authority.problem(self.card, grant, self.policy.issuer_name)
        if beyond is not None:
            return "issuer-constraint", beyond
        if lists is not None and root not in lists.by_issuer:
            return "revocation-missing", f"we hold no revocation list of {self.policy.issuer_name(root)}"
        return self.stale(root) if now >= self.overdue(root) else None

    def overdue(self, issuer: IssuerId) -> int:
        """From when on the list of `issuer` is too old to admit this peer; the end of time where it never is."""
        if self.facts is None or self.established or self.policy.stale == "warn":
            return MAX_INT
        return self.facts.revocations.by_issuer[issuer].next_due + self.policy.revocation_grace

    def stale(self, issuer: IssuerId) -> tuple[str, str] | None:
        state = self.facts.revocations.by_issuer[issuer] if self.facts is not None else None
        if state is None or self.now < state.next_due:
            return None
        name, due = self.policy.issuer_name(issuer), _when(state.next_due, self.now)
        return "revocation-stale", f"list {state.sequence} of {name} was due to be replaced {due}"

    def freshness(self, issuer: IssuerId) -> None:
        name = self.policy.issuer_name(issuer)
        if self.facts is None:
            self.warn("revocation-unchecked", f"the revocation list of {name} was not looked at")
            return
        state = self.facts.revocations.by_issuer[issuer]
        if state.disputed:
            self.warn("issuer-equivocation", f"{name} signed different lists with one number; their union holds")
        stale = self.stale(issuer)
        if stale is not None:
            self.warn(*stale)

    # What it comes to

    def rules(self) -> None:
        """Whether enough issuers agree; where not, whether the card is trusted for another reason."""
        missing = [
            f"{have} of {rule.threshold}"
            for rule in self.asked()
            if (have := self.have(rule, self.counted)) < rule.threshold
        ]
        listed = self.listed() if missing and self.needs_no_issuer else None
        self.trusted = not missing or (self.needs_no_issuer and listed is None)
        if listed is not None and not any(finding.code == "revoked" for finding in self.findings):
            # Or whoever leaves the revoked grant out would come back by a pin, or as a stranger on first use.
            self.error("revoked", listed)
        if missing and not self.pinned and self.trusted:
            self.warn("first-use", f"{self.card.label} is trusted because it is the first of its name")
        elif missing:
            text = f"{' and '.join(missing)} needed app signatures count"
            (self.warn if self.needs_no_issuer else self.error)("threshold", text)
        if missing and not self.trusted and self.first_use == "ask":
            self.warn("first-use", f"nobody is pinned to {self.card.name}; the policy asks")

    def listed(self) -> str | None:
        """What the list of any issuer of the policy says of this identity or card."""
        lists = self.facts.revocations if self.facts is not None else _NO_FACTS.revocations
        for name, key in self.policy.issuers.items():
            entry = lists.find(key, self.card.identity, self.card.card_id, now=self.now)
            if entry is not None:
                return f"by {name} at {_utc(entry.at)}, reason {entry.reason}"
        return None

    def asked(self) -> list[Rule]:
        """The rules of the policy, and that of the network's manifest where it asks for more."""
        manifest = self.facts.manifest(self.policy) if self.facts is not None else None
        return [*self.policy.app, *([Rule(manifest.threshold)] if manifest is not None else [])]

    def have(self, rule: Rule, counted: Iterable[tuple[IssuerId, IssuerId]]) -> int:
        """How many issuers that a rule names have granted, of these roots and who signed for them.

        One key speaks for one of them: or who is lent two roots, or steals that key, would be two of two.
        """
        of = {key for name, key in self.policy.issuers.items() if not rule.of or name in rule.of}
        keys: dict[IssuerId, list[IssuerId]] = {}
        for root, key in counted:
            if root in of:
                keys.setdefault(root, []).append(key)
        return _with_a_key_each(keys)

    def granted(
        self, code: str, rules: Mapping[str, Rule], names_of: Callable[[Grant], tuple[str, ...]]
    ) -> tuple[str, ...]:
        """The groups, or the capabilities, that as many issuers granted as the policy's `rules` ask for each."""
        held = []
        for name in sorted({name for grant in self.counted.values() for name in names_of(grant)}):
            rule = rules.get(name, _ONE)
            have = self.have(rule, [signer for signer, grant in self.counted.items() if name in names_of(grant)])
            if have >= rule.threshold:
                held.append(name)
            else:
                self.warn(code, f"{have} of {rule.threshold} needed issuers grant {name}")
        return tuple(held)

    def verdict(self) -> Verdict:
        proven = self.bound and self.card.network == self.policy.network
        policy = self.policy
        groups = self.granted("group-not-granted", policy.groups, lambda grant: grant.groups)
        capabilities = self.granted("capability-not-granted", policy.capabilities, lambda grant: grant.capabilities)
        errors = [finding for finding in self.findings if finding.severity == "error"]
        ok = proven and self.trusted and not errors
        # Proven but not granted is "known"; anything that is wrong with the card itself is a reject.
        known = proven and all(finding.code in ("threshold", "unknown-issuer") for finding in errors)
        level: Level = "pinned" if self.pinned else "verified"
        return Verdict(
            level=level if ok else "known" if known else "reject",
            findings=tuple(self.findings),
            claim=self.card,
            card=VerifiedCard(self.card, PROOF) if proven else None,
            endorsed=self.endorsed,
            issuers=self.roots if ok else (),
            groups=groups if ok else (),
            capabilities=capabilities if ok else (),
            weighed=tuple(self.weighed),
            valid_until=self.valid_until() if ok else 0,
        )

    def valid_until(self) -> int:
        # The first end, not the last: what an issuer granted must not outlive its grant because another one holds.
        ends = [min(self.end(grant.not_after), self.overdue(root)) for (root, _), grant in self.counted.items()]
        # Where a grace has begun, the next boundary is that of the grace; before it, the end itself, where it warns.
        return min([self.end(self.card.not_after), *ends])

    def error(self, code: str, message: str) -> None:
        self.findings.append(Finding(code, message))

    def warn(self, code: str, message: str) -> None:
        self.findings.append(Finding(code, message, "warning"))


def _with_a_key_each(keys: Mapping[IssuerId, Sequence[IssuerId]]) -> int:
    """How many of these can have one of their keys for itself: the largest matching, by augmenting paths (Kuhn)."""
    taken: dict[IssuerId, IssuerId] = {}

    def place(one: IssuerId, tried: set[IssuerId]) -> bool:
        for key in keys[one]:
            if key not in tried:
                tried.add(key)
                if key not in taken or place(taken[key], tried):
                    taken[key] = one
                    return True
        return False

    return sum(place(one, set()) for one in keys)


def _utc(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):  # a claimed time may lie beyond the year 9999
        return f"second {seconds}"


def _when(seconds: int, now: int) -> str:
    distance = abs(now - seconds)
    amount = f"{distance // 86400} days" if distance >= 2 * 86400 else f"{distance} s"
    return f"{_utc(seconds)} ({amount} ago)" if seconds <= now else f"{_utc(seconds)} (in {amount})"
