"""Keeping: how what a core wants stored becomes what a PeerStore writes, and how what it reads comes back."""

from p2pnoise.gossip.effects import Store, StorePeer, StorePin, StoreRevocations, StoreStatement
from p2pnoise.store.peer_store import Change, PeerChange, PeerStore

from . import effects as io


def change_of(effect: Store, now: int) -> Change:
    """What is to be written at `now`, seconds since 1970."""
    match effect:
        case StoreRevocations(revocations):
            return revocations
        case StoreStatement(statement):
            return statement
        case StorePin(pin):
            return pin
        case StorePeer(peer):
            errors = peer.verdict.errors
            return PeerChange(
                verified=peer.verified,
                record=peer.record,
                standing=errors[0].code if errors else peer.verdict.level,
                provenance=peer.provenance,
                first_seen=peer.first_seen,
                changed=now,
                learned_from=peer.learned_from,
            )


def read_back(store: PeerStore) -> tuple[io.TrustRestored, list[io.StoredPeer]]:
    """What was kept: trust, and the rows of the table. Raises `StoreError`."""
    trust = io.TrustRestored((*store.lists(), *store.statements()), store.marks(), store.pins())
    rows = [
        io.StoredPeer(row.card, row.record, row.provenance, row.first_seen, row.learned_from) for row in store.rows()
    ]
    return trust, rows
