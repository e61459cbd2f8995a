"""Statements: how linked nodes come to hold the same delegations, endings, manifests and conflicts.

When a link is up, and every few seconds, a node names the digests of what it holds; what the other lacks it asks for.
What a node has just accepted it gives unasked to all who have not named it: statements are few, and some are urgent.
What ends an identity may come before the identity itself: it waits apart, so that strangers cannot fill the places of
the others.
"""

from collections.abc import Callable, Iterable, Iterator

from cards import Card, CardError, SelfRevocation, Succession
from cards.facts import KINDS, MAX_STATEMENTS, Statement
from cards.findings import BAD_SIGNATURE
from p2pnoise.instant import Instant

from .allowance import Allowances
from .early import Early, forget_one
from .effects import LinkId
from .evidence import is_needed
from .items import ItemSet, PlainSets
from .messages import (
    MAX_ITEMS_BYTES,
    MAX_WANT_STATEMENTS,
    GivenStatements,
    HeldStatements,
    Message,
    MessageError,
    OfStatements,
    WantStatements,
)
from .table import PeerTable
from .wants import Wants

MAX_NAMED = len(KINDS) * MAX_STATEMENTS  # digests that are remembered for one link
MAX_EARLY = 1_000  # endings of identities that we have not met
BURST = 200  # statements that one peer may give at once unasked; a guess: twice what a node of this version does
RATE = 10  # and a second after that: at two milliseconds for each, a fiftieth of one processor


class _Statements(PlainSets):
    """Digests of statements, some of which a table holds, or we keep for it."""

    def __init__(self, table: PeerTable, early: Early[Statement]) -> None:
        self._table = table
        self._early = early

    def lacking(self, digests: ItemSet) -> ItemSet:
        statements = self._table.facts.statements
        early = {one.digest for one, _ in self._early.values()}
        return frozenset(digest for digest in digests if digest not in statements and digest not in early)


class StatementExchange:
    """What is named, wanted and given on the links that are up. The overlay takes what it hands out, and says so."""

    def __init__(self, table: PeerTable, send: Callable[[LinkId, Message], None]) -> None:
        self._table = table
        self._send = send
        self._early: Early[Statement] = {}  # by identity key
        self._holding = _Statements(table, self._early)
        self._wants = Wants(self._holding, most=MAX_WANT_STATEMENTS)
        self._named: dict[LinkId, dict[bytes, None]] = {}  # what each link's peer has named, the newest last
        self._news: dict[bytes, LinkId | None] = {}  # digest -> the link that it came by
        self._allowed = Allowances(burst=BURST, rate=RATE)
        self._owed: dict[LinkId, int] = {}  # statements that a peer may still give for its answer

    def peer_up(self, link: LinkId) -> None:
        self._named[link] = {}
        self._wants.open(link)
        self.name_all(link)

    def peer_down(self, link: LinkId, now: Instant) -> None:
        if self._named.pop(link, None) is not None:
            self._wants.close(link)
            self._owed.pop(link, None)
            self._ask_waiting(now)

    def name_all(self, link: LinkId) -> None:
        """Name everything; silence says that there is nothing."""
        held = tuple(self._table.facts.statements)
        for start in range(0, len(held), MAX_STATEMENTS):
            self._send(link, HeldStatements(held[start : start + MAX_STATEMENTS]))

    def message(self, link: LinkId, giver: bytes, message: OfStatements, now: Instant) -> Iterator[Statement]:
        """The statements that this peer gave and that matter here, to be taken one by one, since one may make another
        needless. `giver` is its Node ID. Raises `MessageError`."""
        match message:
            case HeldStatements(digests):
                self._holds(link, digests)
                self._queue(link, digests, now)
                self._ask(link, now)
            case WantStatements(digests):
                for batch in self._serve(digests):
                    self._send(link, GivenStatements(batch))
                self._send(link, GivenStatements(()))
            case GivenStatements(()):
                self._owed.pop(link, None)
                self._wants.settle(link)
                self._ask_waiting(now)
            case GivenStatements(given):
                for label, raw in given:
                    statement = self._given(link, giver, label, raw, now)
                    if statement is not None:
                        yield statement

    def accepted(self, digest: bytes, link: LinkId | None) -> None:
        """A statement is held now: it is news for the others."""
        self._news[digest] = link

    def refused(self, digest: bytes, now: Instant) -> None:
        """It was not taken, and is not asked for again before trust changes."""
        self._wants.refuse([digest], now.monotonic)

    def forget(self, digests: Iterable[bytes]) -> None:
        """These have made room for others, here and with whoever named them: or they would be asked for without end."""
        for digest in digests:
            for named in self._named.values():
                named.pop(digest, None)

    def forgive(self, now: Instant) -> None:
        """Trust changed: what was refused may be taken now."""
        self._wants.forgive()
        for link, digests in self._named.items():
            self._queue(link, digests, now)
        self._ask_waiting(now)

    def early(self, card: Card, now: Instant) -> Statement | None:
        """What ended the identity of a card that would count but for it; once."""
        if card.identity not in self._early or not self._table.judge(card, now.unix).ok:
            return None
        return self._early.pop(card.identity)[0]

    def finish(self) -> None:
        """Give what is new to everybody who has not named it; or name it, where it is very much."""
        if not self._news:
            return
        for link, named in self._named.items():
            digests = [one for one, source in self._news.items() if source != link and one not in named]
            if len(digests) > MAX_WANT_STATEMENTS:
                self._send(link, HeldStatements(tuple(digests[:MAX_STATEMENTS])))
            else:
                for batch in self._serve(digests):
                    self._send(link, GivenStatements(batch))
        self._news.clear()

    def tick(self, now: Instant) -> None:
        if self._wants.overdue(now.monotonic):
            self._ask_waiting(now)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `tick` wants to be called, or None."""
        return self._wants.deadline()

    def _queue(self, link: LinkId, digests: Iterable[bytes], now: Instant) -> None:
        self._wants.queue(link, frozenset(digests), frozenset(), now.monotonic)

    def _ask_waiting(self, now: Instant) -> None:
        for link in self._wants.idle_with_queue():
            self._ask(link, now)

    def _ask(self, link: LinkId, now: Instant) -> None:
        batch = self._wants.next_batch(link, now.monotonic)
        if batch:
            self._owed[link] = len(batch)
            self._send(link, WantStatements(tuple(sorted(batch))))

    def _holds(self, link: LinkId, digests: Iterable[bytes]) -> None:
        named = self._named[link]
        for digest in digests:
            named.pop(digest, None)
            named[digest] = None
        while len(named) > MAX_NAMED:
            del named[next(iter(named))]

    def _serve(self, digests: Iterable[bytes]) -> Iterator[tuple[tuple[str, bytes], ...]]:
        """Those of these statements that we hold, in batches that fit a message."""
        batch: list[tuple[str, bytes]] = []
        for digest in dict.fromkeys(digests):
            statement = self._table.facts.statements.get(digest)
            if statement is None:
                continue
            batch.append((statement.label, statement.raw))
            if sum(len(raw) for _, raw in batch) > MAX_ITEMS_BYTES:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)

    def _given(self, link: LinkId, giver: bytes, label: str, raw: bytes, now: Instant) -> Statement | None:
        """The statement, if it matters and we asked for it or lack it; cheap checks come before signatures."""
        if label not in KINDS or not self._admits(link, giver, now):
            return None
        try:
            statement = KINDS[label].parse(raw)
        except CardError as error:
            raise MessageError(str(error)) from None
        digest = frozenset([statement.digest])
        self._holds(link, digest)
        if not self._wants.answered(link, digest) and not self._wants.welcome(link, digest):
            return None
        finding = None
        if is_needed(self._table, statement):
            finding = self._table.check_statement(statement)
            if finding is None and not self._is_early(statement, giver):
                return statement
        if finding is not None and finding.exit == BAD_SIGNATURE:
            raise MessageError(finding.message)
        if self._holding.lacking(digest):
            self.refused(statement.digest, now)
        return None

    def _admits(self, link: LinkId, giver: bytes, now: Instant) -> bool:
        """Whether the peer may give another one: as many as were asked of it, and others within its allowance.

        Only when it is parsed it is known which it is, and that is what takes time.
        """
        owed = self._owed.get(link, 0)
        if owed:
            self._owed[link] = owed - 1
            return True
        return self._allowed.take(giver, 1, now.monotonic)

    def _is_early(self, statement: Statement, giver: bytes) -> bool:
        """Whether a statement ends an identity that never counted here; it is put aside then."""
        if not isinstance(statement, SelfRevocation | Succession):
            return False
        identity = statement.signers[0]
        if self._table.mark(identity) is not None:
            return False
        known, _ = self._early.get(identity, (None, b""))
        if not isinstance(known, SelfRevocation):  # which is final
            self._early[identity] = statement, giver
        if len(self._early) > MAX_EARLY:
            forget_one(self._early)
        return True
