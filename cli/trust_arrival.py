"""Arrivals: what a node would make of a card that came to it: which known one it replaces, and both verdicts."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cards import Card, NodeKey, TrustStore, Verdict
from p2pnoise.gossip.table import PeerTable

from .output import finding_lines
from .trust_state import Known, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A card that came. `known` is that of the same identity, or of one that has handed over to it, if there is one.

    `taken`: the node's table is another one after it.
    """

    card: Card
    known: Known | None
    before: Verdict | None  # on the known one
    after: Verdict
    taken: bool

    @property
    def replaces(self) -> Known | None:
        """The known card whose place it takes."""
        return self.known if self.taken else None

    def lines(self) -> list[str]:
        card, origin, was = self.card, "new here", "unknown"
        word = "admits" if self.after.ok else "refuses"
        if self.known is not None and self.before is not None:
            origin, was = self.known.origin, verdict_text(self.before)
            word = "refuses" if not self.after.ok else "replaces" if self.replaces else "keeps"
        lines = [f"{word:<8}  {card.label}  {card.node_id.short}  {origin}  {was} -> {verdict_text(self.after)}"]
        old = self.replaces.card if self.replaces is not None else None
        if old is not None and old.card_id == card.card_id:
            lines.append(f"  the same card, sequence {card.sequence}, with other app signatures")
        elif old is not None:
            owner = "" if old.identity == card.identity else f"{old.identity.short}, which hands over, "
            lines.append(f"  in place of {owner}sequence {old.sequence}, {old.node_id.short}, comes {card.sequence}")
        return [*lines, *finding_lines(self.after.findings)]

    def to_json(self) -> dict[str, Any]:
        old = self.replaces.card if self.replaces is not None else None
        return {
            **_about(self.card),
            "name": self.card.name,
            "replaces": _about(old) if old is not None else None,
            "before": verdict_json(self.before) if self.before is not None else None,
            "after": verdict_json(self.after),
        }


def arrivals(cards: Iterable[Card], before: Trust, after: TrustStore, now: int) -> tuple[Arrival, ...]:
    """What the node's own table says of these cards, one after the other, with all else in force already."""
    own = next((one.card for one in before.known if one.own), None)
    node = own.node_id if own is not None else NodeKey.generate(os.urandom).public  # without a card it is nobody yet
    table = PeerTable(after.policy, own=node, signatures=before.signatures)
    table.facts, table.pins = after.facts, after.pins
    for identity, mark in after.marks.items():
        table.restore_mark(identity, mark)
    found = []
    for card in cards:
        # Alone those that it may meet: of the same identity, or of the same node.
        for one in before.known:
            if card.identity == one.card.identity or card.node_id == one.card.node_id:
                table.restore(one.card, now, provenance="live", first_seen=now, learned_from=b"", own=one.own)
        known = next((one for one in before.known if _follows(card, one.card, after)), None)
        old = before.store.verify(known.card, now, established=True, signatures=before.signatures) if known else None
        mine = own is not None and card.identity == own.identity
        verdict, row = table.offer_card(card, now, source=b"", live=True, own=mine)
        table.pin(verdict)
        if not verdict.ok:
            verdict = table.judge(card, now, own=mine)  # again, for all that is wrong with it
        found.append(Arrival(card=card, known=known, before=old, after=verdict, taken=row is not None))
    return tuple(found)


def verdict_text(verdict: Verdict) -> str:
    """The level and what is granted."""
    granted = (*(f"+{group}" for group in verdict.groups), *(f"+cap:{name}" for name in verdict.capabilities))
    return " ".join((verdict.level, *granted))


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "level": verdict.level,
        "groups": list(verdict.groups),
        "capabilities": list(verdict.capabilities),
        "findings": [finding.to_json() for finding in verdict.findings],
    }


def _follows(card: Card, old: Card, store: TrustStore) -> bool:
    """Whether both are of one identity, or the old one's has handed over to the other's."""
    return card.identity in {old.identity, *store.facts.heirs(old.identity, old.next_key_digest)}


def _about(card: Card) -> dict[str, Any]:
    return {
        "card_id": card.card_id.hex(),
        "identity": str(card.identity),
        "node_id": str(card.node_id),
        "sequence": card.sequence,
    }
