"""Facts: everything signed about trust that a node holds: lists, delegations, endings, manifests, conflicts. A value.

Facts only grow, but for delegations beyond their shares, and what they say depends on what there is, never on the order
in which it came: two nodes that have exchanged theirs say the same. What they mean for a card is said by the policy.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, TypeAlias, TypeVar

from .card import Mark
from .conflicts import Conflict
from .delegation import Authority, Delegation, authorities, endorsed
from .draft import DRAFTS
from .endings import Retirement, SelfRevocation, Succession
from .findings import CardError, Finding
from .keys import IdentityId, IssuerId
from .manifest import Manifest, reached
from .policy import Policy
from .revocation import RevocationList, Revocations, SignedHead, Terms
from .shares import crowded_out
from .statements import SignatureCache

Statement: TypeAlias = Delegation | Succession | SelfRevocation | Retirement | Manifest | Conflict
Fact: TypeAlias = Statement | RevocationList

KINDS: Mapping[str, type[Statement]] = {
    kind.label: kind for kind in (Delegation, Succession, SelfRevocation, Retirement, Manifest, Conflict)
}
"""The kinds of statement by the label of their block of text."""

MAX_STATEMENTS = 1_000  # of each kind; an honest network of 10^5 nodes has some dozens in all
_MAX_RIVALS = 4  # successors of one identity that are kept to show that they differ

BUILD_TIME = 1_795_219_200  # 2026-11-21, when this was written: a clock that says less is wrong
MAX_STEP = 400 * 86_400  # seconds by which one list may move a clock that is wrong

_Kind = TypeVar("_Kind", bound=Statement)
_Answer = TypeVar("_Answer")


def _per_policy(method: Callable[["Facts", Policy], _Answer]) -> Callable[["Facts", Policy], _Answer]:
    """Remembers the answer for the last policy: both are values, and every card that is judged asks again."""
    name = f"_last_{method.__name__}"

    @wraps(method)
    def remembered(self: "Facts", policy: Policy) -> _Answer:
        known: tuple[Policy, _Answer] | None = self.__dict__.get(name)
        if known is None or known[0] is not policy:
            known = self.__dict__[name] = policy, method(self, policy)
        return known[1]

    return remembered


@dataclass(frozen=True)
class Facts:
    """What is held, by digest. `add` checks signatures and is the only way in from outside; `merge` joins two."""

    revocations: Revocations = field(default_factory=Revocations)
    statements: Mapping[bytes, Statement] = field(default_factory=dict)

    def add(
        self,
        fact: Fact,
        *,
        policy: Policy,
        now: int,
        marks: Mapping[bytes, Mark] | None = None,
        signatures: SignatureCache | None = None,
        own: bool = False,
    ) -> tuple["Facts", Finding | None]:
        """These facts with one more, if it is signed as it should and matters under `policy`; and what there is to say.

        `marks` tell by identity key to whom an identity had committed to hand over. What our `own` operator says has a
        place where strangers have filled all. After any finding but issuer-equivocation the value is unchanged.
        """
        if isinstance(fact, RevocationList):
            revocations, finding = self.revocations.add(fact, self._terms(policy, now), signatures=signatures)
            return (self if revocations is self.revocations else replace(self, revocations=revocations)), finding
        if fact.digest in self.statements:
            return self, None
        terms = self._terms(policy, now)
        finding = (
            self._admission(fact, policy, marks or {})
            or (None if own else self._overfull(fact))
            or fact.check(network=terms.network, now=terms.now, leeway=terms.leeway, signatures=signatures)
            or self._matters(fact, policy, signatures or SignatureCache(limit=16))
        )
        if finding is not None:
            return self, finding
        more = replace(self, statements={**self.statements, fact.digest: fact})
        if not isinstance(fact, Delegation):
            return more, None
        more = more.within_shares(policy)
        if fact.digest in more.statements:
            return more, None
        return self, Finding("too-large", f"as many delegations as may be come before that to {fact.key.short}")

    def check_list(
        self, head: SignedHead, *, policy: Policy, now: int, signatures: SignatureCache | None = None
    ) -> Finding | None:
        """Why `add` would not take a list of this head, whatever is on its pages."""
        return self.revocations.check(head, self._terms(policy, now), signatures=signatures)

    def _terms(self, policy: Policy, now: int) -> Terms:
        clock = self.clock(policy, now)
        return Terms(
            issuers=policy.issuers.values(),
            network=policy.network,
            now=clock,
            # A clock that is wrong cannot say what lies in its future, so one step is allowed to set it. One that can
            # be right is what the leeway counts from, not the floor: a single issuer would raise that with every list.
            leeway=MAX_STEP if now < BUILD_TIME else max(0, now + policy.leeway - clock),
            lifetime=policy.list_lifetime,
        )

    def merge(self, other: "Facts", now: int) -> "Facts":
        """All that either holds; commutative, associative and idempotent. Both hold verified facts alone.

        Not so the warning that two lists shared a number: it is for whoever saw both before a later one replaced them.
        """
        statements = {**self.statements, **other.statements}
        for digest in self.statements.keys() & other.statements.keys():
            # One conflict can be shown by many pairs; which is kept must not depend on who asks.
            statements[digest] = min(self.statements[digest], other.statements[digest], key=lambda one: one.raw)
        revocations = self.revocations.merge(other.revocations, now)
        return Facts(revocations, dict(sorted(statements.items())))

    def within_shares(self, policy: Policy) -> "Facts":
        """These without the delegations that have no place, and the retirements of the keys that only those named."""
        delegations = self._of(Delegation)
        share = MAX_STATEMENTS // max(1, len(policy.issuers))
        roots = {key: policy.limits_of(name).depth for name, key in policy.issuers.items()}
        gone = crowded_out(delegations, roots, share)
        if not gone:
            return self
        named = {one.key for one in delegations if one.digest not in gone}
        orphans = {one.key for one in delegations} - named - set(policy.issuers.values())
        gone |= {one.digest for one in self._of(Retirement) if one.issuer in orphans}
        return replace(self, statements={digest: one for digest, one in self.statements.items() if digest not in gone})

    def __iter__(self) -> Iterator[Fact]:
        """Everything, in an order in which it can be added again: who may sign before what they have signed."""
        for state in self.revocations.by_issuer.values():
            yield from state.lists
        yield from sorted(self._of(Manifest), key=lambda one: one.version)
        waiting = self._of(Delegation)
        while waiting:
            lent = {one.key for one in waiting}
            # Where each waits for another they make a circle, of which nothing comes.
            first = [one for one in waiting if one.issuer not in lent] or list(waiting)
            yield from first
            waiting = tuple(one for one in waiting if one not in first)
        ordered = (Manifest, Delegation, Retirement)
        yield from (one for one in self.statements.values() if not isinstance(one, ordered))
        yield from self._of(Retirement)

    # What they say

    def clock(self, policy: Policy, now: int) -> int:
        """`now`, or the earliest time that it can be where the clock is behind what issuers have signed (P8).

        The floor is the build time and then the t-th largest `iat` of the lists of the policy's issuers, t being what
        the policy asks to agree and at least two where there are two, so that one issuer alone cannot move time.
        """
        floor = self._floor(policy)
        return max(now, min(floor, BUILD_TIME + MAX_STEP) if now < BUILD_TIME else floor)

    def leeway(self, policy: Policy, now: int) -> int:
        """How far beyond `clock`, in seconds, a card, grant or record may begin.

        A clock before the build time cannot say what lies in its future, nor can lists: a grant is younger than they.
        """
        return MAX_STEP if now < BUILD_TIME else policy.leeway

    @_per_policy
    def _floor(self, policy: Policy) -> int:
        times = sorted((state.current[0].issued_at for state in self._trusted(policy)), reverse=True)
        return max(BUILD_TIME, times[policy.quorum - 1] if len(times) >= policy.quorum else 0)

    @_per_policy
    def authorities(self, policy: Policy) -> tuple[Authority, ...]:
        """Everybody who may sign under `policy`: its issuers that are not retired, and their delegates."""
        allowed, retired = self.manifest(policy), self.retired(policy)
        roots = {
            key: policy.limits_of(name)
            for name, key in policy.issuers.items()
            if key not in retired and (allowed is None or key in allowed.issuers)
        }
        standing = (one for one in self._of(Delegation) if one.key not in retired)
        return authorities(roots, standing)

    def manifest(self, policy: Policy) -> Manifest | None:
        """The newest manifest that the policy's issuers, or those whom they made their successors, have signed."""
        steps = self._manifests(policy)
        return steps[-1] if steps else None

    @_per_policy
    def _manifests(self, policy: Policy) -> tuple[Manifest, ...]:
        return reached(self._of(Manifest), set(policy.issuers.values()), policy.quorum)

    @_per_policy
    def retired(self, policy: Policy) -> Set[bytes]:
        """The keys of issuers and delegates that have ended, by their own word or that of enough others."""
        return frozenset(one.issuer for one in self._of(Retirement) if self._ends(one, policy))

    def _ends(self, retirement: Retirement, policy: Policy) -> bool:
        """Whether the issuer signed this itself, or as many did as spoke for all at any time: it is final."""
        bodies: list[tuple[Set[bytes], int]] = [({retirement.issuer}, 1), (set(policy.issuers.values()), policy.quorum)]
        bodies += [(one.issuers, one.threshold) for one in self._manifests(policy)]
        return any(retirement.signed_by(*body) for body in bodies)

    @cached_property
    def self_revoked(self) -> Mapping[bytes, SelfRevocation]:
        """By identity key."""
        return {bytes(one.identity): one for one in self._of(SelfRevocation)}

    @cached_property
    def set_aside(self) -> Set[bytes]:
        """Node IDs whose key has served two identities."""
        return frozenset(one.subject for one in self._of(Conflict) if one.kind == "node")

    @cached_property
    def conflicts(self) -> Mapping[bytes, tuple[Conflict, ...]]:
        """Those of identities, by identity key. Whether one counts is the policy's affair: see `verify_card`."""
        found: dict[bytes, tuple[Conflict, ...]] = {}
        for one in self._of(Conflict):
            if one.kind == "identity":
                found[one.subject] = (*found.get(one.subject, ()), one)
        return found

    def successor(self, identity: bytes, next_key_digest: bytes | None) -> IdentityId | None:
        """Who an identity has handed over to; None where it has not, or to several, of whom one must be a thief's."""
        heirs = self.heirs(identity, next_key_digest)
        return next(iter(heirs)) if len(heirs) == 1 else None

    def heirs(self, identity: bytes, next_key_digest: bytes | None) -> Set[IdentityId]:
        """All to whom an identity has handed over. With any it has ended: a rival brings no old key back."""
        return {one.new for one in self._of(Succession) if one.old == identity and one.honours(next_key_digest)}

    def forerunners(self, identity: bytes) -> Iterator[IdentityId]:
        """All who handed over to this identity, or to one of these in turn: the nearest first, each once."""
        found = dict.fromkeys(self._took_over_from.get(identity, ()))
        waiting = list(found)
        for one in waiting:  # which grows
            yield one
            new = [old for old in self._took_over_from.get(one, ()) if old not in found and old != identity]
            found |= dict.fromkeys(new)
            waiting += new

    @cached_property
    def _took_over_from(self) -> Mapping[bytes, tuple[IdentityId, ...]]:
        found: dict[bytes, tuple[IdentityId, ...]] = {}
        for one in self._of(Succession):
            found[one.new] = (*found.get(one.new, ()), one.old)
        return found

    def _of(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        return tuple(one for one in self.statements.values() if isinstance(one, kind))

    def _trusted(self, policy: Policy) -> Iterable[Any]:
        held = self.revocations.by_issuer
        return [held[key] for key in policy.issuers.values() if key in held and key not in self.retired(policy)]

    def _admission(self, fact: Statement, policy: Policy, marks: Mapping[bytes, Mark]) -> Finding | None:
        """Cheap reasons not to take a statement, before its signatures are looked at."""
        if isinstance(fact, Delegation | Retirement) or (isinstance(fact, Conflict) and fact.kind == "issuer"):
            key = IssuerId(fact.subject if isinstance(fact, Conflict) else fact.issuer)
            found = [one for one in self.authorities(policy) if one.key == key]
            # One that the manifest leaves out may come back with the next, so that it has ended must be known then.
            left_out = key in policy.issuers.values() and key not in self.retired(policy)
            if not found and not (isinstance(fact, Retirement) and left_out):
                return Finding("unknown-issuer", f"{fact.what} of {key.short}, not in this policy")
            if isinstance(fact, Delegation) and not any(one.delegate(fact) for one in found):
                return Finding("chain-too-long", f"{key.short} may delegate no further to {fact.key.short}")
            if isinstance(fact, Retirement) and not self._ends(fact, policy):
                return Finding("threshold", f"too few of the issuers that count here retire {key.short}")
        if isinstance(fact, Manifest) and not fact.signed_by(set(policy.issuers.values()), 1):
            newest = self.manifest(policy)
            if newest is None or not fact.signed_by(newest.issuers, newest.threshold):
                return Finding("unknown-issuer", "manifest of issuers that are not in this policy")
        if isinstance(fact, Succession):
            committed = marks[fact.old].next_key_digest if fact.old in marks else None
            if not fact.honours(committed):
                return Finding("succession-invalid", f"{fact.old.short} committed to another key than {fact.new.short}")
            rivals = [one for one in self._of(Succession) if one.old == fact.old]
            # A thief of the old key can make any number, and must not shut out the one that was committed to.
            if committed is None and len(rivals) >= _MAX_RIVALS:
                return Finding("succession-invalid", f"{len(rivals)} successors of {fact.old.short} are known already")
        return None

    def _overfull(self, fact: Statement) -> Finding | None:
        """Whether there are as many of its kind as may be: so what any stranger can make leaves room for the rest.

        Delegations have shares. Retirements are no more than these and the issuers of the policy: one of an issuer is
        never refused, or it could have its delegates fill all places before it is caught.
        """
        held = len(self._of(type(fact)))
        if isinstance(fact, Delegation | Retirement) or held < MAX_STATEMENTS:
            return None
        return Finding("too-large", f"{held} of the kind {fact.what} are held already")

    def _matters(self, fact: Statement, policy: Policy, signatures: SignatureCache) -> Finding | None:
        """Why a well-signed conflict is of nobody whom an accepted issuer granted anything; dearer than the rest."""
        if not isinstance(fact, Conflict) or fact.kind == "issuer":
            return None
        if fact.kind == "identity":
            # Both must be granted: who has stolen its key alone could take the place of the proof that counts.
            matters = all(endorsed(card, self.authorities(policy), signatures) for card in fact.cards)
        else:
            # By whoever might sign at any time: what a node key did stays done when the issuer ends, before or after.
            roots = {key: policy.limits_of(name) for name, key in policy.issuers.items()}
            ever = authorities(roots, self._of(Delegation))
            matters = any(endorsed(card, ever, signatures) for card in fact.cards)
        if matters:
            return None
        return Finding("unknown-issuer", f"conflict of cards that no issuer of this policy granted ({fact.kind})")


def parse_fact(label: str, raw: bytes) -> Fact:
    """The fact in a block of this label. Raises `CardError`."""
    if label == "REVOCATION LIST":
        return RevocationList.parse(raw)
    if label in DRAFTS:
        raise CardError(DRAFTS[label].invalid, f"a {DRAFTS[label].what} draft, which not all have signed")
    if label not in KINDS:
        raise CardError("armor-invalid", f"a block {label[:40]!r}; one of REVOCATION LIST, {', '.join(KINDS)} expected")
    return KINDS[label].parse(raw)


__all__ = ["BUILD_TIME", "KINDS", "Fact", "Facts", "Statement", "parse_fact"]
