"""Shares: which delegations have no place, where one signer or one issuer of a policy has made more than it may.

It is the same whatever came first, or nodes would offer one another for ever what each of them has no place for.
"""

from collections.abc import Collection, Iterator, Mapping

from .delegation import Delegation
from .keys import IssuerId

MAX_DELEGATIONS = 100  # of one issuer or delegate; a guess


def crowded_out(delegations: Collection[Delegation], roots: Mapping[IssuerId, int], share: int) -> set[bytes]:
    """The digests of those beyond what each signer may have, and each root with all that hangs on it: its `share`.

    Of each root it is said how many steps there may be from it. Those stay that are the fewest steps from the root, so
    that no delegate of it crowds out what it says itself; of these those that end last. What hangs on none of these
    roots is none of their affair.
    """
    if len(delegations) <= min(share, MAX_DELEGATIONS):  # nearly always
        return set()
    by_issuer: dict[bytes, list[Delegation]] = {}
    for one in sorted(delegations, key=_last_first):
        by_issuer.setdefault(one.issuer, []).append(one)
    hanging = {one.digest for root in roots for one in _hanging_on(root, by_issuer)}
    return hanging.difference(*(_with_a_place(root, steps, by_issuer, share) for root, steps in roots.items()))


def _hanging_on(root: bytes, by_issuer: Mapping[bytes, list[Delegation]]) -> Iterator[Delegation]:
    """All by this key, and by those whom they name, in turn."""
    keys = {root: None}
    waiting = [root]
    for key in waiting:  # which grows
        yield from by_issuer.get(key, ())
        new = [one.key for one in by_issuer.get(key, ()) if one.key not in keys]
        keys |= dict.fromkeys(new)
        waiting += dict.fromkeys(new)


def _with_a_place(root: bytes, steps: int, by_issuer: Mapping[bytes, list[Delegation]], share: int) -> set[bytes]:
    """The digests of those that keep theirs, the nearest to this root first, as far as each key may delegate."""
    found: set[bytes] = set()
    left = {root: steps}  # that a key may have after it
    signers = [root]
    while signers:
        near = [one for key in signers if left[key] > 0 for one in by_issuer.get(key, ())[:MAX_DELEGATIONS]]
        further: dict[bytes, int] = {}
        for one in sorted(near, key=_last_first):
            if len(found) >= share and one.digest not in found:
                continue
            found.add(one.digest)
            more = min(left[one.issuer] - 1, one.limits.depth)
            if more > max(left.get(one.key, -1), further.get(one.key, -1)):
                further[one.key] = more
        left |= further
        signers = list(further)
    return found


def _last_first(delegation: Delegation) -> tuple[int, bytes]:
    """By this a delegation that is made anew every month does not lose to its elders."""
    return -delegation.limits.not_after, delegation.digest
