"""Granting: what an issuer looks at before it signs, the signature, and what is kept of it, each step by itself.

A number is kept before anything is signed with it, and what was signed before anybody sees it.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cards import Card, IdentityId, Policy, SignatureCache, Succession, grant, verify_card
from cards.card import Mark
from cards.facts import Statement
from cards.findings import BAD_SIGNATURE

from . import documents
from .folders import Issuer
from .output import Fault
from .powers import Powers
from .registry import Granted


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request that may be granted, and how. `handed` are the steps by which others handed over to its identity."""

    card: Card
    groups: Sequence[str]
    lifetime: int
    now: int
    handed: tuple[Succession, ...] = ()
    signatures: SignatureCache | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A card that was just granted, what is on record of that, and the grant before it; how its identity came to it."""

    card: Card
    record: Granted
    before: Granted | None
    handed: tuple[Succession, ...]

    @property
    def taken_over(self) -> Granted | None:
        """The last grant to the identity whose place it takes, where it does so now."""
        return self.before if self.before is not None and self.before.identity != self.record.identity else None


def issue_card(
    document: documents.Document, issuer: Issuer, powers: Powers, *, now: int, lifetime: int, groups: Sequence[str]
) -> Issued:
    """Grant the one card of a document, which is on record when this returns. Raises `Fault` or `CardError`."""
    wish = examine(document, issuer, powers, now=now, lifetime=lifetime, groups=groups)
    serial, before = issuer.registry.reserve_serial(wish.card, wish.handed)
    issued = sign(wish, issuer, serial, before)
    # Kept before anybody sees it: what is out there can always be found and revoked.
    issuer.registry.record(issued.record, wish.card, wish.handed)
    return issued


def examine(
    document: documents.Document,
    issuer: Issuer,
    powers: Powers,
    *,
    now: int,
    lifetime: int,
    groups: Sequence[str],
    signatures: SignatureCache | None = None,
) -> Wish:
    """The one card of a document, if this issuer may grant it; nothing is written. Raises `Fault` or `CardError`."""
    card = document.card
    powers.check_alive()
    _check_request(card, issuer, now, signatures)
    handed = handed_over(card.identity, (*document.statements, *powers.document.statements), issuer, now)
    powers.check_grant(card, groups=groups, now=now, lifetime=lifetime)
    return Wish(
        card=card,
        groups=groups,
        lifetime=lifetime,
        now=now,
        handed=handed,
        signatures=signatures,
    )


def sign(wish: Wish, issuer: Issuer, serial: int, before: Granted | None) -> Issued:
    """The card with its grant; the position of the grant before stays. Raises `CardError`, or `Fault` of a signer."""
    card = wish.card
    granted = grant(
        issuer.key,
        card,
        serial=serial,
        now=wish.now,
        entropy=os.urandom,
        lifetime=wish.lifetime,
        groups=wish.groups,
        position=bytes.fromhex(before.position) if before else None,
        signatures=wish.signatures,
    )
    new = next(one for one in granted.grants if one.serial == serial and one.kid == issuer.key.public.hint)
    record = Granted(
        serial=serial,
        identity=str(card.identity),
        node_id=str(card.node_id),
        card_id=card.card_id.hex(),
        name=card.name,
        sequence=card.sequence,
        position=new.position.hex(),
        group_names=" ".join(new.groups),
        issued_at=wish.now,
        not_after=new.not_after,
        next_key=card.next_key_digest.hex() if card.next_key_digest else None,
    )
    return Issued(granted, record, before, wish.handed)


def handed_over(
    identity: IdentityId, statements: Iterable[Statement], issuer: Issuer, now: int
) -> tuple[Succession, ...]:
    """The steps by which other identities have handed over to this one, the last step first. Raises `Fault`."""
    known = dict.fromkeys(one for one in statements if isinstance(one, Succession))
    heirs, steps = [identity], []
    for heir in heirs:
        for one in known:
            if one.new == heir and one.old not in heirs:
                _check_step(one, issuer, now)
                heirs.append(one.old)
                steps.append(one)
    return tuple(steps)


def _check_step(one: Succession, issuer: Issuer, now: int) -> None:
    finding = one.check(network=issuer.network, now=now, leeway=Policy(network=issuer.network).leeway)
    if finding is not None:
        raise Fault(f"NOT GRANTED  {one.new.short}", code=finding.exit, findings=(finding,))
    last = issuer.registry.newest_card(one.old)
    if not one.honours(bytes.fromhex(last.next_key) if last is not None and last.next_key else None):
        fix = "the old identity committed to another key: rotate to that one, or ask its owner in person"
        raise Fault(f"NOT GRANTED  {one.new.short} is not the successor of {one.old.short}", fix, code=BAD_SIGNATURE)


def _check_request(card: Card, issuer: Issuer, now: int, signatures: SignatureCache | None) -> None:
    """Raises `Fault` unless both keys signed, for this network, and nothing newer was granted."""
    last = issuer.registry.newest_card(card.identity)
    mark = Mark(last.sequence, bytes.fromhex(last.card_id)) if last else None
    verdict = verify_card(card, policy=Policy(network=issuer.network), now=now, mark=mark, signatures=signatures)
    if verdict.level != "known":
        # That nobody granted it yet is why it is here.
        findings = tuple(one for one in verdict.findings if one.code not in ("threshold", "unknown-issuer"))
        code = replace(verdict, findings=findings).exit_code
        raise Fault(f"NOT GRANTED  {card.label}", code=code, findings=findings)
