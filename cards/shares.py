"""Shares: which delegations have no place, where one signer or one issuer of a policy has made more than it may.

It is the same whatever came first, or nodes would offer one another for ever what each of them has no place for.
"""

from collections.abc import Collection, Iterable, Mapping

from .delegation import Delegation
from .keys import IssuerId

MAX_DELEGATIONS = 100  # of one issuer or delegate; a guess


def crowded_out(delegations: Collection[Delegation], roots: Iterable[IssuerId], share: int) -> set[bytes]:
    """The digests of those beyond what each signer may have, and each root with all that hangs on it: its `share`.

    Those stay that are the fewest steps from the root, so that no delegate of it crowds out what it says itself; of
    these those that end last. What hangs on none of these roots is none of their affair.
    """
    if len(delegations) <= min(share, MAX_DELEGATIONS):  # nearly always
        return set()
    by_issuer: dict[bytes, list[Delegation]] = {}
    for one in delegations:
        by_issuer.setdefault(one.issuer, []).append(one)
    reached: set[bytes] = set()
    kept: set[bytes] = set()
    for root in roots:
        reached |= _reached(root, by_issuer)
        kept |= _reached(root, by_issuer, most=share, each=MAX_DELEGATIONS)
    return reached - kept


def _reached(
    root: IssuerId, by_issuer: Mapping[bytes, list[Delegation]], *, most: int | None = None, each: int | None = None
) -> set[bytes]:
    """The digests of delegations that hang on this root, the nearest first: at most so many, of each signer so many."""
    found: set[bytes] = set()
    known, signers = {root}, [root]
    while signers:
        near = [one for signer in signers for one in sorted(by_issuer.get(signer, ()), key=_last_first)[:each]]
        near = sorted(near, key=_last_first)[: None if most is None else most - len(found)]
        found.update(one.digest for one in near)
        signers = list(dict.fromkeys(one.key for one in near if one.key not in known))
        known.update(signers)
    return found


def _last_first(delegation: Delegation) -> tuple[int, bytes]:
    """By this a delegation that is made anew every month does not lose to its elders."""
    return -delegation.limits.not_after, delegation.digest
