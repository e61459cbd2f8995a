"""Grants: which grants over one body a row keeps, as many as one envelope holds; no root has another's put out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cards import Card, Grant, IssuerId
from cards.card import MAX_CARD, MAX_GRANTS
from cards.codec import encode
from cards.verdict import Weighed


@dataclass(slots=True)
class _Signer:
    """A key that may sign: in how few steps, and for which roots."""

    steps: int
    roots: set[bytes] = field(default_factory=set)


def merged(card: Card, counting: Iterable[Weighed], issuers: int) -> Card:
    """`card` with those of these grants that one envelope holds, where the policy names so many issuers.

    They stand in one order: by the steps from an issuer, since whoever may delegate has as many keys as it likes, by
    hint and key, of one key the newest first. The room beside the body is shared by as many roots as the policy names,
    at most four: of each the first grant that fits its share stays, whatever others grant. Then, in that order, of each
    other key the first for which there is room left; last, beside one that stays for its size, a newer one of its key,
    or whoever is granted more would be out when the old one ends. All but the shares goes by one order and forgets
    nothing before it, so nodes that offer one another what they keep end up with the same.
    """
    counting = tuple(counting)
    if len(counting) == 1 and card.grants == (counting[0].grant,):  # nearly always
        return card
    signers: dict[IssuerId, _Signer] = {}
    signed: dict[bytes, tuple[IssuerId, Grant]] = {}
    for grant, authority, _ in counting:
        signer = signers.setdefault(authority.key, _Signer(len(authority.steps)))
        signer.steps = min(signer.steps, len(authority.steps))
        signer.roots.add(bytes(authority.root))
        signed[grant.signature] = authority.key, grant
    newest = sorted(signed.values(), key=lambda one: one[1].rank, reverse=True)
    ordered = sorted(newest, key=lambda one: (signers[one[0]].steps, one[0].hint, one[0]))
    room = MAX_CARD - len(card.with_grants(()).raw)
    shares = min(MAX_GRANTS, max(1, issuers))
    small = [(key, grant) for key, grant in ordered if _size(grant) <= room // shares]
    kept: list[Grant] = []
    sized: dict[IssuerId, Grant] = {}  # those that stay for their size
    roots = {root for key, _ in small for root in signers[key].roots}
    # Where there are more roots than places, no key of an issuer is the lowest for every member.
    for root in sorted(roots, key=lambda one: hashlib.blake2b(card.identity + one, digest_size=16).digest())[:shares]:
        key, grant = next(one for one in small if root in signers[one[0]].roots)
        if key not in sized:
            sized[key] = grant
            kept.append(grant)
    keys: set[IssuerId] = set()  # that have all that they may have
    for key, grant in sorted(ordered, key=lambda one: one[0] in sized):
        newer = key not in sized or grant.rank > sized[key].rank
        if newer and key not in keys and len(kept) < MAX_GRANTS and sum(map(_size, (*kept, grant))) <= room:
            keys.add(key)
            kept.append(grant)
    grants = tuple(grant for _, grant in ordered if grant in kept)
    return card if grants == card.grants else card.with_grants(grants)


def renewed(card: Card, counting: Iterable[Weighed]) -> Card:
    """`card` with those of these grants over its body that the same keys have signed since; no other is added.

    Of a key that has two there, one takes the place of both.
    """
    newest = {grant.kid: grant for grant, _, _ in sorted(counting, key=lambda one: one.grant.rank)}
    grants = (max(one, newest.get(one.kid, one), key=lambda grant: grant.rank) for one in card.grants)
    return card.with_grants(tuple(dict.fromkeys(grants)))


def _size(grant: Grant) -> int:
    """Its bytes in an envelope."""
    return len(encode(grant.parts))
