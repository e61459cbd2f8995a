"""Keeping: how what a core wants stored becomes what a PeerStore writes, and how what it reads comes back."""

from collections.abc import Iterable, Iterator

from p2pnoise.gossip import effects as gossip
from p2pnoise.store.peer_store import COUNTING, Anchors, Change, Forgotten, PeerChange, PeerStore, Score
from p2pnoise.store.reading import Row

from . import effects as io


def change_of(effect: gossip.Store, now: int) -> Change:
    """What is to be written at `now`, seconds since 1970."""
    match effect:
        case gossip.StoreRevocations(revocations):
            return revocations
        case gossip.StoreStatement(statement):
            return statement
        case gossip.StorePin(pin):
            return pin
        case gossip.StoreAnchors(node_ids):
            return Anchors(node_ids)
        case gossip.StoreScore(node_id, faults, at):
            return Score(node_id, faults, at)
        case gossip.ForgetMarks(identities):
            return Forgotten(identities)
        case gossip.StorePeer(peer):
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


def read_back(store: PeerStore) -> tuple[io.TrustRestored, io.PeersRestored]:
    """What was kept, all at once: trust, and the rows of the table. Raises `StoreError`."""
    return read_trust(store), io.PeersRestored(_peers(store.rows()), anchors=store.anchors())


def read_trust(store: PeerStore) -> io.TrustRestored:
    """What was kept of trust. Raises `StoreError`."""
    return io.TrustRestored((*store.lists(), *store.statements()), store.marks(), store.pins(), store.scores())


def read_first(store: PeerStore) -> io.PeersRestored:
    """The rows that a node begins with: its own, and those of its anchors. Raises `StoreError`."""
    return io.PeersRestored(_peers(store.first_rows()), left=len(store), anchors=store.anchors())


def stored_rows(store: PeerStore, most: int) -> Iterator[io.PeersRestored]:
    """All rows, so many at a time and each portion read when it is asked for. Raises `StoreError`."""
    for rows, left in store.portions(most):
        yield io.PeersRestored(_peers(rows), left=left)


def _peers(rows: Iterable[Row]) -> tuple[io.StoredPeer, ...]:
    return tuple(
        io.StoredPeer(
            row.card,
            row.record,
            row.provenance,
            row.first_seen,
            row.learned_from,
            counted=row.standing in COUNTING,
        )
        for row in rows
    )
