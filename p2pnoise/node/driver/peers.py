"""Peers: what an application sees of the table, as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cards import Address, Card, NodeId
from p2pnoise import gossip
from p2pnoise.node.core import NodeCore
from p2pnoise.node.link import Stage

__all__ = ["Peer", "PeerRef", "known_peers", "peer_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node whose card counts, as known at one moment.

    `name`, `groups` and `capabilities` are what its issuers granted it under our policy; `addresses` where it says that
    it can be dialled; `linked` whether a link to it stood.
    """

    node_id: NodeId
    name: str | None
    groups: tuple[str, ...]
    capabilities: tuple[str, ...]
    card: Card
    addresses: tuple[Address, ...]
    linked: bool

    def __str__(self) -> str:
        return f"{self.name} {self.node_id.short}" if self.name else self.node_id.short


PeerRef: TypeAlias = Peer | NodeId | str
"""How an application names a peer: as a `Peer`, a `NodeId`, `node1...`, `node1...@host:port`, or by its name."""


def peer_value(core: NodeCore, node_id: NodeId) -> Peer | None:
    """What is known of this node; None where its card does not count, or not any more."""
    row = core.table.by_node(node_id)
    return _value(row, linked=node_id in _linked(core)) if row is not None else None


def known_peers(core: NodeCore) -> Iterator[Peer]:
    """All of the table but ourselves."""
    linked = _linked(core)
    for row in core.table:
        if row.node_id != core.node_id:
            yield _value(row, linked=row.node_id in linked)


def _linked(core: NodeCore) -> set[NodeId | None]:
    return {link.node_id for link in core.links.all.values() if link.stage is Stage.UP}


def _value(row: gossip.Peer, *, linked: bool) -> Peer:
    return Peer(
        node_id=row.node_id,
        name=row.verdict.name,
        groups=row.verdict.groups,
        capabilities=row.verdict.capabilities,
        card=row.card,
        addresses=row.record.addresses if row.record is not None else (),
        linked=linked,
    )
