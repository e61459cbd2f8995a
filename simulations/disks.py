"""Disks: what a simulated node finds again when it starts anew. In memory; files.py has disks that are SQLite."""

from collections.abc import Sequence
from typing import Protocol

from cards import Fact, Mark, NodeId, Pin
from p2pnoise.gossip import effects as gossip
from p2pnoise.gossip.peer import Peer
from p2pnoise.node import effects as io


class DiskError(Exception):
    """The disk of a simulated node cannot be read or written; the node cannot go on. A sentence, as the daemon says it.

    The disk may be opened again.
    """


class Disk(Protocol):
    """What outlives a node."""

    def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        """What was kept. Raises `DiskError`."""
        ...

    def keep(self, changes: Sequence[gossip.Store]) -> None:
        """Keep these together. Raises `DiskError`."""
        ...


class MemoryDisk:
    """Keeps everything, at once and in order."""

    def __init__(self) -> None:
        self._peers: dict[bytes, Peer] = {}  # by identity key; whoever ceased to count stays, as in the database
        self._revocations: gossip.StoreRevocations | None = None
        self._statements: dict[bytes, Fact] = {}
        self._pins: dict[str, Pin] = {}
        self._anchors: tuple[NodeId, ...] = ()
        self._scores: dict[NodeId, tuple[float, int]] = {}

    def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        held = self._revocations.revocations.by_issuer.values() if self._revocations is not None else ()
        lists = [one for state in held for one in state.lists]
        marks = {
            identity: Mark(peer.card.sequence, peer.card.card_id, peer.card.next_key_digest)
            for identity, peer in self._peers.items()
        }
        pins = {name: pin.identity for name, pin in self._pins.items() if pin.identity is not None}
        rows = tuple(
            io.StoredPeer(
                peer.card,
                peer.record,
                peer.provenance,
                peer.first_seen,
                peer.learned_from,
                counted=peer.verdict.ok,
            )
            for peer in self._peers.values()
        )
        trust = io.TrustRestored((*lists, *self._statements.values()), marks, pins, self._scores)
        return trust, io.PeersRestored(rows, anchors=self._anchors)

    def keep(self, changes: Sequence[gossip.Store]) -> None:
        for change in changes:
            match change:
                case gossip.StorePeer(peer):
                    self._peers[peer.content.card.identity] = peer
                case gossip.StoreRevocations():
                    self._revocations = change
                case gossip.StoreStatement(statement):
                    self._statements[statement.digest] = statement
                case gossip.StorePin(pin):
                    self._pins[pin.name] = pin
                case gossip.StoreAnchors(node_ids):
                    self._anchors = node_ids
                case gossip.StoreScore(node_id, faults, at):
                    self._scores.pop(node_id, None)  # the oldest first, as the database gives them back
                    if faults:
                        self._scores[node_id] = faults, at
                case gossip.ForgetMarks(identities):
                    for identity in identities:
                        self._peers.pop(identity, None)  # a mark is that of a row here
