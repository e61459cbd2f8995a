"""Store: one SQLite file per node that keeps what must not be lost: cards, marks, records, revocations."""

from .errors import StoreError
from .peer_store import PeerStore, hand_over
from .reading import Row, StoredTable, read_table

__all__ = ["PeerStore", "Row", "StoreError", "StoredTable", "hand_over", "read_table"]
