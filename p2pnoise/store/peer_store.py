"""PeerStore: what a node must not forget, written in batches.

What `commit` has returned from survives a kill and a power cut. A peer with one grant and an address takes 1.0 to
1.2 kB of the file, of which its card and record are 0.6; what can be searched for stands beside them once more.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cards import AddressRecord, Card, IdentityId, Mark, NodeId, Pin, RevocationList, Revocations, VerifiedCard
from cards.facts import Statement
from cards.revocation import IssuerRevocations

from . import reading
from .errors import StoreError
from .joining import all_grants, later_record
from .reading import Row, failed
from .schema import CEASED, connect

# A node that has not read all of its table yet learns some rows anew: it may know less of them than is written here. A
# record that has ended is ended here, too, whoever leaves it standing.
PUT_PEER = """
INSERT INTO peers (identity, node_id, name, sequence, not_after, standing, provenance, card, record,
                   first_seen, changed, learned_from)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    node_id=excluded.node_id, name=excluded.name, sequence=excluded.sequence, not_after=excluded.not_after,
    standing=excluded.standing, card=excluded.card, changed=excluded.changed,
    provenance=iif(node_id = excluded.node_id AND provenance = 'live', 'live', excluded.provenance),
    record=iif(node_id = excluded.node_id, ifnull(excluded.record, record), excluded.record)
"""
# A mark never goes back, whatever order batches come in.
PUT_MARK = """
INSERT INTO marks (identity, sequence, card_id, next_key_digest) VALUES (?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    sequence=excluded.sequence, card_id=excluded.card_id, next_key_digest=excluded.next_key_digest
WHERE excluded.sequence > marks.sequence
"""
# Whoever signs cards by the thousand has each crowd out another (gossip/quotas.py), and what was revoked or has ended
# would add up as well. Their marks stay longer.
MAX_CEASED = 10_000  # rows that count no longer: some 11 MB; those go whose last change is the oldest
_OLDEST = f"SELECT rowid FROM peers WHERE {CEASED} ORDER BY changed DESC, rowid DESC LIMIT -1 OFFSET ?"  # noqa: S608
FORGET_CEASED = f"DELETE FROM peers WHERE rowid IN ({_OLDEST})"  # noqa: S608 - all of it is written here
COUNTING = ("verified", "known", "pinned")
MAX_SCORES = 10_000  # as many as a node remembers; whose last fault is the oldest is forgotten
FORGET_SCORES = "DELETE FROM scores WHERE node_id IN (SELECT node_id FROM scores ORDER BY at DESC LIMIT -1 OFFSET ?)"


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


@dataclass(frozen=True, slots=True)
class Anchors:
    """Who is to be dialled first after a restart, in place of those before."""

    node_ids: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """How many faults a node has to its name, as of a second since 1970."""

    node_id: NodeId
    faults: float
    at: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The marks of these identities are needed no longer: the table has said so, which knows why each is kept."""

    identities: tuple[bytes, ...]


Change: TypeAlias = PeerChange | Revocations | Statement | Pin | Anchors | Score | Forgotten


class PeerStore:
    """One open database. Not for two threads at once. Raises `StoreError`, after which only `close` is of use."""

    def __init__(self, path: Path, *, network: str, node_id: bytes) -> None:
        """Open or make the database of this node in this network; another's is refused."""
        self.path = path
        self._written: dict[bytes, IssuerRevocations] = {}
        self._reading = False  # whether whoever writes has begun to read the table, and not ended
        self._db = connect(path)
        try:
            self._claim("network", network.encode())
            self._claim("node_id", bytes(node_id))
        except sqlite3.Error as error:
            self._db.close()
            raise failed(path, error) from None
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
        changes = list(changes)
        peers = [change for change in changes if isinstance(change, PeerChange)]
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                # All rows by one statement each, which costs two thirds of as many: they are most of what is written.
                self._db.executemany(PUT_PEER, map(self._joined if self._reading else row_of, peers))
                self._db.executemany(PUT_MARK, map(mark_of, peers))
                if any(change.standing not in COUNTING for change in peers):
                    self._db.execute(FORGET_CEASED, (MAX_CEASED,))
                for change in changes:
                    if not isinstance(change, PeerChange):
                        self._put(change)
        except sqlite3.Error as error:
            raise failed(self.path, error) from None

    def _joined(self, change: PeerChange) -> tuple[object, ...]:
        """Its row, so that nothing is lost that was written before and may not have been read yet."""
        card, record = change.verified.card, change.record
        for row in self.rows_of([card]):
            if (row.card.identity, row.card.node_id) == (card.identity, card.node_id):
                card, record = all_grants(card, row), later_record(record, row, change.changed)
        return _row(change, card, record)

    def _put(self, change: Revocations | Statement | Pin | Anchors | Score | Forgotten) -> None:
        match change:
            case Revocations():
                self._put_lists(change)
            case Pin(name, None):
                self._db.execute("DELETE FROM pins WHERE name=?", (name,))
            case Pin(name, identity):
                self._db.execute("INSERT OR REPLACE INTO pins (name, identity) VALUES (?, ?)", (name, identity))
            case Anchors(node_ids):
                self._db.execute("DELETE FROM anchors")
                self._db.executemany(
                    "INSERT INTO anchors (place, node_id) VALUES (?, ?)", enumerate(map(bytes, node_ids))
                )
            case Forgotten(identities):
                self._db.executemany("DELETE FROM marks WHERE identity=?", [(one,) for one in identities])
            case Score(node_id, faults, at):
                self._db.execute("DELETE FROM scores WHERE node_id=?", (bytes(node_id),))
                if faults:
                    self._db.execute(
                        "INSERT INTO scores (node_id, faults, at) VALUES (?, ?, ?)", (bytes(node_id), faults, at)
                    )
                    self._db.execute(FORGET_SCORES, (MAX_SCORES,))
            case _:
                row = (change.digest, change.label, change.raw)
                self._db.execute("INSERT OR IGNORE INTO statements (digest, label, raw) VALUES (?, ?, ?)", row)

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

    def __len__(self) -> int:
        """How many peers are stored. Raises `StoreError`."""
        try:
            (count,) = self._db.execute("SELECT count(*) FROM peers").fetchone()
        except sqlite3.Error as error:
            raise failed(self.path, error) from None
        return int(count)

    def marks(self) -> dict[bytes, Mark]:
        """The highest accepted sequence number of each identity."""
        return reading.marks(self._db, self.path)

    def lists(self) -> tuple[RevocationList, ...]:
        """Every list that is still needed, oldest first."""
        return reading.lists(self._db, self.path)

    def statements(self) -> tuple[Statement, ...]:
        """Every statement that was accepted."""
        return reading.statements(self._db, self.path)

    def pins(self) -> dict[str, IdentityId]:
        """The identities of the names that were pinned on first use."""
        return reading.pins(self._db, self.path)

    def anchors(self) -> tuple[NodeId, ...]:
        """Who is to be dialled first."""
        return reading.anchors(self._db, self.path)

    def scores(self) -> dict[NodeId, tuple[float, int]]:
        """The faults of nodes, the oldest first, each as of a second since 1970."""
        return reading.scores(self._db, self.path)

    def rows(self) -> Iterator[Row]:
        """Every stored peer: ourselves, then those we were linked to; rows that are no cards any more are skipped."""
        return reading.rows(self._db, self.path)

    def rows_of(self, cards: Sequence[Card]) -> Iterator[Row]:
        """The rows of the identities and the nodes of these cards, of which there are some hundreds at most."""
        return reading.rows_of(self._db, self.path, cards)

    def first_rows(self) -> Iterator[Row]:
        """Ourselves, and those of the anchors; until all `portions` are read nothing older is written over a row."""
        self._reading = True
        return reading.first_rows(self._db, self.path)

    def portions(self, most: int) -> Iterator[tuple[list[Row], int]]:
        """Every stored peer, at most so many at a time, and how many are left; writing in between is allowed."""
        yield from reading.portions(self._db, self.path, most)
        self._reading = False

    def close(self) -> None:
        self._db.close()


def hand_over(path: Path, *, old: bytes, new: bytes) -> None:
    """Make the database of a node that of its next key: what it knows of others stays. Raises `StoreError`.

    No node may run on it. One that is the next key's already stays as it is.
    """
    db = connect(path)
    try:
        with db:
            db.execute("UPDATE meta SET value=? WHERE name='node_id' AND value=?", (bytes(new), bytes(old)))
    except sqlite3.Error as error:
        raise failed(path, error) from None
    finally:
        db.close()


def row_of(change: PeerChange) -> tuple[object, ...]:
    return _row(change, change.verified.card, change.record)


def _row(change: PeerChange, card: Card, record: AddressRecord | None) -> tuple[object, ...]:
    return (
        bytes(card.identity),
        bytes(card.node_id),
        card.name,
        card.sequence,
        card.not_after,
        change.standing,
        change.provenance,
        card.raw,
        record.raw if record is not None else None,
        change.first_seen,
        change.changed,
        bytes(change.learned_from),
    )


def mark_of(change: PeerChange) -> tuple[object, ...]:
    card = change.verified.card
    return bytes(card.identity), card.sequence, card.card_id, card.next_key_digest
