"""Reconciliation: how two linked nodes find in which items their tables differ, at a cost that grows with these.

Items are compared by ranges of their keys (items.py), in the group of each issuer whom both accept. A range is said by
a fingerprint, or by its ids where they are few. Whoever hears a fingerprint that is not its own answers with the parts
of that range; whoever hears ids takes them for offers (exchange.py), and tells those that were missing there. So
whoever answers need not remember anything: what is still to be compared is in the message.

Range-based set reconciliation, after Meyer, https://arxiv.org/abs/2212.13567; ordered by time, as negentropy does. What
is new stands at the end, so the parts of an open range halve towards it: a difference in what is new is found in small
parts at once. Figures of `p2pnoise bench gossip` are in PROTOCOL.md.

What a peer can cost us is bounded by an account (budget.py), whatever hours and ids it makes.

A peer that announces much at once is not compared with for a while: most of what differs is on its way.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from itertools import pairwise

from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND, Instant

from .budget import LEAST, Budgets
from .effects import LinkId
from .encoding import ranges_size
from .items import NO_ISSUER, ItemSet, Span, bound_between
from .messages import ID_SIZE, MAX_IDS, Message, Range, Ranges
from .table import PeerTable
from .wants import Wants

FEW = 32  # items of a range that are said by their ids; measured by `p2pnoise bench gossip`, as the next two are
PARTS = 16  # of a range that differs
NEWEST = 64  # items of an open range that are said by their ids once it differs
OPENED = 16  # ranges of one message that are said by their parts or ids; others are said as they were, for the next
MAX_LEFT = 80  # of these, so that the message has no more ranges than it may
MAX_TOLD = MAX_IDS - OPENED * NEWEST
# Ids told at once, most of them lacking, from which on a node says that it holds nothing of what follows, and is told
# that, too, from the lowest key to the highest. Bodies bring grants, which stand far behind them if all is of one hour,
# as where a fleet was enrolled: who has a part of these differs everywhere, and 8,000 rows of one peer took five
# comparisons, a minute apart. What the peer lacks comes to light in the next one.
BEHIND = MAX_TOLD // 2
HEAD = 8  # bytes of a message of nothing, about
OPENING = 2_048  # bytes of a range that is opened, at most: 17 fingerprints and bounds, and the newest ids
LEAVING = 104  # bytes of one that is not, with what is skipped before it, and its group
BACKLOG = 512  # items that are still to be asked of a peer when it is asked what else there is: one question
# Between the first comparisons with two new peers; a guess, measured by `p2pnoise simulate`: 500 nodes that begin at
# once spend a half of all time on comparisons that find what is on its way, if all begin when a link comes up.
TURN = SECOND
# A peer that announces more ids than `MUCH` at once (100,000 nodes have ten to tell in a second) is compared with when
# it has not done so for `CALM`: two pauses between announcements. Guesses, measured by `p2pnoise simulate`: without
# them 3,000 nodes that begin at once spend a half of all time on comparisons.
MUCH = 32
CALM = SECOND // 2
WORTH = 256  # bytes of an item that came, about: grants and records are smaller, bodies larger


@dataclass(slots=True)
class _Link:
    node_id: bytes
    waiting: Ranges | None = None  # to be answered when we have asked for most of what it told
    behind: bool = False  # we lacked most of what that told, and it told much
    calm_at: int = 0  # not before then
    asked: int = 0  # items that it asked for and that were worth something


class Reconciliation:
    """Comparisons of one node's items with those of its peers."""

    def __init__(
        self, table: PeerTable, wants: Wants, send: Callable[[LinkId, Message], None], *, random: Chance
    ) -> None:
        self._table = table
        self._items = table.items
        self._wants = wants
        self._send = send
        self._random = random
        self._links: dict[LinkId, _Link] = {}
        self._waiting: set[LinkId] = set()  # those that have something to be answered; mostly none
        self._budgets = Budgets()
        self._in_turn: dict[LinkId, None] = {}
        self._latest: LinkId | None = None  # whose turn it was last
        self._next_turn = 0
        self._calm_at: int | None = None  # of the first of those who wait for no more than that

    def open(self, link: LinkId, node_id: bytes) -> None:
        self._links[link] = _Link(node_id)

    def close(self, link: LinkId) -> None:
        del self._links[link]
        self._waiting.discard(link)
        self.put_off(link)

    def begin_in_turn(self, link: LinkId, now: Instant) -> None:
        """The same as `begin`, but with one new peer after the other.

        Whoever joins would be told the same by all of them; and while all join, what differs is on its way.
        """
        self._in_turn[link] = None
        self.tick(now)

    def put_off(self, link: LinkId) -> None:
        """The peer does not compare its table with ours: the turn is the next one's."""
        self._in_turn.pop(link, None)
        if link == self._latest:
            self._next_turn = 0

    def tick(self, now: Instant) -> None:
        """Time passed, or questions have ended."""
        self.resume(now)
        if self._in_turn and now.monotonic >= self._next_turn:
            link = min(self._in_turn, key=lambda one: self._links[one].calm_at)
            self._next_turn = self._links[link].calm_at
            if self._next_turn <= now.monotonic:
                self._next_turn = now.monotonic + TURN + self._random.randrange(TURN // 2)
                del self._in_turn[link]
                self._latest = link
                self.begin(link, now)

    def deadline(self) -> int | None:
        """When `tick` wants to be called, in monotonic nanoseconds."""
        due = self._calm_at
        if self._in_turn and (due is None or self._next_turn < due):
            due = self._next_turn
        return due

    def announced(self, link: LinkId, count: int, now: Instant) -> None:
        """The peer told of so many items that it takes for news."""
        if count > MUCH:
            self._links[link].calm_at = now.monotonic + CALM

    def begin(self, link: LinkId, now: Instant) -> None:
        """Have the peer compare its items with ours."""
        if self._room(self._links[link], now) < LEAST:
            return
        whole = []
        for span in (Span(group, b"", b"") for group in self._groups()):
            count = self._items.count(span)
            if count or span.group != NO_ISSUER:
                whole.append((span.group, (self._named(span) if count <= FEW else self._marked(span),)))
        self._say(link, Ranges(tuple(whole), self._items.none), now)

    def offered(self, message: Ranges) -> ItemSet:
        """The ids that the peer holds, as far as it named them."""
        ids = message.told
        for _, ranges in message.groups:
            for one in ranges:
                if isinstance(one.holds, Set):
                    ids = ids | one.holds
        return ids

    def message(self, link: LinkId, message: Ranges, now: Instant) -> None:
        """Answer, now or when what the peer has told so far has been asked for; what it offers was noted before."""
        state = self._links[link]
        self._budgets.spend(state.node_id, ranges_size(message), now)
        if message.groups:
            told = len(message.told)
            state.behind = told >= BEHIND and 2 * len(self._items.lacking(message.told)) > told
            state.waiting = message
            self._waiting.add(link)
            self._go_on(link, state, now)

    def resume(self, now: Instant) -> None:
        """Questions have ended: answer the peers who have been asked for most of what they told."""
        self._calm_at = None
        for link, state in self._links.items() if self._waiting else ():
            if state.waiting is not None:
                self._go_on(link, state, now)

    def is_waiting(self, link: LinkId) -> bool:
        """Whether the peer may have more for us than it was asked for."""
        return self._links[link].waiting is not None

    def earned(self, link: LinkId, *, asked: int, given: int, now: Instant) -> None:
        """The peer asked for so many items that we have; so many came of those that it was asked for.

        To ask is worth something as often as there are items, or whoever asks for the same again and again would have
        us compare without end.
        """
        state = self._links[link]
        asked = min(asked, max(0, len(self._items) - state.asked))
        if asked or given:
            state.asked += asked
            self._budgets.earn(state.node_id, ID_SIZE * asked + WORTH * given, now)

    def _go_on(self, link: LinkId, state: _Link, now: Instant) -> None:
        message = state.waiting
        if message is None or self._wants.backlog(link) > BACKLOG:
            return
        if now.monotonic < state.calm_at:
            self._calm_at = min(self._calm_at or state.calm_at, state.calm_at)
            return
        state.waiting = None
        self._waiting.discard(link)
        room = self._room(state, now)
        if room < LEAST:
            return
        answer = self._answer(message, room, behind=state.behind)
        if answer.groups or answer.told:
            self._say(link, answer, now)

    def _answer(self, message: Ranges, room: int, *, behind: bool) -> Ranges:
        """What there is to say to these ranges, in at most `room` bytes; of those that differ nothing is held, as far
        as the peer need know, where we are far `behind`."""
        differing: list[Span] = []
        named: list[tuple[Span, ItemSet]] = []
        accepted = frozenset(self._groups())
        for group, ranges in message.groups:
            low = b""
            for one in ranges if group in accepted else ():
                span, low = Span(group, low, one.upper), one.upper
                if isinstance(one.holds, Set):
                    named.append((span, one.holds))
                elif one.holds is not None and self._items.fingerprint(span) != one.holds:
                    differing.append(span)
        opened, left = self._choose(differing, 0 if behind else min(OPENED, room // OPENING))
        room -= HEAD + len(opened) * OPENING
        left = left[: max(0, min(MAX_LEFT, room // LEAVING))]
        room = max(0, room - (len(left) + min(len(named), OPENED)) * LEAVING)
        told, rests = self._missing(named, min(MAX_TOLD, room // ID_SIZE))
        said = [part for span in opened for part in self._opened(span)]
        say = self._nothing if behind else self._marked
        said += [(span, self._marked(span)) for span in rests] + [(span, say(span)) for span in left]
        return Ranges(_in_order(said), told)

    def _choose(self, differing: list[Span], most: int) -> tuple[list[Span], list[Span]]:
        """Which ranges to open now, at most so many, and which to leave for later.

        The smallest first, or a table that differs everywhere would never come to ids within its budget; by chance
        among those of one size, or what differs for ever would hide the rest.
        """
        if len(differing) > most:
            differing.sort(key=lambda span: (self._items.count(span).bit_length() // 4, self._random.random()))
        return differing[:most], differing[most:]

    def _missing(self, named: list[tuple[Span, ItemSet]], most: int) -> tuple[ItemSet, list[Span]]:
        """At most so many ids that the peer does not name of these ranges, and where there is more of it."""
        told = self._items.none
        rests: list[Span] = []
        for span, ids in named:
            more, rest = self._items.beyond(span, ids, most - len(told))
            told = told | more
            if rest is not None and len(rests) < OPENED:
                rests.append(span._replace(low=rest))
        return told, rests

    def _opened(self, span: Span) -> list[tuple[Span, Range]]:
        """The ids of a range, or its parts: of an open one each twice as large as the next, of others as large."""
        count = self._items.count(span)
        if count <= FEW:
            return [(span, self._named(span))]
        if span.high:
            ranks = [count * part // PARTS for part in range(1, PARTS)]
        else:
            ranks = [count - (NEWEST << part) for part in reversed(range(PARTS)) if NEWEST << part < count]
        keys = self._items.keys_at(span, [rank for one in ranks for rank in (one - 1, one)])
        bounds = [bound_between(last, first) for last, first in zip(keys[::2], keys[1::2], strict=True)]
        parts = [Span(span.group, low, high) for low, high in pairwise((span.low, *bounds, span.high))]
        named = None if span.high else parts[-1]
        return [(part, self._named(part) if part is named else self._marked(part)) for part in parts]

    def _named(self, span: Span) -> Range:
        return Range(span.high, self._items.within(span))

    def _nothing(self, span: Span) -> Range:
        return Range(span.high, self._items.none)

    def _marked(self, span: Span) -> Range:
        return Range(span.high, self._items.fingerprint(span))

    def _groups(self) -> list[bytes]:
        """Those of the issuers that we accept, and of what needs none."""
        return sorted({NO_ISSUER, *map(bytes, self._table.policy.issuers.values())})

    def _room(self, state: _Link, now: Instant) -> int:
        return self._budgets.room(state.node_id, ID_SIZE * len(self._items), now)

    def _say(self, link: LinkId, message: Ranges, now: Instant) -> None:
        self._budgets.spend(self._links[link].node_id, ranges_size(message), now)
        self._send(link, message)


def _in_order(said: list[tuple[Span, Range]]) -> tuple[tuple[bytes, tuple[Range, ...]], ...]:
    """These ranges in groups, with what lies between them."""
    groups: dict[bytes, list[Range]] = {}
    for span, one in sorted(said, key=lambda part: part[0]):
        ranges = groups.setdefault(span.group, [])
        if span.low != (ranges[-1].upper if ranges else b""):
            ranges.append(Range(span.low, None))
        ranges.append(one)
    return tuple((group, tuple(ranges)) for group, ranges in groups.items())
