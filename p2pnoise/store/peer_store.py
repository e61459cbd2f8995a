"""PeerStore: what a node must not forget, written in batches.

What `commit` has returned from survives a kill and a power cut.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cards import (
    AddressRecord,
    Card,
    CardError,
    IdentityId,
    Mark,
    NodeId,
    Pin,
    RevocationList,
    Revocations,
    VerifiedCard,
)
from cards.facts import KINDS, Statement
from cards.revocation import IssuerRevocations

from .errors import StoreError
from .schema import MOVE_ASIDE, connect, damaged, version

_PUT_PEER = """
INSERT INTO peers (identity, node_id, name, sequence, not_after, standing, provenance, card, record,
                   first_seen, changed, learned_from)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    node_id=excluded.node_id, name=excluded.name, sequence=excluded.sequence, not_after=excluded.not_after,
    standing=excluded.standing, provenance=excluded.provenance, card=excluded.card, record=excluded.record,
    changed=excluded.changed
"""
# A mark never goes back, whatever order batches come in.
_PUT_MARK = """
INSERT INTO marks (identity, sequence, card_id, next_key_digest) VALUES (?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    sequence=excluded.sequence, card_id=excluded.card_id, next_key_digest=excluded.next_key_digest
WHERE excluded.sequence > marks.sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerChange:
    """A row to be kept. It takes a `VerifiedCard`, so nothing unverified can be written. Times in seconds."""

    verified: VerifiedCard
    record: AddressRecord | None
    standing: str  # "verified", or the code of the finding that keeps it from counting
    provenance: Literal["proven", "live"]
    first_seen: int
    changed: int
    learned_from: bytes


Change: TypeAlias = PeerChange | Revocations | Statement | Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row as it was stored: claims, to be verified again before they count. Times in seconds since 1970."""

    card: Card
    record: AddressRecord | None
    standing: str
    provenance: Literal["proven", "live"]
    first_seen: int
    changed: int
    learned_from: bytes


class PeerStore:
    """One open database. Not for two threads at once. Raises `StoreError`, after which only `close` is of use."""

    def __init__(self, path: Path, *, network: str, node_id: bytes) -> None:
        """Open or make the database of this node in this network; another's is refused."""
        self.path = path
        self._written: dict[bytes, IssuerRevocations] = {}
        self._db = connect(path)
        try:
            self._claim("network", network.encode())
            self._claim("node_id", bytes(node_id))
        except sqlite3.Error as error:
            self._db.close()
            raise _failed(path, error) from None
        except StoreError:
            self._db.close()
            raise

    def _claim(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)", (name, value))
        (stored,) = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone() or (None,)
        if stored != value:
            what = "network" if name == "network" else "node key"
            raise StoreError(
                f"{self.path}: belongs to another {what} than the one of this folder",
                "use the folder that it came from, or move the file aside",
            )

    def commit(self, changes: Iterable[Change]) -> None:
        """Keep a batch, all or nothing; durable when this returns."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for change in changes:
                    self._put(change)
        except sqlite3.Error as error:
            raise _failed(self.path, error) from None

    def _put(self, change: Change) -> None:
        match change:
            case PeerChange():
                self._put_peer(change)
            case Revocations():
                self._put_lists(change)
            case Pin(name, None):
                self._db.execute("DELETE FROM pins WHERE name=?", (name,))
            case Pin(name, identity):
                self._db.execute("INSERT OR REPLACE INTO pins (name, identity) VALUES (?, ?)", (name, identity))
            case _:
                row = (change.digest, change.label, change.raw)
                self._db.execute("INSERT OR IGNORE INTO statements (digest, label, raw) VALUES (?, ?, ?)", row)

    def _put_peer(self, change: PeerChange) -> None:
        card = change.verified.card
        row = (
            bytes(card.identity),
            bytes(card.node_id),
            card.name,
            card.sequence,
            card.not_after,
            change.standing,
            change.provenance,
            card.raw,
            change.record.raw if change.record is not None else None,
            change.first_seen,
            change.changed,
            change.learned_from,
        )
        self._db.execute(_PUT_PEER, row)
        self._db.execute(_PUT_MARK, (bytes(card.identity), card.sequence, card.card_id, card.next_key_digest))

    def _put_lists(self, revocations: Revocations) -> None:
        for issuer, state in revocations.by_issuer.items():
            if self._written.get(issuer) is state:  # up to a dozen lists of a megabyte
                continue
            self._written[issuer] = state
            self._db.execute("DELETE FROM lists WHERE issuer=?", (bytes(issuer),))
            self._db.executemany(
                "INSERT INTO lists (issuer, place, sequence, raw) VALUES (?, ?, ?, ?)",
                [(bytes(issuer), place, one.sequence, one.raw) for place, one in enumerate(state.lists)],
            )

    def marks(self) -> dict[bytes, Mark]:
        """The highest accepted sequence number of each identity."""
        try:
            rows = self._db.execute("SELECT identity, sequence, card_id, next_key_digest FROM marks").fetchall()
        except sqlite3.Error as error:
            raise _failed(self.path, error) from None
        if not all(
            _bytes(identity) and _number(sequence) and _bytes(card_id) and (successor is None or _bytes(successor))
            for identity, sequence, card_id, successor in rows
        ):
            # As with a list: without it a card that was replaced long ago would count again.
            raise StoreError(f"{self.path}: holds a mark that is damaged", MOVE_ASIDE)
        return {identity: Mark(sequence, card_id, successor) for identity, sequence, card_id, successor in rows}

    def lists(self) -> tuple[RevocationList, ...]:
        """Every list that is still needed, oldest first."""
        return _lists(self._db, self.path)

    def statements(self) -> tuple[Statement, ...]:
        """Every statement that was accepted."""
        return _statements(self._db, self.path)

    def pins(self) -> dict[str, IdentityId]:
        """The identities of the names that were pinned on first use."""
        return _pins(self._db, self.path)

    def rows(self) -> Iterator[Row]:
        """Every stored peer: ourselves, then those we were linked to; rows that are no cards any more are skipped."""
        return _rows(self._db, self.path)

    def close(self) -> None:
        self._db.close()


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What a node has stored: whose it is, its lists oldest first, its statements, pins of first use, its rows."""

    node_id: bytes
    lists: tuple[RevocationList, ...]
    statements: tuple[Statement, ...]
    pins: Mapping[str, IdentityId]
    rows: tuple[Row, ...]


def read_table(path: Path) -> StoredTable:
    """The table of a running or stopped node, without touching the file. Raises `StoreError`."""
    db = connect(path, read_only=True)
    try:
        (node_id,) = db.execute("SELECT value FROM meta WHERE name = 'node_id'").fetchone() or (b"",)
        old = version(db) < 2  # it is upgraded when the node next starts
        statements, pins = ((), {}) if old else (_statements(db, path), _pins(db, path))
        return StoredTable(node_id, _lists(db, path), statements, pins, tuple(_rows(db, path)))
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    finally:
        db.close()


def hand_over(path: Path, *, old: bytes, new: bytes) -> None:
    """Make the database of a node that of its next key: what it knows of others stays. Raises `StoreError`.

    No node may run on it. One that is the next key's already stays as it is.
    """
    db = connect(path)
    try:
        with db:
            db.execute("UPDATE meta SET value=? WHERE name='node_id' AND value=?", (bytes(new), bytes(old)))
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    finally:
        db.close()


def find_cards(path: Path, text: str) -> list[Card]:
    """The cards that are stored under a name, a Node ID or an identity in text form. Raises `StoreError`."""
    keys = {kind.prefix: kind for kind in (NodeId, IdentityId)}
    try:
        kind = keys.get(text.partition("1")[0])
        key = bytes(kind.parse(text)) if kind is not None else b""
    except CardError:  # a name may begin like one
        key = b""
    db = connect(path, read_only=True)
    try:
        query = "SELECT card FROM peers WHERE name = ? OR node_id = ? OR identity = ?"
        return [Card.parse(raw) for (raw,) in db.execute(query, (text, key, key))]
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    except (CardError, TypeError):
        return []  # as a row that is no card any more
    finally:
        db.close()


def _lists(db: sqlite3.Connection, path: Path) -> tuple[RevocationList, ...]:
    try:
        rows = db.execute("SELECT raw FROM lists ORDER BY issuer, place").fetchall()
        return tuple(RevocationList.parse(raw) for (raw,) in rows)
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    except (CardError, TypeError) as error:
        # Unlike a peer, a list that is gone would let revoked cards back in: better no start than that.
        raise StoreError(
            f"{path}: holds a revocation list that is damaged: {error}",
            "move the file aside; the lists come again from the peers and from revocations.pem",
        ) from None


def _statements(db: sqlite3.Connection, path: Path) -> tuple[Statement, ...]:
    try:
        rows = db.execute("SELECT label, raw FROM statements ORDER BY rowid").fetchall()
        return tuple(KINDS[label].parse(raw) for label, raw in rows)
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    except (CardError, TypeError, KeyError) as error:
        raise StoreError(  # as with a list
            f"{path}: holds a statement that is damaged: {error}",
            "move the file aside; the statements come again from the peers and from statements.pem",
        ) from None


def _pins(db: sqlite3.Connection, path: Path) -> dict[str, IdentityId]:
    try:
        rows = db.execute("SELECT name, identity FROM pins").fetchall()
        return {str(name): IdentityId(identity) for name, identity in rows}
    except sqlite3.Error as error:
        raise _failed(path, error) from None
    except (CardError, TypeError) as error:
        raise StoreError(f"{path}: holds a pin that is damaged: {error}", MOVE_ASIDE) from None


def _rows(db: sqlite3.Connection, path: Path) -> Iterator[Row]:
    query = """SELECT card, record, standing, provenance, first_seen, changed, learned_from
               FROM peers ORDER BY node_id = (SELECT value FROM meta WHERE name = 'node_id') DESC,
                                   provenance, name, identity"""
    try:
        for card, record, standing, provenance, first_seen, changed, learned_from in db.execute(query):
            if not (_number(first_seen) and _number(changed) and _bytes(learned_from)):
                continue
            try:
                yield Row(
                    card=Card.parse(card),
                    record=AddressRecord.parse(record) if record is not None else None,
                    standing=str(standing),
                    provenance="live" if provenance == "live" else "proven",
                    first_seen=first_seen,
                    changed=changed,
                    learned_from=learned_from,
                )
            except (CardError, TypeError):
                continue  # whoever wrote into our file finds no belief; the peer is learned again
    except sqlite3.Error as error:
        raise _failed(path, error) from None


def _number(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _bytes(value: object) -> bool:
    return isinstance(value, bytes)


def _failed(path: Path, error: sqlite3.Error) -> StoreError:
    other = StoreError(f"{path}: {error}", "check the disk, and that nothing else writes this file")
    return damaged(error, path) or other
