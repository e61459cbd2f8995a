"""Gossip: how tables of verified peers and revocation lists spread. Messages in, effects out; no I/O."""

from .overlay import Overlay
from .table import Peer, PeerTable
from .views import Views

__all__ = ["Overlay", "Peer", "PeerTable", "Views"]
