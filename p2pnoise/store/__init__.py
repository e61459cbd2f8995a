"""Store: one SQLite file per node that keeps what must not be lost: cards, marks, records, revocations."""

from .errors import StoreError
from .peer_store import PeerStore, Row, read_rows

__all__ = ["PeerStore", "Row", "StoreError", "read_rows"]
