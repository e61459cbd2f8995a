"""The file of an issuer's registry: its tables, how it is known and upgraded, and SQLite's complaints as sentences."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cards import IssuerId
from cards.findings import BINDING, MALFORMED

from . import files
from .output import Fault

_APPLICATION = 0x70326E69  # "p2ni", in the header of the file
_VERSION = 5

_SUCCESSIONS = "CREATE TABLE successions (old TEXT PRIMARY KEY, new TEXT NOT NULL)"
_JOINS = (
    """CREATE TABLE tokens (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, psk TEXT, proof TEXT, made_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL, name TEXT, identity TEXT, group_names TEXT NOT NULL, lifetime INTEGER NOT NULL,
    approve INTEGER NOT NULL, spent_by TEXT, spent_at INTEGER
)""",
    """CREATE TABLE requests (
    token TEXT PRIMARY KEY, card TEXT NOT NULL, source TEXT NOT NULL, arrived_at INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT
)""",
    "CREATE TABLE granted_cards (card_id TEXT PRIMARY KEY, serial INTEGER NOT NULL, card TEXT NOT NULL)",
    "CREATE TABLE desk (node_id TEXT NOT NULL, addresses TEXT NOT NULL)",
)

# Keys as their text forms and digests in hex: the file is read by people, with any SQLite tool.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE issuer (key TEXT NOT NULL, network TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE grants (
    serial INTEGER PRIMARY KEY,
    identity TEXT NOT NULL, node_id TEXT NOT NULL, card_id TEXT NOT NULL,
    name TEXT, sequence INTEGER NOT NULL, position TEXT NOT NULL, group_names TEXT NOT NULL,
    issued_at INTEGER NOT NULL, not_after INTEGER NOT NULL, next_key TEXT, final INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX grants_identity ON grants (identity);
CREATE INDEX grants_node_id ON grants (node_id);
CREATE INDEX grants_card_id ON grants (card_id);
CREATE INDEX grants_name ON grants (name);
CREATE TABLE revocations (
    subject TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, until INTEGER NOT NULL
);
{_SUCCESSIONS};
{";".join(_JOINS)};
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""

_UPGRADES = {  # from each version to the next
    1: ("ALTER TABLE grants ADD COLUMN next_key TEXT",),
    2: (_SUCCESSIONS,),
    3: _JOINS,
    4: ("ALTER TABLE grants ADD COLUMN final INTEGER NOT NULL DEFAULT 0",),
}

RESTORE = "restore it from your backup of this folder"


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def check(path: Path, connection: sqlite3.Connection, key: IssuerId, network: str, *, whole: bool) -> None:
    """Raises `Fault` unless this is a registry of this issuer and version, and where asked for, `whole`."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _version(connection)
    if application != _APPLICATION:
        raise Fault(f"{path} is a database, but no registry", RESTORE, code=MALFORMED)
    if not 1 <= version <= _VERSION:
        raise Fault(f"{path} has version {version}, we speak {_VERSION}", "upgrade this software", code=MALFORMED)
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if whole else "ok"
    if problem != "ok":
        raise Fault(f"{path} is damaged: {problem}", RESTORE, code=MALFORMED)
    if connection.execute("SELECT key, network FROM issuer").fetchall() != [(str(key), network)]:
        raise Fault(f"{path} belongs to another issuer", RESTORE, code=BINDING)


def upgrade(path: Path, connection: sqlite3.Connection) -> None:
    """From an older version to ours, in place, after a copy was laid aside."""
    if _version(connection) == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    found = _version(connection)
    if found < _VERSION:  # of two commands at once the second finds it done
        files.write(path.with_name(f"{path.name}.v{found}"), path.read_bytes(), secret=True, force=True)
        for version in range(found, _VERSION):
            for statement in _UPGRADES[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """What SQLite says, as a `Fault` that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Fault(f"{path} is in use by another command", "run it again when that has ended") from None
        raise Fault(f"{path}: {error}", "make sure that it can be read and written, and that there is space") from None
    except sqlite3.DatabaseError as error:
        raise Fault(f"{path} is damaged or no registry: {error}", RESTORE, code=MALFORMED) from None
