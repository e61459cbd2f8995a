"""Restoring: a row of our own disk taken back into the table, or, where it counts no longer, what to write of it."""

from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.content import Content
from p2pnoise.gossip.peer import Peer
from p2pnoise.gossip.quotas import over_quota

from .effects import StoredPeer

PASSING = frozenset(("not-yet-valid", "revocation-missing"))  # a clock that is behind yet, a list that peers will bring


def restore(table: PeerTable, stored: StoredPeer, now: int) -> Peer | None:
    """Take this row back if it still counts, at `now`; the row as it is to be written if it has ceased to.

    What ends while a node runs is written as such and forgotten in time (store/peer_store.py); what ended while it was
    down would otherwise stand as it was, be judged at every start, and add up.
    """
    card, own = stored.card, stored.card.node_id == table.own
    verdict = table.restore(
        card,
        now,
        provenance=stored.provenance,
        first_seen=stored.first_seen,
        learned_from=stored.learned_from,
        own=own,
    )
    if table.by_identity(card.identity) is not None:
        if verdict.ok and stored.record is not None:
            table.offer_record(stored.record, now)
        return None
    mark = table.mark(card.identity)
    newer = mark is not None and (mark.sequence, mark.card_id) != (card.sequence, card.card_id)  # is written by now
    if not stored.counted or newer or not PASSING.isdisjoint(finding.code for finding in verdict.errors):
        return None
    # Of what does not count the signatures, too, or nothing may be written.
    verdict = over_quota(card, verdict) if verdict.ok else table.judge(card, now, established=True, own=own)
    if verdict.card is None:
        return None
    return Peer(
        content=Content(verdict, stored.record),
        provenance=stored.provenance,
        first_seen=stored.first_seen,
        learned_from=stored.learned_from,
    )
