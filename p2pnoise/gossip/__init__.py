"""Gossip: how tables of verified peers and revocation lists spread. Messages in, effects out; no I/O."""

from .company import CROWDS, Rank
from .networks import network_of
from .overlay import Overlay
from .peer import Peer
from .table import PeerTable
from .views import Views

__all__ = ["CROWDS", "Overlay", "Peer", "PeerTable", "Rank", "Views", "network_of"]
