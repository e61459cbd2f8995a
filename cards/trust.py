"""TrustStore: a policy, the facts it weighs, pins and marks, as one value; what a change would do, and the change.

A change is planned and made by the same means: `changed` gives another store, or a finding and the same one. Whoever
holds a store replaces it whole, so that nobody ever sees half a change.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from .card import Card, Mark
from .facts import Fact, Facts
from .findings import CardError, Finding
from .keys import IdentityId, NodeId
from .policy import Policy
from .statements import SignatureCache
from .verdict import Verdict
from .verification import MAX_PINS, verify_card


class Pin(NamedTuple):
    """A name belongs to this identity; to none any more, where it is None."""

    name: str
    identity: IdentityId | None


Change: TypeAlias = Fact | Policy | Pin


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to one card."""

    card: Card
    before: Verdict
    after: Verdict
    live: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would do: the cards whose level or grants it changes, or the finding for which it is refused."""

    effects: tuple[Effect, ...]
    finding: Finding | None

    @property
    def drops(self) -> tuple[Effect, ...]:
        """The cards that would no longer count."""
        return tuple(effect for effect in self.effects if effect.before.ok and not effect.after.ok)


@dataclass(frozen=True, kw_only=True)
class TrustStore:
    """All that a verdict depends on beside the card and the time. A value."""

    policy: Policy
    facts: Facts = field(default_factory=Facts)
    pins: Mapping[str, IdentityId] = field(default_factory=dict)
    marks: Mapping[bytes, Mark] = field(default_factory=dict)  # by identity key

    def verify(
        self,
        raw: bytes | Card,
        now: int,
        *,
        peer_static: bytes | None = None,
        established: bool = False,
        signatures: SignatureCache | None = None,
    ) -> Verdict:
        """`verify_card` with everything that is known here."""
        try:
            card = raw if isinstance(raw, Card) else Card.parse(raw)
        except CardError as error:
            return Verdict(level="reject", findings=(error.finding,))
        return verify_card(
            card,
            policy=self.policy,
            now=now,
            peer_static=peer_static,
            facts=self.facts,
            pins=self.pins,
            mark=self.marks.get(card.identity),
            marks=self.marks,
            established=established,
            signatures=signatures,
        )

    def changed(
        self, change: Change, now: int, signatures: SignatureCache | None = None
    ) -> tuple["TrustStore", Finding | None]:
        """The store after one change; the same one, and why, where it is refused."""
        match change:
            case Policy():
                if change.network != self.policy.network:
                    text = f"policy for network {change.network}, ours is {self.policy.network}"
                    return self, Finding("wrong-network", text)
                return replace(self, policy=change), None
            case Pin(name, IdentityId() as identity):
                if len(self.pins) >= MAX_PINS and name not in self.pins:
                    return self, Finding("too-large", f"{len(self.pins)} names are pinned, at most {MAX_PINS}")
                return replace(self, pins={**self.pins, name: identity}), None
            case Pin(name):
                return replace(self, pins={key: held for key, held in self.pins.items() if key != name}), None
            case _:
                facts, finding = self.facts.add(
                    change, policy=self.policy, now=now, marks=self.marks, signatures=signatures
                )
                return replace(self, facts=facts), finding

    def plan(self, change: Change, cards: Iterable[Card], now: int, live: Collection[NodeId] = ()) -> Plan:
        """What `change` would do to these cards; `live` are the Node IDs that we have sessions with."""
        after, finding = self.changed(change, now)
        signatures = SignatureCache()
        effects = []
        for card in cards:
            options = {"established": card.node_id in live, "signatures": signatures}
            old, new = (store.verify(card, now, **options) for store in (self, after))  # type: ignore[arg-type]
            if (old.level, old.groups, old.capabilities) != (new.level, new.groups, new.capabilities):
                effects.append(Effect(card, old, new, card.node_id in live))
        return Plan(tuple(effects), finding)

    def accepted(self, verdict: Verdict) -> "TrustStore":
        """The store after a card that counts was accepted: its sequence number is never gone back from.

        On first use its name is pinned to it.
        """
        card = verdict.claim
        if card is None or not verdict.ok:
            return self
        first = any(finding.code == "first-use" for finding in verdict.findings) and card.name is not None
        pins = {**self.pins, card.name: card.identity} if first and card.name is not None else self.pins
        return replace(self, marks={**self.marks, bytes(card.identity): card.mark}, pins=pins)


class VerdictCache:
    """Verdicts of cards that counted, by their exact bytes, under one policy, one set of facts and pins (P5).

    A verdict holds from when it was made until the nearest end, and for one mark, peer key and standing. At most
    `limit` are kept, for about 2 KiB each.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._verdicts: OrderedDict[tuple[bytes, bytes | None, bool], tuple[Verdict, int, Mark | None]] = OrderedDict()
        self._limit = limit
        self._under: tuple[object, ...] = ()

    def verify(
        self,
        store: TrustStore,
        raw: bytes,
        now: int,
        *,
        peer_static: bytes | None = None,
        established: bool = False,
        signatures: SignatureCache | None = None,
    ) -> Verdict:
        """As `TrustStore.verify`, which is asked where nothing is known."""
        under = (store.policy, store.facts, store.pins)
        if len(self._under) != len(under) or any(
            one is not other for one, other in zip(self._under, under, strict=True)
        ):
            self._verdicts.clear()
            self._under = under
        key = (raw, peer_static, established)
        known = self._verdicts.get(key)
        if known is not None:
            verdict, since, mark = known
            claim = verdict.claim
            if since <= now < verdict.valid_until and claim is not None and store.marks.get(claim.identity) == mark:
                return verdict
        verdict = store.verify(raw, now, peer_static=peer_static, established=established, signatures=signatures)
        # A pinned one may hang on the marks of others, too.
        if verdict.level == "verified" and verdict.claim is not None:
            self._verdicts[key] = verdict, now, store.marks.get(verdict.claim.identity)
            if len(self._verdicts) > self._limit:
                self._verdicts.popitem(last=False)
        return verdict
