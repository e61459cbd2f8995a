"""Delegation: an issuer lets another key sign for it, within limits that every step can only narrow.

An `Authority` is a key that may sign, the root issuer of the policy for which it counts, and the limits of every step
in between. All of them must allow a grant, so no step needs to be compared with the one before.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, cast

from . import fields
from .card import Card, Grant
from .codec import MAX_INT
from .fields import Field
from .findings import CardError
from .keys import IssuerId
from .limits import MAX_DEPTH, MAX_NAMES, Limits, pattern
from .signed import Signed
from .statements import CARD_APP, DELEGATION, SignatureCache, frame

MAX_AUTHORITIES = 1_000  # ways from one root to whoever signs: delegates of delegates multiply
MAX_WAYS = 16  # of them to one key; a guess: a verdict weighs each, 900 of them in 12 ms


@dataclass(frozen=True, kw_only=True, eq=False)
class Delegation(Signed):
    """An issuer lets another key sign within limits, from `not_before` until just before `not_after`."""

    what: ClassVar = "delegation"
    label: ClassVar = "DELEGATION"
    context: ClassVar = DELEGATION
    invalid: ClassVar = "delegation-invalid"
    table: ClassVar[Mapping[str, Field]] = {
        "iss": Field(fields.key(IssuerId)),
        "key": Field(fields.key(IssuerId)),
        "name": Field(fields.array(pattern, MAX_NAMES, ordered=True), required=False),
        "grp": Field(fields.array(fields.name(32), MAX_NAMES, ordered=True), required=False),
        "ttl": Field(fields.counter, required=False),
        "path": Field(fields.integer),
        "nbf": Field(fields.integer),
        "exp": Field(fields.integer),
    }

    @property
    def signers(self) -> tuple[bytes, ...]:
        return (self.issuer,)

    def check_values(self) -> None:
        if self.values["path"] >= MAX_DEPTH:
            raise CardError("chain-too-long", f"path {self.values['path']} in a delegation, at most {MAX_DEPTH - 1}")
        if self.issuer == self.key:
            raise CardError("chain-too-long", f"{self.issuer.short} delegates to itself")

    @property
    def issuer(self) -> IssuerId:
        """Who delegates."""
        return cast("IssuerId", self.values["iss"])

    @property
    def key(self) -> IssuerId:
        """Who may sign."""
        return cast("IssuerId", self.values["key"])

    @cached_property
    def limits(self) -> Limits:
        values = self.values
        return Limits(
            names=values.get("name", ()),
            groups=values.get("grp", ()),
            max_lifetime=values.get("ttl", MAX_INT),
            not_before=values["nbf"],
            not_after=values["exp"],
            depth=values["path"],
        )


@dataclass(frozen=True, slots=True)
class Authority:
    """A key that may sign, the root of the policy for which it counts, and every step from there with its limits."""

    key: IssuerId
    root: IssuerId
    steps: tuple[tuple[IssuerId, Limits], ...]

    def delegate(self, delegation: Delegation) -> "Authority | None":
        """Whoever this authority delegates to; None where that would be a step too many, or a circle."""
        too_long = any(len(self.steps) - at > limits.depth for at, (_, limits) in enumerate(self.steps))
        if too_long or delegation.key in (step for step, _ in self.steps):
            return None
        return Authority(delegation.key, self.root, (*self.steps, (delegation.key, delegation.limits)))

    def problem(self, card: Card, grant: Grant, name_of: Callable[[IssuerId], str]) -> str | None:
        """Why this grant is beyond what one of the steps may sign."""
        return next(filter(None, (limits.problem(name_of(who), card, grant) for who, limits in self.steps)), None)


def authorities(roots: Mapping[IssuerId, Limits], delegations: Iterable[Delegation]) -> tuple[Authority, ...]:
    """Everybody who may sign: the roots, and whom they delegated to, in at most `MAX_DEPTH` steps and no circles.

    Delegations beyond that give nothing, nor do more than `MAX_WAYS` from one root to one key: those count that have
    the fewest steps, of equal ones those that end last. Their signatures must have been verified.
    """
    by_issuer: dict[IssuerId, list[Delegation]] = {}
    # Those that end last before others: a delegation that is made anew every month must not lose to its elders.
    for delegation in sorted(delegations, key=lambda one: (-one.limits.not_after, one.digest)):
        by_issuer.setdefault(delegation.issuer, []).append(delegation)
    found: list[Authority] = []
    for key, limits in roots.items():
        # The nearest first, and for each root by itself: one with many delegates crowds out no other issuer.
        below, ways = [Authority(key, key, ((key, limits),))], Counter[IssuerId]()
        for authority in below:  # which grows
            for further in map(authority.delegate, by_issuer.get(authority.key, ())):
                if further is not None and ways[further.key] < MAX_WAYS and len(below) < MAX_AUTHORITIES:
                    ways[further.key] += 1
                    below.append(further)
        found += below
    return tuple(found)


def endorsed(card: Card, by: Iterable[Authority], signatures: SignatureCache) -> bool:
    """Whether one of these did sign a grant of this card, whatever became of it since."""
    keys = {authority.key for authority in by}
    return any(
        key.hint == grant.kid and signatures.verify(key, grant.signature, frame(CARD_APP, card.body, grant.attrs))
        for grant in card.grants
        for key in keys
    )
