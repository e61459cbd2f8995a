"""Reading: what a database holds, as values; for a node that starts, and for whoever looks at the file meanwhile."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cards import AddressRecord, Card, CardError, IdentityId, Mark, NodeId, RevocationList
from cards.facts import KINDS, Statement

from .errors import StoreError
from .schema import MOVE_ASIDE, connect, damaged, version

_ROWS = "SELECT rowid, card, record, standing, provenance, first_seen, changed, learned_from FROM peers "
_OURS = "(SELECT value FROM meta WHERE name = 'node_id')"
_ALL = f"{_ROWS} ORDER BY node_id = {_OURS} DESC, provenance, name, identity LIMIT ?"
_ABOUT = f"{_ROWS} WHERE node_id = {_OURS} OR name = ? OR node_id = ? OR identity = ?"
_ANCHORS = "(SELECT node_id FROM anchors)"
_FIRST = f"{_ROWS} WHERE node_id = {_OURS} OR node_id IN {_ANCHORS}"
_ENVELOPES = "SELECT card, record FROM peers ORDER BY identity"
_PORTION = f"{_ROWS} WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?"


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


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What a node has stored: whose it is, its lists oldest first, its statements, pins of first use, its rows.

    Where not all of the `total` rows were asked for, some of them, and the `marks` of all identities.
    """

    node_id: bytes
    lists: tuple[RevocationList, ...]
    statements: tuple[Statement, ...]
    pins: Mapping[str, IdentityId]
    rows: tuple[Row, ...]
    total: int
    marks: Mapping[bytes, Mark] = field(default_factory=dict)


def read_table(path: Path, most: int | None = None, *, about: str | None = None) -> StoredTable:
    """The table of a running or stopped node, without touching the file. Raises `StoreError`.

    At most so many rows, or those alone `about` a name, a Node ID or an identity in text form, and our own.
    """
    db = connect(path, read_only=True)
    try:
        (node_id,) = db.execute("SELECT value FROM meta WHERE name = 'node_id'").fetchone() or (b"",)
        old = version(db) < 2  # it is upgraded when the node next starts
        trust = ((), {}) if old else (statements(db, path), pins(db, path))
        (total,) = db.execute("SELECT count(*) FROM peers").fetchone()
        found = rows(db, path, most) if about is None else _read(db, path, _ABOUT, *_keys(about))
        held = {} if old or (most is None and about is None) else marks(db, path)
        return StoredTable(node_id, lists(db, path), *trust, tuple(found), total, held)
    except sqlite3.Error as error:
        raise failed(path, error) from None
    finally:
        db.close()


@contextmanager
def envelopes(path: Path) -> Iterator[tuple[int, Iterator[tuple[bytes, bytes]]]]:
    """How many cards are stored, and the envelope of each and of its record, empty where there is none.

    In the order of identities, of a running or stopped node, one at a time; what they say is not looked at. Raises
    `StoreError`.
    """
    db = connect(path, read_only=True)
    try:
        (total,) = db.execute("SELECT count(*) FROM peers").fetchone()
        found = db.execute(_ENVELOPES)
        yield total, ((card, record or b"") for card, record in found if _bytes(card) and _bytes(record or b""))
    except sqlite3.Error as error:
        raise failed(path, error) from None
    finally:
        db.close()


def find_cards(path: Path, text: str) -> list[Card]:
    """The cards that are stored under a name, a Node ID or an identity in text form. Raises `StoreError`."""
    db = connect(path, read_only=True)
    try:
        query = "SELECT card FROM peers WHERE name = ? OR node_id = ? OR identity = ?"
        return [Card.parse(raw) for (raw,) in db.execute(query, _keys(text))]
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError):
        return []  # as a row that is no card any more
    finally:
        db.close()


def names(path: Path) -> list[str]:
    """The names of all stored cards, each once. Raises `StoreError`."""
    db = connect(path, read_only=True)
    try:
        found = db.execute("SELECT DISTINCT name FROM peers WHERE name IS NOT NULL ORDER BY name")
        return [str(name) for (name,) in found]
    except sqlite3.Error as error:
        raise failed(path, error) from None
    finally:
        db.close()


def _keys(text: str) -> tuple[str, bytes, bytes]:
    """What a text may be: a name, a Node ID, an identity."""
    keys = {kind.prefix: kind for kind in (NodeId, IdentityId)}
    try:
        kind = keys.get(text.partition("1")[0])
        key = bytes(kind.parse(text)) if kind is not None else b""
    except CardError:  # a name may begin like one
        key = b""
    return text, key, key


def marks(db: sqlite3.Connection, path: Path) -> dict[bytes, Mark]:
    try:
        found = db.execute("SELECT identity, sequence, card_id, next_key_digest FROM marks").fetchall()
    except sqlite3.Error as error:
        raise failed(path, error) from None
    if not all(
        _bytes(identity) and _number(sequence) and _bytes(card_id) and (successor is None or _bytes(successor))
        for identity, sequence, card_id, successor in found
    ):
        # As with a list: without it a card that was replaced long ago would count again.
        raise StoreError(f"{path}: holds a mark that is damaged", MOVE_ASIDE)
    return {identity: Mark(sequence, card_id, successor) for identity, sequence, card_id, successor in found}


def lists(db: sqlite3.Connection, path: Path) -> tuple[RevocationList, ...]:
    try:
        rows = db.execute("SELECT raw FROM lists ORDER BY issuer, place").fetchall()
        return tuple(RevocationList.parse(raw) for (raw,) in rows)
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError) as error:
        # Unlike a peer, a list that is gone would let revoked cards back in: better no start than that.
        raise StoreError(
            f"{path}: holds a revocation list that is damaged: {error}",
            "move the file aside; the lists come again from the peers and from revocations.pem",
        ) from None


def statements(db: sqlite3.Connection, path: Path) -> tuple[Statement, ...]:
    try:
        rows = db.execute("SELECT label, raw FROM statements ORDER BY rowid").fetchall()
        return tuple(KINDS[label].parse(raw) for label, raw in rows)
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError, KeyError) as error:
        raise StoreError(  # as with a list
            f"{path}: holds a statement that is damaged: {error}",
            "move the file aside; the statements come again from the peers and from statements.pem",
        ) from None


def pins(db: sqlite3.Connection, path: Path) -> dict[str, IdentityId]:
    try:
        rows = db.execute("SELECT name, identity FROM pins").fetchall()
        return {str(name): IdentityId(identity) for name, identity in rows}
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError) as error:
        raise StoreError(f"{path}: holds a pin that is damaged: {error}", MOVE_ASIDE) from None


def anchors(db: sqlite3.Connection, path: Path) -> tuple[NodeId, ...]:
    try:
        found = db.execute("SELECT node_id FROM anchors ORDER BY place").fetchall()
        return tuple(NodeId(node_id) for (node_id,) in found)
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError):
        return ()  # they are no more than whom to dial first


def scores(db: sqlite3.Connection, path: Path) -> dict[NodeId, tuple[float, int]]:
    try:
        found = db.execute("SELECT node_id, faults, at FROM scores ORDER BY at").fetchall()
        return {NodeId(node_id): (float(faults), at) for node_id, faults, at in found if _number(at)}
    except sqlite3.Error as error:
        raise failed(path, error) from None
    except (CardError, TypeError, ValueError):
        return {}  # whoever is at fault will be so again


def rows(db: sqlite3.Connection, path: Path, most: int | None = None) -> Iterator[Row]:
    """Every stored peer: ourselves, then those we were linked to; rows that are no cards any more are skipped."""
    return _read(db, path, _ALL, -1 if most is None else most)


def first_rows(db: sqlite3.Connection, path: Path) -> Iterator[Row]:
    """Ourselves, and those of the anchors."""
    return _read(db, path, _FIRST)


def rows_of(db: sqlite3.Connection, path: Path, cards: Sequence[Card]) -> Iterator[Row]:
    """Those of the identities and the nodes of these cards."""
    marks = ",".join("?" * len(cards))
    query = f"{_ROWS} WHERE identity IN ({marks}) OR node_id IN ({marks})"
    return _read(db, path, query, *(bytes(one.identity) for one in cards), *(bytes(one.node_id) for one in cards))


def portions(db: sqlite3.Connection, path: Path, most: int) -> Iterator[tuple[list[Row], int]]:
    """Every stored peer, in the order in which they came, at most so many at a time; and how many are left.

    Each portion is read when it is asked for, so that others may write in between; rows that are new by then are left
    out, and of those that were changed the change is read.
    """
    try:
        last, left = db.execute("SELECT ifnull(max(rowid), 0), count(*) FROM peers").fetchone()
        after = 0
        while left > 0:
            found = db.execute(_PORTION, (after, last, most)).fetchall()
            after, left = (found[-1][0], left - len(found)) if found else (last, 0)
            yield [row for raw in found if (row := _row(raw)) is not None], left
    except sqlite3.Error as error:
        raise failed(path, error) from None


def _read(db: sqlite3.Connection, path: Path, query: str, *given: int | bytes | str) -> Iterator[Row]:
    try:
        for raw in db.execute(query, given):
            row = _row(raw)
            if row is not None:
                yield row
    except sqlite3.Error as error:
        raise failed(path, error) from None


def _row(raw: tuple[Any, ...]) -> Row | None:
    _, card, record, standing, provenance, first_seen, changed, source = raw
    if not (_number(first_seen) and _number(changed) and _bytes(source)):
        return None
    try:
        return Row(
            card=Card.parse(card),
            record=AddressRecord.parse(record) if record is not None else None,
            standing=str(standing),
            provenance="live" if provenance == "live" else "proven",
            first_seen=first_seen,
            changed=changed,
            learned_from=source,
        )
    except (CardError, TypeError):
        return None  # whoever wrote into our file finds no belief; the peer is learned again


def _number(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _bytes(value: object) -> bool:
    return isinstance(value, bytes)


def failed(path: Path, error: sqlite3.Error) -> StoreError:
    other = StoreError(f"{path}: {error}", "check the disk, and that nothing else writes this file")
    return damaged(error, path) or other
