"""Schema: opening a node's database, making and upgrading its tables, and how a file is recognised as ours."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from types import ModuleType

from .errors import StoreError

APPLICATION_ID = 0x70326E31  # "p2n1": tells our files from other SQLite files
VERSION = 4  # of the schema, in user_version; a newer one is refused, an older one is upgraded in place

# Rows that have ceased to count; but for the last cards of those who have handed over, by which others are told apart.
CEASED = "standing NOT IN ('verified', 'known', 'pinned', 'superseded')"
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
    tables = _tables()  # before the lock, for which others wait no more than some seconds
    with db:
        db.execute("BEGIN IMMEDIATE")
        if not _empty(db):
            return  # another process was faster
        tables.create(db)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")


def _tables() -> ModuleType:
    """What knows sqlite-utils: a fifth of a node's start, and whoever finds its tables made needs nothing of it."""
    from . import tables  # noqa: PLC0415

    return tables


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Bring an older database to this version, all or nothing; the file as it was stays beside it."""
    found = version(db)
    if found == VERSION:
        return
    _back_up(db, path.with_name(f"{path.name}.v{found}"))
    tables = _tables()
    with db:
        db.execute("BEGIN IMMEDIATE")
        if version(db) == VERSION:
            return  # another process was faster
        tables.upgrade(db, found)
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
