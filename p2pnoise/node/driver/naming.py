"""Naming: whom an application means by a Node ID, a name or an address."""

from difflib import get_close_matches
from typing import NamedTuple

from cards import Address, NodeId
from p2pnoise.config import Bootstrap
from p2pnoise.node.core import NodeCore

from .errors import AmbiguousPeer, UnknownPeer
from .peers import Peer, PeerRef, known_peers, peer_value

__all__ = ["Meant", "find", "where"]

_NODE_ID = 63  # characters of a Node ID's text


class Meant(NamedTuple):
    """A node, and where to dial it first."""

    node_id: NodeId
    address: Address | None = None


def where(peer: PeerRef | Address) -> Address | None:
    """The address, if `peer` is nothing but one. Raises CardError bad-address for a mistyped one."""
    if isinstance(peer, str) and ":" in peer and "@" not in peer:  # no name and no Node ID has a colon
        return Address.parse(peer)
    return peer if isinstance(peer, Address) else None


def find(core: NodeCore, peer: PeerRef) -> Meant:
    """Whom `peer` means.

    Raises UnknownPeer, AmbiguousPeer, and CardError text-invalid or bad-address for a mistyped Node ID or address.
    """
    if isinstance(peer, Peer):
        return Meant(peer.node_id)
    if isinstance(peer, NodeId):
        return Meant(peer)
    if "@" in peer:
        start = Bootstrap.parse(peer)
        if start.node_id is not None:
            return Meant(start.node_id, start.address)
    if peer.startswith("node1") and len(peer) == _NODE_ID:  # before all names, or a name could take its place
        return Meant(NodeId.parse(peer))
    return Meant(_by_name(core, peer))


def _by_name(core: NodeCore, name: str) -> NodeId:
    pinned = core.table.pins.get(name)
    if pinned is not None:
        row = core.table.by_identity(pinned)
        found = peer_value(core, row.node_id) if row is not None else None
        if found is None:
            raise UnknownPeer(f"{name} is pinned to {pinned.short}, of which no node is known", "wait, or unpin it")
        return found.node_id
    peers = list(known_peers(core))
    named = [peer for peer in peers if peer.name == name]
    if len(named) > 1:
        who = ", ".join(str(peer.node_id) for peer in named[:4]) + (", ..." if len(named) > 4 else "")
        raise AmbiguousPeer(
            f"{len(named)} peers are called {name}: {who}", "use the Node ID, or pin the name", tuple(named)
        )
    if not named:
        near = get_close_matches(name, {peer.name for peer in peers if peer.name}, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"p2pnoise peers lists the {len(peers)} known"
        raise UnknownPeer(f"no known peer is called {name[:80]!r}", hint)
    return named[0].node_id
