"""Tables of a node's database, made by sqlite-utils; inside a transaction of the caller's."""

import sqlite3

import sqlite_utils

from .schema import CEASED


def create(db: sqlite3.Connection) -> None:
    """All tables, in an empty database."""
    tables = sqlite_utils.Database(db)
    tables.table("meta").create({"name": str, "value": bytes}, pk="name", not_null={"value"})
    tables.table("peers").create(
        {
            "identity": bytes,
            "node_id": bytes,
            "name": str,
            "sequence": int,
            "not_after": int,
            "standing": str,
            "provenance": str,
            "card": bytes,
            "record": bytes,
            "first_seen": int,
            "changed": int,
            "learned_from": bytes,
        },
        pk="identity",
        not_null={"node_id", "sequence", "not_after", "standing", "provenance", "card", "first_seen", "changed"},
    )
    tables.table("peers").create_index(["node_id"])
    tables.table("marks").create(
        {"identity": bytes, "sequence": int, "card_id": bytes, "next_key_digest": bytes},
        pk="identity",
        not_null={"sequence", "card_id"},
    )
    tables.table("lists").create(
        {"issuer": bytes, "place": int, "sequence": int, "raw": bytes},
        pk=("issuer", "place"),
        not_null={"sequence", "raw"},
    )
    _create_statements_and_pins(tables)
    _create_anchors(tables)
    _create_scores(tables)
    _create_index_of_ceased(db)


def upgrade(db: sqlite3.Connection, found: int) -> None:
    """What a database of version `found` lacks."""
    tables = sqlite_utils.Database(db)
    if found < 2:
        db.execute("ALTER TABLE marks ADD COLUMN next_key_digest BLOB")
        _create_statements_and_pins(tables)
    if found < 3:
        _create_anchors(tables)
    _create_scores(tables)
    _create_index_of_ceased(db)


def _create_statements_and_pins(tables: sqlite_utils.Database) -> None:
    """What version 2 has and version 1 had not."""
    tables.table("statements").create(
        {"digest": bytes, "label": str, "raw": bytes}, pk="digest", not_null={"label", "raw"}
    )
    tables.table("pins").create({"name": str, "identity": bytes}, pk="name", not_null={"identity"})


def _create_anchors(tables: sqlite_utils.Database) -> None:
    """What version 3 has besides."""
    tables.table("anchors").create({"place": int, "node_id": bytes}, pk="place", not_null={"node_id"})


def _create_scores(tables: sqlite_utils.Database) -> None:
    """What version 4 has besides."""
    tables.table("scores").create(
        {"node_id": bytes, "faults": float, "at": int}, pk="node_id", not_null={"faults", "at"}
    )


def _create_index_of_ceased(db: sqlite3.Connection) -> None:
    """The same; or all rows would be looked through to find the first of these to go."""
    db.execute(f"CREATE INDEX idx_peers_ceased ON peers (changed) WHERE {CEASED}")
