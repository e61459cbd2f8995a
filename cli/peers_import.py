"""`p2pnoise peers import`: cards and addresses of a file taken into a table, each judged as if a peer had given it."""

import os
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO, TypeAlias

import click

from cards import AddressRecord, Card, CardError, Mark
from cards.findings import UNTRUSTED
from p2pnoise.folder import reading
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip.effects import StorePeer, StoreStatement
from p2pnoise.gossip.table import MAX_PEERS
from p2pnoise.instant import Instant
from p2pnoise.node.keeping import change_of
from p2pnoise.store import PeerStore
from p2pnoise.store import Row as StoredRow

from . import control, options, peer_file, trust_state
from .bench.rounds import progress_bar
from .folders import NodeFolder
from .output import Fault, answer, answer_json, columns, say
from .peer_file import Row
from .peer_weighing import CHANGED, FULL, KNOWN, NEW, claims, is_held, outcome

PORTION = 200  # rows that are judged and kept together: some 0.1 s, and less than 0.5 MB of a question

_Claims: TypeAlias = tuple[Card, AddressRecord | None]
Take = Callable[[Sequence[Row]], Counter[str]]


@click.command("import")
@click.argument("source", metavar="FILE", type=options.FILE)
@options.home
@options.as_json
def command(*, source: str, home: NodeFolder, as_json: bool) -> None:
    """Take over cards and addresses from a file of p2pnoise peers export.

    FILE may be - for standard input. Each is judged by all that the node goes by, as if a peer had given it; what does
    not count, and what is older than what is known, stays out. So nobody needs to trust the file. A running node takes
    them in at once, without a word to its peers, which find out when tables are compared.

    \b
    Examples:
      p2pnoise peers import example-net.peers
      gunzip -c peers.json.gz | p2pnoise peers import - --home /srv/node
    """
    policy = home.read_policy()
    if policy is None:
        raise Fault(f"no policy in {home.path}", "p2pnoise card install FILE, or name the folder with --home")
    counts: Counter[str] = Counter()
    with peer_file.opened(source) as (given, stream), _taking(home) as take:
        if given.network != policy.network:
            text = f"{source} is of the network {given.network}, this folder of {policy.network}"
            raise Fault(text, "name the folder with --home", code=UNTRUSTED)
        size = _size(stream)
        whole = iter(given)
        try:
            with progress_bar("judging the cards", as_json=as_json) as progress:
                while portion := list(islice(whole, PORTION)):
                    counts += take(portion)
                    progress(min(1.0, stream.tell() / size) if size else 0.0)
        except (Fault, CardError):
            if counts:
                say(f"before that {counts[NEW]} were new and {counts[CHANGED]} changed: these are kept")
            raise
    if as_json:
        answer_json({"ok": True, "rows": counts.total(), **_summary(counts)})
        return
    said = _summary(counts)
    answer(f"{said['new']} new, {said['changed']} changed, {said['known']} known already")
    if said["refused"]:
        answer(*columns(("REFUSED", "WHY"), *((str(count), code) for code, count in said["refused"].items())))


def _size(stream: BinaryIO) -> int:
    """In bytes; 0 where nobody knows, as of a pipe."""
    try:
        return os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    except OSError:
        return 0


def _summary(counts: Counter[str]) -> dict[str, Any]:
    taken = {word: counts[word] for word in (NEW, CHANGED, KNOWN)}
    return {**taken, "refused": {code: count for code, count in counts.most_common() if code not in taken}}


@contextmanager
def _taking(home: NodeFolder) -> Iterator[Take]:
    """How rows are taken in here: by the node that runs, or by ourselves. Raises `Fault`."""
    try:
        control.ask(home, "status")
    except control.NotRunning:
        with reading.only_one(home.path, "node"), _Stopped(home) as stopped:
            yield stopped.take
    else:
        yield lambda portion: _ask(home, portion)


def _ask(home: NodeFolder, portion: Sequence[Row]) -> Counter[str]:
    peers = [[b64encode(row.card).decode(), b64encode(row.record).decode()] for row in portion]
    return Counter(control.ask(home, "import", peers=peers)["outcomes"])


class _Stopped:
    """The database of a node that does not run. A context manager."""

    def __init__(self, home: NodeFolder) -> None:
        self._now = options.now()
        key, card = home.read_node(), home.read_card()
        if card is None:
            raise Fault(f"no card in {home.path}", "p2pnoise card install FILE")
        self._trust = trust_state.read(home, self._now, most=0)
        self._facts = self._trust.store.facts
        self._own, self._card = key.public, card
        with trust_state.store_faults():
            self._store = PeerStore(home.database, network=card.network, node_id=key.public)
            self._marks: dict[bytes, Mark] = self._store.marks()
            self._room = MAX_PEERS - len(self._store)

    def __enter__(self) -> "_Stopped":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._store.close()

    def take(self, portion: Sequence[Row]) -> Counter[str]:
        """Judge these, and keep what counts. Raises `Fault`."""
        counts: Counter[str] = Counter()
        claimed: list[_Claims] = []
        for row in portion:
            try:
                claimed.append(claims(row))
            except CardError as error:
                counts[error.code] += 1
        with trust_state.store_faults():
            # Of a database of many, the rows alone that these are about.
            stored = {bytes(row.card.identity): row for row in self._store.rows_of([card for card, _ in claimed])}
            peers = self._worth_judging(claimed, stored, counts)
            table = self._table(stored.values(), peers)
            before = {bytes(card.identity): table.by_identity(card.identity) for card, _ in peers}
            overlay = Overlay(table, random=random.SystemRandom())
            effects = overlay.offer_peers(peers, Instant(0, self._now))
            self._store.commit(
                change_of(one, self._now) for one in effects if isinstance(one, StorePeer | StoreStatement)
            )
        self._facts = table.facts
        for card, _ in peers:
            mark = table.mark(card.identity)
            if mark is not None:
                self._marks[bytes(card.identity)] = mark
            counts[outcome(card, table, before, self._now)] += 1
        self._room -= counts[NEW]
        return counts

    def _worth_judging(
        self, claimed: Iterable[_Claims], stored: Mapping[bytes, StoredRow], counts: Counter[str]
    ) -> list[_Claims]:
        """Those of which something is new here and for which there is room; the others are counted."""
        peers, room = [], self._room
        for card, record in claimed:
            held = stored.get(bytes(card.identity))
            if is_held(card, record, held):
                counts[KNOWN] += 1
            elif held is None and room <= 0:
                counts[FULL] += 1
            else:
                peers.append((card, record))
                room -= held is None
        return peers

    def _table(self, stored: Iterable[StoredRow], peers: Iterable[_Claims]) -> PeerTable:
        """A table of these rows, with what is remembered of those who are to be judged."""
        store = self._trust.store
        table = PeerTable(store.policy, own=self._own, own_card=self._card, signatures=self._trust.signatures)
        table.facts, table.pins = self._facts, store.pins
        for card, _ in peers:
            mark = self._marks.get(bytes(card.identity))
            if mark is not None:
                table.restore_mark(card.identity, mark)
        about = {key for card, _ in peers for key in (bytes(card.identity), bytes(card.node_id))}
        for row in stored:
            if {bytes(row.card.identity), bytes(row.card.node_id)} & about:
                table.restore(
                    row.card,
                    self._now,
                    provenance=row.provenance,
                    first_seen=row.first_seen,
                    learned_from=row.learned_from,
                    own=row.card.node_id == self._own,
                )
                if row.record is not None:
                    table.offer_record(row.record, self._now)
        return table
