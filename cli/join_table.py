"""JoinTable: the part of an issuer's registry that keeps join tokens and what became of those who used them.

A token's psk and the digest of its proof are gone from the file once it is spent, cancelled or expired; the row stays,
for the reasons.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, cast

from cards import Address, Card, IdentityId, NodeId
from p2pnoise.enrolment import JoinToken, Settled, TokenFacts

__all__ = ["Desk", "JoinTable", "Request", "Token"]

Transaction = Callable[[], AbstractContextManager[None]]


class Token(NamedTuple):
    """A token as recorded. Times in seconds since 1970, `lifetime` of the grant in seconds, 0 if it says none."""

    token_id: bytes
    state: str
    made_at: int
    not_after: int
    name: str | None
    identity: str | None
    groups: tuple[str, ...]
    lifetime: int
    approve: bool
    spent_by: str | None
    spent_at: int | None

    @property
    def short(self) -> str:
        """What people call it: the beginning, as far as it is needed to tell it from others, is enough for us too."""
        return self.token_id.hex()[:8]

    def standing(self, now: int) -> str:
        """Its state, in a word."""
        return "expired" if self.state == "open" and now >= self.not_after else self.state


class Request(NamedTuple):
    """What was asked with a token: a card without grants, and what became of it."""

    token_id: bytes
    card: Card
    source: str
    arrived_at: int
    state: Settled
    reason: str | None = None

    @property
    def short(self) -> str:
        """As of its token."""
        return self.token_id.hex()[:8]


class Desk(NamedTuple):
    """Where joiners find whoever enrols for this issuer."""

    node_id: NodeId
    addresses: tuple[Address, ...]


_TOKEN = "id, state, made_at, not_after, name, identity, group_names, lifetime, approve, spent_by, spent_at"  # noqa: S105
_REQUEST = "token, card, source, arrived_at, state, reason"


class JoinTable:
    """Raises `Fault` as the registry does. Each change is on the disk when its method returns."""

    def __init__(self, connection: sqlite3.Connection, transaction: Transaction, sentences: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction
        self._sentences = sentences

    # Tokens

    def add(self, token: JoinToken, *, now: int, groups: Sequence[str], lifetime: int, approve: bool) -> None:
        """Keep what a new token needs: never its secret."""
        with self._transaction():
            self._connection.execute(
                f"INSERT INTO tokens ({_TOKEN}, psk, proof)"  # noqa: S608 - names of columns
                " VALUES (?, 'open', ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)",
                (
                    token.token_id.hex(),
                    now,
                    token.not_after,
                    token.name,
                    str(token.identity) if token.identity is not None else None,
                    " ".join(groups),
                    lifetime,
                    int(approve),
                    token.psk.hex(),
                    hashlib.sha256(token.proof).hexdigest(),
                ),
            )

    def psk(self, token_id: bytes, now: int) -> bytes | None:
        """The psk of a token that is open, which alone has one; None of any other."""
        found = self._all("SELECT psk FROM tokens WHERE id = ? AND not_after > ?", token_id.hex(), now)
        return bytes.fromhex(found[0][0]) if found and found[0][0] else None

    def facts(self, token_id: bytes) -> TokenFacts | None:
        """What decides about a token."""
        token = self.token(token_id)
        if token is None:
            return None
        ((proof,),) = self._all("SELECT proof FROM tokens WHERE id = ?", token_id.hex())
        return TokenFacts(
            token_id=token.token_id,
            state=cast("Any", token.state),
            not_after=token.not_after,
            proof_digest=bytes.fromhex(proof) if proof else None,
            name=token.name,
            identity=IdentityId.parse(token.identity) if token.identity else None,
            spent_by=bytes(NodeId.parse(token.spent_by)) if token.spent_by else None,
        )

    def token(self, token_id: bytes) -> Token | None:
        """A token by its number."""
        found = self._all(f"SELECT {_TOKEN} FROM tokens WHERE id = ?", token_id.hex())  # noqa: S608
        return _token(found[0]) if found else None

    def tokens(self) -> list[Token]:
        """All, the oldest first."""
        return [_token(row) for row in self._all(f"SELECT {_TOKEN} FROM tokens ORDER BY made_at, id")]  # noqa: S608

    def spend(self, request: Request, now: int) -> bool:
        """Use a token up for a request, which is kept; False where somebody was first, or it is over."""
        node = str(request.card.node_id)
        with self._transaction():
            spent = self._connection.execute(
                "UPDATE tokens SET state = 'spent', psk = NULL, proof = NULL, spent_by = ?, spent_at = ?"
                " WHERE id = ? AND state = 'open' AND not_after > ?",
                (node, now, request.token_id.hex(), now),
            )
            if spent.rowcount != 1:
                return False
            self._connection.execute(
                f"INSERT INTO requests ({_REQUEST}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
                (
                    request.token_id.hex(),
                    request.card.to_text(),
                    request.source,
                    request.arrived_at,
                    request.state,
                    request.reason,
                ),
            )
        return True

    def cancel(self, token_id: bytes) -> bool:
        """Let nobody in by this token any more; False where it is not open."""
        with self._transaction():
            done = self._connection.execute(
                "UPDATE tokens SET state = 'cancelled', psk = NULL, proof = NULL WHERE id = ? AND state = 'open'",
                (token_id.hex(),),
            )
        return done.rowcount == 1

    def cancel_open(self) -> int:
        """Let nobody in by any token that is open; how many there were."""
        with self._transaction():
            done = self._connection.execute(
                "UPDATE tokens SET state = 'cancelled', psk = NULL, proof = NULL WHERE state = 'open'"
            )
        return done.rowcount

    def forget_expired(self, now: int) -> None:
        """Have the secrets of expired tokens gone from the file."""
        over = "not_after <= ? AND psk IS NOT NULL"
        if self._all(f"SELECT 1 FROM tokens WHERE {over} LIMIT 1", now):  # noqa: S608
            with self._transaction():
                self._connection.execute(f"UPDATE tokens SET psk = NULL, proof = NULL WHERE {over}", (now,))  # noqa: S608

    # Requests

    def request(self, token_id: bytes) -> Request | None:
        """What was asked with this token."""
        found = self._all(f"SELECT {_REQUEST} FROM requests WHERE token = ?", token_id.hex())  # noqa: S608
        return _request(found[0]) if found else None

    def waiting(self) -> list[Request]:
        """Those that are not settled, the oldest first."""
        where = "state IN ('waiting', 'accepted') ORDER BY arrived_at, token"
        return [_request(row) for row in self._all(f"SELECT {_REQUEST} FROM requests WHERE {where}")]  # noqa: S608

    def count_waiting(self, source: str) -> tuple[int, int]:
        """How many are not settled: of this source, and in all."""
        where = "state IN ('waiting', 'accepted')"
        found = self._all(
            f"SELECT coalesce(sum(source = ?), 0), count(*) FROM requests WHERE {where}",  # noqa: S608
            source,
        )
        return int(found[0][0]), int(found[0][1])

    def settle(self, token_id: bytes, before: Sequence[Settled], after: Settled, reason: str | None = None) -> bool:
        """Move a request on; False where it is not in a state `before`."""
        marks = ", ".join("?" * len(before))
        with self._transaction():
            moved = self._connection.execute(
                f"UPDATE requests SET state = ?, reason = ? WHERE token = ? AND state IN ({marks})",  # noqa: S608
                (after, reason, token_id.hex(), *before),
            )
        return moved.rowcount == 1

    # Cards that were granted to who asked over the network

    def keep_card(self, card: Card, serial: int) -> None:
        """Keep a granted card, for who asks for it again."""
        with self._transaction():
            row = (card.card_id.hex(), serial, card.to_text())
            self._connection.execute("INSERT OR REPLACE INTO granted_cards VALUES (?, ?, ?)", row)

    def kept_card(self, card_id: bytes) -> tuple[Card, int] | None:
        """The card as granted last over the network, and the serial of that grant."""
        found = self._all("SELECT card, serial FROM granted_cards WHERE card_id = ?", card_id.hex())
        return (Card.from_text(found[0][0]), int(found[0][1])) if found else None

    # The desk

    def set_desk(self, desk: Desk) -> None:
        """Keep where joiners find whoever enrols."""
        with self._transaction():
            self._connection.execute("DELETE FROM desk")
            row = (str(desk.node_id), " ".join(map(str, desk.addresses)))
            self._connection.execute("INSERT INTO desk VALUES (?, ?)", row)

    def desk(self) -> Desk | None:
        """Where joiners find whoever enrols; None where nobody ever did."""
        found = self._all("SELECT node_id, addresses FROM desk")
        if not found:
            return None
        node, addresses = found[0]
        return Desk(NodeId.parse(node), tuple(map(Address.parse, addresses.split())))

    def _all(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._sentences():
            return self._connection.execute(sql, values).fetchall()


def _token(row: tuple[Any, ...]) -> Token:
    token_id, state, made_at, not_after, name, identity, groups, lifetime, approve, spent_by, spent_at = row
    return Token(
        bytes.fromhex(token_id),
        state,
        made_at,
        not_after,
        name,
        identity,
        tuple(groups.split()),
        lifetime,
        bool(approve),
        spent_by,
        spent_at,
    )


def _request(row: tuple[Any, ...]) -> Request:
    token_id, card, source, arrived_at, state, reason = row
    return Request(bytes.fromhex(token_id), Card.from_text(card), source, arrived_at, state, reason)
