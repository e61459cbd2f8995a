"""Grants: which grants over one body a row keeps. Of each key the highest; those of issuers before their delegates'."""

from collections.abc import Iterable

from cards import Card, CardError, Grant, IssuerId
from cards.card import MAX_GRANTS
from cards.verdict import Weighed


def merged(card: Card, counting: Iterable[Weighed]) -> Card:
    """`card` with those of these grants that one envelope holds; one always fits. All nodes choose alike.

    Of one key the highest serial stays, then the highest attrs digest. Where not all fit, those stay whose keys have
    the fewest steps from an issuer of the policy, then the lowest hint: whoever may delegate has as many keys as it
    likes, and must not crowd out what the issuer itself granted.
    """
    counting = tuple(counting)
    if len(counting) == 1 and card.grants == (counting[0].grant,):  # nearly always
        return card
    best: dict[IssuerId, Grant] = {}
    steps: dict[IssuerId, int] = {}
    for grant, authority, _ in counting:
        key = authority.key
        steps[key] = min(len(authority.steps), steps.get(key, len(authority.steps)))
        if key not in best or grant.rank > best[key].rank:
            best[key] = grant
    return _fitting(card, tuple(best[key] for key in sorted(best, key=lambda key: (steps[key], key.hint, key))))


def renewed(card: Card, counting: Iterable[Weighed]) -> Card:
    """`card` with those of these grants over its body that the same keys have signed since; no other is added."""
    newest = {grant.kid: grant for grant, _, _ in sorted(counting, key=lambda one: one.grant.rank)}
    grants = tuple(max(one, newest.get(one.kid, one), key=lambda grant: grant.rank) for one in card.grants)
    return card.with_grants(grants)


def _fitting(card: Card, grants: tuple[Grant, ...]) -> Card:
    """`card` with as many of `grants`, in their order, as one envelope holds."""
    if grants == card.grants:
        return card
    for count in range(min(len(grants), MAX_GRANTS), 1, -1):
        try:
            fitting = card.with_grants(grants[:count])
            if fitting.raw:
                return fitting
        except CardError:
            continue
    return card.with_grants(grants[:1])
