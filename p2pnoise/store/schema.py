"""Schema: the tables of a node's database, made by sqlite-utils, and how a file is recognised as ours."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import sqlite_utils

from .errors import StoreError

APPLICATION_ID = 0x70326E31  # "p2n1": tells our files from other SQLite files
VERSION = 3  # of the schema, in user_version; a newer one is refused, an older one is upgraded in place

MOVE_ASIDE = "move it aside; the node learns the network again from its peers, but start it with --bootstrap"


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """An open connection to a database of this schema, made where there is none. Raises `StoreError`."""
    try:
        if read_only and (not path.exists() or path.stat().st_size == 0):
            raise _none(path)
        if not read_only and not path.exists():
            path.touch(mode=0o600)  # who is linked with whom is nobody else's business
        target = _read_only(path) if read_only else str(path)
        # One thread at a time uses it: the driver's, handed from worker to worker.
        db = sqlite3.connect(target, uri=read_only, check_same_thread=False, isolation_level=None, timeout=5)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: cannot be opened: {error}", "check the path and its permissions") from None
    try:
        _check_ours(db, path)  # before anything is changed: a foreign file stays as it is
        if not read_only:
            db.execute("PRAGMA journal_mode=WAL")
            # A commit that was answered survives a power cut: marks and revocations may never go back.
            db.execute("PRAGMA synchronous=FULL")
            _create(db)
        elif _empty(db):
            raise _none(path)
        _check_sound(db, path)
        if not read_only:
            _upgrade(db, path)
    except UnicodeDecodeError:  # what SQLite would say quotes what is broken
        db.close()
        raise StoreError(f"{path}: damaged: its schema cannot be read", MOVE_ASIDE) from None
    except sqlite3.Error as error:
        db.close()
        raise _explain(error, path) from None
    except StoreError:
        db.close()
        raise
    return db


def _read_only(path: Path) -> str:
    """The address under which SQLite opens `path` for reading alone, whatever characters it has."""
    # Where no file may be made beside it, SQLite reads only what it may take for unchanging; then nobody writes there
    # in our name either, and with no log left behind the one file is all there is.
    alone = not path.with_name(f"{path.name}-wal").exists() and not os.access(path.parent, os.W_OK)
    return f"{path.absolute().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"


def _none(path: Path) -> StoreError:
    return StoreError(f"{path}: there is no node database", "start the node once: p2pnoise run")


def _empty(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever put into it: new, or its maker was killed before the first transaction."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (count,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(application == count == 0)


def _create(db: sqlite3.Connection) -> None:
    """Make the tables of an empty database, all or none of them."""
    if not _empty(db):
        return
    tables = sqlite_utils.Database(db)
    with db:
        db.execute("BEGIN IMMEDIATE")
        if not _empty(db):
            return  # another process was faster
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
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")


def _create_statements_and_pins(tables: sqlite_utils.Database) -> None:
    """What version 2 has and version 1 had not."""
    tables.table("statements").create(
        {"digest": bytes, "label": str, "raw": bytes}, pk="digest", not_null={"label", "raw"}
    )
    tables.table("pins").create({"name": str, "identity": bytes}, pk="name", not_null={"identity"})


def _create_anchors(tables: sqlite_utils.Database) -> None:
    """What version 3 has besides."""
    tables.table("anchors").create({"place": int, "node_id": bytes}, pk="place", not_null={"node_id"})


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Bring an older database to this version, all or nothing; the file as it was stays beside it."""
    found = version(db)
    if found == VERSION:
        return
    _back_up(db, path.with_name(f"{path.name}.v{found}"))
    with db:
        db.execute("BEGIN IMMEDIATE")
        if version(db) == VERSION:
            return  # another process was faster
        tables = sqlite_utils.Database(db)
        if found < 2:
            db.execute("ALTER TABLE marks ADD COLUMN next_key_digest BLOB")
            _create_statements_and_pins(tables)
        _create_anchors(tables)
        db.execute(f"PRAGMA user_version={VERSION}")


def _back_up(db: sqlite3.Connection, target: Path) -> None:
    """A whole copy or none: half a one must never pass for a backup."""
    if target.exists():
        return
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
        os.close(handle)
        with closing(sqlite3.connect(name)) as copy:
            db.backup(copy)
        Path(name).replace(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error}", "make room for a copy of the old database") from None


def version(db: sqlite3.Connection) -> int:
    """Of the schema of an open database."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    return int(found)


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID and not _empty(db):
        raise StoreError(f"{path}: a SQLite file, but not a node's database", "check the path of the data folder")
    found = version(db)
    if found > VERSION:
        raise StoreError(f"{path}: schema {found}, this software knows up to {VERSION}", "upgrade p2pnoise")


def _check_sound(db: sqlite3.Connection, path: Path) -> None:
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StoreError(f"{path}: damaged: {verdict.splitlines()[0]}", MOVE_ASIDE)


def _explain(error: sqlite3.Error, path: Path) -> StoreError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreError(f"{path}: in use by another process", "stop the other node on this folder first")
    if "not a database" in text:
        return StoreError(f"{path}: not a SQLite file", MOVE_ASIDE)
    return damaged(error, path) or StoreError(f"{path}: {text}", "check the disk, the path and its permissions")


def damaged(error: sqlite3.Error, path: Path) -> StoreError | None:
    """What to say where the file itself is broken: its pages, or the names of its tables and columns."""
    signs = ("malformed", "corrupt", "no such ", "has no column", "duplicate column")
    broken = any(sign in str(error) for sign in signs)
    return StoreError(f"{path}: damaged: {error}", MOVE_ASIDE) if broken else None
