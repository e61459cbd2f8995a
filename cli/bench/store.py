"""`p2pnoise bench store`: what a node writes down, against SQLite; and a newcomer's table, against its signatures.

Rows of new peers and of changed ones go into a database of the sample's own, in batches: through `PeerStore`, and as
`executemany` of the same statements with the rows as they stand there, on a connection with the same settings. A
newcomer is given cards and address records that it has not met: it parses, verifies and keeps them, and writes them
down; the floor is what `cryptography` takes to verify their four signatures. Times are of the processor, so that
neither the disk nor what else runs on the machine is a part of them.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cards import (
    AddressRecord,
    Card,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    RevocationList,
    grant,
    make_card,
    make_record,
    statements,
)
from cards.edwards import edwards_image
from cards.issuing import make_list
from cards.statements import CARD_APP, CARD_KEY, CARD_NODE, RECORD, frame
from cli.bench.report import Case, Result, at_most, compare
from cli.bench.rounds import Progress, interleave
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.effects import StorePeer
from p2pnoise.node.keeping import change_of
from p2pnoise.store import PeerStore
from p2pnoise.store.peer_store import PUT_MARK, PUT_PEER, PeerChange, mark_of, row_of
from p2pnoise.store.schema import connect

__all__ = ["run"]

_NETWORK = "example-net"
_OWN = NodeKey.generate(os.urandom).public
_BATCH = 128  # rows of one commit: as many as one message of cards brings

_WRITTEN = at_most(1.18)  # 0.85 of the rows a second

_CASES = (
    Case(name="rows of new peers / executemany", ours="new", other="new, raw", unit="us", target=_WRITTEN),
    Case(name="rows of known peers / executemany", ours="changed", other="changed, raw", unit="us", target=_WRITTEN),
    Case(name="newcomer: verified, kept, written / its 4 verifications", ours="join", other="4", unit="us"),
)

_Given = tuple[bytes, bytes]
"""A card and the address record of its node, as carried."""

_Rows = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]
"""What stands in the tables of peers and of marks."""


@dataclass(frozen=True, slots=True)
class _World:
    policy: Policy
    lists: RevocationList
    given: Sequence[_Given]
    now: int

    def table(self) -> PeerTable:
        table = PeerTable(self.policy, own=_OWN)
        table.restore_facts([self.lists], self.now)
        return table


def run(*, seconds: float, cards: int, progress: Progress) -> list[Result]:
    """Measure for about so many seconds, with so many different cards."""
    world = _make(cards, int(time.time()))
    changes = _taken(world, world.given)
    with TemporaryDirectory() as name:
        paths = (Path(name) / f"{number}.db" for number in count())
        sides = {
            "new": lambda: _commit(next(paths), changes, again=False),
            "new, raw": lambda: _raw(next(paths), changes, again=False),
            "changed": lambda: _commit(next(paths), changes, again=True),
            "changed, raw": lambda: _raw(next(paths), changes, again=True),
            "join": lambda: _join(next(paths), world),
            "4": lambda: _floor(world),
        }
        used, statements.ENGINE = statements.ENGINE, "cryptography"
        try:
            times = interleave(sides, seconds=seconds, progress=progress)
        finally:
            statements.ENGINE = used
    return compare("store", _CASES, times)


def _make(cards: int, now: int) -> _World:
    issuer = IssuerKey.generate(os.urandom)
    given = []
    for serial in range(1, cards + 1):
        identity, node = IdentityKey.generate(os.urandom), NodeKey.generate(os.urandom)
        card = make_card(identity, node, network=_NETWORK, name=f"n{serial}.dc1.example", now=now)
        card = grant(issuer, card, serial=serial, now=now, entropy=os.urandom, groups=["agents"])
        record = make_record(
            node, network=_NETWORK, addresses=[f"192.0.2.{serial % 254 + 1}:7060"], sequence=1, now=now
        )
        given.append((card.raw, record.raw))
    policy = Policy(network=_NETWORK, issuers={"ops": issuer.public})
    return _World(policy, make_list(issuer, network=_NETWORK, sequence=1, now=now), given, now)


def _taken(world: _World, given: Sequence[_Given]) -> list[PeerChange]:
    """What a table that was empty has to write down of these; it counts them all."""
    table, rows = world.table(), []
    for raw, record in given:
        table.offer_card(Card.parse(raw), world.now, source=_OWN)
        _, peer = table.offer_record(AddressRecord.parse(record), world.now)
        if peer is None:
            raise ValueError("a card that we have made ourselves does not count")
        change = change_of(StorePeer(peer), world.now)
        if isinstance(change, PeerChange):
            rows.append(change)
    return rows


def _per_row(work: Callable[[], object], rows: int) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / rows * 1e6


def _written(changes: Sequence[PeerChange], commit: Callable[[Sequence[PeerChange], _Rows], object]) -> float:
    """Microseconds a row. `commit` is given each batch as changes and as rows."""
    taken = 0.0
    for first in range(0, len(changes), _BATCH):
        batch = changes[first : first + _BATCH]
        # Made for both sides: whoever writes has looked at all of it a moment before, as a node has that verified it.
        rows = [*map(row_of, batch)], [*map(mark_of, batch)]
        begun = time.process_time()
        commit(batch, rows)
        taken += time.process_time() - begun
    return taken / len(changes) * 1e6


def _commit(path: Path, changes: Sequence[PeerChange], *, again: bool) -> float:
    store = PeerStore(path, network=_NETWORK, node_id=_OWN)
    try:
        for _ in range(again):
            store.commit(changes)
        return _written(changes, lambda batch, _: store.commit(batch))
    finally:
        store.close()


def _raw(path: Path, changes: Sequence[PeerChange], *, again: bool) -> float:
    db = connect(path)

    def write(rows: _Rows) -> None:
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(PUT_PEER, rows[0])
            db.executemany(PUT_MARK, rows[1])

    try:
        for _ in range(again):
            write(([*map(row_of, changes)], [*map(mark_of, changes)]))
        return _written(changes, lambda _, rows: write(rows))
    finally:
        db.close()


def _join(path: Path, world: _World) -> float:
    store = PeerStore(path, network=_NETWORK, node_id=_OWN)
    edwards_image.cache_clear()  # or a key that comes round would not be met for the first time
    taken = _per_row(lambda: store.commit(_taken(world, world.given)), len(world.given))
    store.close()
    return taken


def _floor(world: _World) -> float:
    (issuer,) = world.policy.issuers.values()
    jobs = []
    for raw, one in world.given:
        card, record = Card.parse(raw), AddressRecord.parse(one)
        node, app = card.node_id.signing_key, card.grants[0]
        jobs += [
            (bytes(card.identity), card.key_signature, frame(CARD_KEY, card.body)),
            (node, card.node_signature, frame(CARD_NODE, _NETWORK.encode(), card.identity, card.node_id)),
            (bytes(issuer), app.signature, frame(CARD_APP, card.body, app.attrs)),
            (node, record.signatures[0], frame(RECORD, record.body)),
        ]

    def verify() -> None:
        for key, signature, message in jobs:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)

    return _per_row(verify, len(world.given))
