"""The issuer's registry: one SQLite file with what was granted to whom, what was revoked, and the numbers spent.

A number is committed before anything is signed with it, so a crash may skip a number and never uses one twice.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from cards import Card, CardError, Entry, Grant, IdentityId, IssuerId, Succession
from cards.findings import CONFLICT, MALFORMED, REVOKED
from cards.statements import CARD_APP, frame, verify

from . import files
from .join_table import JoinTable
from .output import Fault
from .registry_file import RESTORE, SCHEMA, check, sentences, upgrade


class Granted(NamedTuple):
    """One grant as recorded; times in seconds since 1970."""

    serial: int
    identity: str
    node_id: str
    card_id: str
    name: str | None
    sequence: int
    position: str
    group_names: str
    issued_at: int
    not_after: int
    next_key: str | None = None
    """Whom the card commits to as the next identity, SHA-256 in hex."""
    final: int = 0
    """1 where no renewal follows by itself."""

    @property
    def owner(self) -> IdentityId:
        return IdentityId.parse(self.identity)


class Registry:
    """An open registry. Every method raises `Fault` when the file cannot do its work."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: IssuerId) -> None:
        self._path = path
        self._key = key
        self._connection = connection
        self._together = False
        self.joins = JoinTable(connection, self._transaction, lambda: sentences(path))
        """Join tokens, and what became of those who used them."""

    @classmethod
    def create(cls, path: Path, key: IssuerId, network: str) -> None:
        """A new registry where there is no file."""
        files.write(path, b"", secret=True)
        with sentences(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.executescript(SCHEMA)
            connection.execute("INSERT INTO issuer VALUES (?, ?)", (str(key), network))
            connection.executemany("INSERT INTO counters VALUES (?, 0)", [("serial",), ("list",)])
            connection.execute("COMMIT")

    @classmethod
    @contextmanager
    def open(cls, path: Path, key: IssuerId, network: str, *, checked: bool = False) -> Iterator[Self]:
        """The registry of this issuer; any other file is refused, and so is a damaged one unless it was `checked`."""
        files.check_target(path, force=True)
        if not path.exists():
            # A new one would spend serials and numbers a second time.
            raise Fault(f"no {path.name} in {path.parent}", RESTORE)
        if path.stat().st_size == 0:
            raise Fault(f"{path} is empty, a registry expected", RESTORE, code=MALFORMED)
        # mode=rw: a registry is never made by opening it. Ten seconds for another command to finish.
        uri = f"{path.resolve().as_uri()}?mode=rw"
        # Whoever keeps it open may use it in several threads, one at a time.
        options: dict[str, Any] = {"uri": True, "timeout": 10, "isolation_level": None, "check_same_thread": False}
        with sentences(path), closing(sqlite3.connect(uri, **options)) as connection:
            # EXTRA is FULL and a sync of the folder: a commit survives power loss right after it.
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA secure_delete = ON")  # or the psk of a spent token stays in the file
            check(path, connection, key, network, whole=not checked)
            upgrade(path, connection)
            yield cls(path, connection, key)

    def reserve_serial(self, card: Card, handed: Sequence[Succession] = ()) -> tuple[int, Granted | None]:
        """A serial number that nobody else gets, and the grant `before`. Raises `Fault` as `refuse`.

        It is above that of any grant of ours which the card shows: in a registry from an old backup they are not.
        """
        shown = max((one.serial for one in card.grants if self._signed(card, one)), default=0)
        with self._transaction():
            self.refuse(card, handed)
            return self._count("serial", shown), self.before(card.identity, handed)

    def _signed(self, card: Card, grant: Grant) -> bool:
        message = frame(CARD_APP, card.body, grant.attrs)
        return grant.kid == self._key.hint and verify(self._key, grant.signature, message)

    def before(self, identity: IdentityId, handed: Sequence[Succession] = ()) -> Granted | None:
        """The last grant to an identity or, where there is none, to the nearest that has `handed` over to it."""
        found = (self.latest(one) for one in (identity, *(step.old for step in handed)))
        return next((grant for grant in found if grant is not None), None)

    def record(self, grant: Granted, card: Card, handed: Sequence[Succession] = ()) -> None:
        """Keep what is about to be handed out. Raises `Fault` as `refuse`, if something changed since reserving."""
        with self._transaction():
            self.refuse(card, handed)
            self._connection.execute(f"INSERT INTO grants VALUES ({', '.join('?' * len(grant))})", grant)  # noqa: S608 - question marks
            steps = [(str(step.old), str(step.new)) for step in handed]
            self._connection.executemany("INSERT OR IGNORE INTO successions VALUES (?, ?)", steps)

    def refuse(self, card: Card, handed: Sequence[Succession] = ()) -> None:
        """Raises `Fault` where this issuer must not grant to `card`: revoked, or its name or node is another's.

        `handed` are the steps by which others have handed over to the card's identity, and their names with it.
        """
        self._refuse_ended(card, handed)
        other = self._one("node_id = ? AND identity != ?", str(card.node_id), str(card.identity))
        if other is not None:
            fix = "the owner makes keys of their own: p2pnoise id new --force, then card request"
            text = f"node {card.node_id.short} was granted to another identity: {_holder(other)}"
            raise Fault(text, fix, code=CONFLICT)
        other = self.holder(card.name) if card.name else None
        ours = (card.identity, *(step.old for step in handed))
        if other is not None and other.owner not in ours and not self.revocation(other.owner):
            fix = f"request another name, or take it from its holder: p2pnoise revoke add {card.name}"
            raise Fault(f"the name {card.name} is held by {_holder(other)}", fix, code=CONFLICT)

    def _refuse_ended(self, card: Card, handed: Sequence[Succession]) -> None:
        entry = self.revocation(card.identity)
        if entry is not None:
            fix = "the owner needs a new identity: p2pnoise id new --force, then card request"
            raise Fault(f"this identity was revoked on {_day(entry)}, reason {entry.reason}", fix, code=REVOKED)
        entry = self.revocation(card.card_id)
        if entry is not None:
            fix = "the owner signs a new card: p2pnoise card request"
            raise Fault(f"this card was revoked on {_day(entry)}, reason {entry.reason}", fix, code=REVOKED)
        heir = self._heir(card.identity)
        if heir is not None:
            fix = "its owner sends the request of that one"
            raise Fault(f"this identity handed over to {heir}, which was granted since", fix, code=REVOKED)
        for step in handed:
            entry, heir = self.revocation(step.old), self._heir(step.old)
            if entry is not None:
                fix = "what a revoked key signs may be a thief's: if it is not, take the succession out of the request"
                raise Fault(f"{step.old.short}, which hands over, was revoked on {_day(entry)}", fix, code=REVOKED)
            if heir not in (None, str(step.new)):
                text = f"{step.old.short} hands over to {step.new.short}, and has to {heir} before"
                raise Fault(text, "one of the two is a thief's: ask its owner in person", code=CONFLICT)

    def _heir(self, identity: IdentityId) -> str | None:
        """Whom this issuer granted to in the place of an identity."""
        found = self._all("SELECT new FROM successions WHERE old = ?", str(identity))
        return str(found[0][0]) if found else None

    def latest(self, identity: IdentityId) -> Granted | None:
        """The last grant to an identity."""
        return self._one("identity = ?", str(identity))

    def newest_card(self, identity: IdentityId) -> Granted | None:
        """A grant to the identity's card with the highest sequence number."""
        return self._one("identity = ?", str(identity), order="sequence DESC, serial")

    def holder(self, name: str) -> Granted | None:
        """Whose a name is: the last grant under it, of an identity that is not revoked where there is one."""
        rows = [Granted(*row) for row in self._all("SELECT * FROM grants WHERE name = ? ORDER BY serial DESC", name)]
        return next((row for row in rows if not self.revocation(row.owner)), rows[0] if rows else None)

    def by_node(self, node_id: str) -> Granted | None:
        return self._one("node_id = ?", node_id)

    def by_subject(self, subject: bytes) -> Granted | None:
        """The last grant to an identity key, or to the card of this id."""
        try:
            found = self.latest(IdentityId(subject))
        except CardError:  # a card id need not be a key
            found = None
        return found or self._one("card_id = ?", subject.hex())

    def grants(self) -> list[Granted]:
        """Every grant ever recorded, in the order of their serials."""
        return [Granted(*row) for row in self._all("SELECT * FROM grants ORDER BY serial")]

    def names(self) -> list[str]:
        """Every name ever granted."""
        return [row[0] for row in self._all("SELECT DISTINCT name FROM grants WHERE name IS NOT NULL")]

    def granted_until(self, *, identity: IdentityId | None = None, card_id: bytes | None = None) -> int | None:
        """The latest end of the grants to an identity or a card; None where there were none."""
        column, value = ("identity", str(identity)) if card_id is None else ("card_id", card_id.hex())
        found: int | None = self._all(f"SELECT max(not_after) FROM grants WHERE {column} = ?", value)[0][0]  # noqa: S608
        return found

    def revocation(self, subject: bytes) -> Entry | None:
        found = self._all("SELECT subject, at, reason, until FROM revocations WHERE subject = ?", subject.hex())
        return _entry(found[0]) if found else None

    def revoke(self, entry: Entry) -> Entry:
        """Keep a revocation, on the disk when this returns. The first stands; only its end may move further out."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO revocations VALUES (?, ?, ?, ?)"
                " ON CONFLICT (subject) DO UPDATE SET until = max(until, excluded.until)",
                (entry.subject.hex(), entry.at, entry.reason, entry.until),
            )
            return self.revocation(entry.subject) or entry

    def standing(self, now: int) -> list[Entry]:
        """All revocations that nodes must still know."""
        return [
            _entry(row) for row in self._all("SELECT subject, at, reason, until FROM revocations WHERE until > ?", now)
        ]

    def reserve_list(self, at_least: int) -> int:
        """The number of the next list, above `at_least` and above every number before."""
        with self._transaction():
            return self._count("list", at_least)

    def _count(self, name: str, at_least: int) -> int:
        value: int = self._all("SELECT max(value, ?) + 1 FROM counters WHERE name = ?", at_least, name)[0][0]
        self._connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))
        return value

    def _one(self, where: str, *values: str, order: str = "serial") -> Granted | None:
        found = self._all(f"SELECT * FROM grants WHERE {where} ORDER BY {order} DESC LIMIT 1", *values)  # noqa: S608
        return Granted(*found[0]) if found else None

    def _all(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        with sentences(self._path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside, all is one transaction: on the disk when this ends, or nothing of it. A refusal undoes nothing."""
        with self._transaction():
            self._together = True
            try:
                yield
            finally:
                self._together = False

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._together:
            yield
            return
        with sentences(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _entry(row: tuple[Any, ...]) -> Entry:
    subject, at, reason, end = row
    return Entry(bytes.fromhex(subject), at, reason, end)


def _day(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d")


def _holder(grant: Granted) -> str:
    name = f"{grant.name}, " if grant.name else ""
    return f"{name}{grant.owner.short}, serial {grant.serial}"
