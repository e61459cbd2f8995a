"""Weighing: what became of a card and an address record that a table was offered, in a word."""

from collections.abc import Mapping

from cards import AddressRecord, Card
from p2pnoise.gossip.peer import Peer
from p2pnoise.gossip.table import PeerTable
from p2pnoise.store import Row as StoredRow

from .peer_file import Row

__all__ = ["CHANGED", "FULL", "KNOWN", "NEW", "claims", "is_held", "outcome"]

NEW, CHANGED, KNOWN = "new", "changed", "known"
FULL = "table-full"  # beside the codes of findings, which are what keeps others out


def claims(row: Row) -> tuple[Card, AddressRecord | None]:
    """What a row says. Raises `CardError`."""
    return Card.parse(row.card), AddressRecord.parse(row.record) if row.record else None


def is_held(card: Card, record: AddressRecord | None, held: Peer | StoredRow | None) -> bool:
    """Whether a row has just this already, to the byte: then there is nothing to judge."""
    if held is None or held.card.raw != card.raw:
        return False
    return record is None or (held.record is not None and held.record.raw == record.raw)


def outcome(card: Card, table: PeerTable, before: Mapping[bytes, Peer | None], now: int) -> str:
    """Of a card that `table` was offered, whose rows were `before`, by identity; a code where it was refused."""
    was, held = before[bytes(card.identity)], table.by_identity(card.identity)
    if held is not was:
        return NEW if was is None else CHANGED
    if card.node_id == table.own or (held is not None and held.card.card_id == card.card_id):
        return KNOWN
    verdict = table.judge(card, now)
    if not verdict.ok:
        return verdict.errors[0].code
    return next((finding.code for finding in verdict.findings if finding.code == "first-use"), FULL)
