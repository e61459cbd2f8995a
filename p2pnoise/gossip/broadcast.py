"""Broadcast: how news reaches every node: pushed along a tree, told by id beside it. After Plumtree, SRDS 2007.

A link is eager until its peer pushed what we held already: then it is pruned, by both ends, and lazy. News is pushed
over eager links, and told by id over the others. So what is left of the eager links is a tree. Where it is broken,
nobody pushes what was told: it is asked for after a while, and the link over which it was told is grafted, eager again.
What has passed already is known by the table, and by what was refused (wants.py).

Three things differ from the paper, since all news of a network goes along one tree, much of it at once. A storm is told
by id alone, over eager links too, where it is asked for at once: who asks for what it lacks gets nothing twice. Of as
many pieces of news as there are under way, each shows a circle of eager links to be one; each prunes with the chance
that it is cut once. And all nodes beyond a break hear of what they lack at one time: each waits for another while.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import count

from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND, Instant

from .allowance import Allowance, Allowances
from .effects import LinkId
from .exchange import Exchange
from .items import ItemIndex, ItemSet
from .messages import MAX_IDS, Announce, Message, Prune, Push

# Measured by `p2pnoise simulate`, figures in PROTOCOL.md:
PUSH_PAUSE = SECOND // 200  # between two pushes
ANNOUNCE_PAUSE = SECOND // 5  # until news is told by id, together with what else has come until then
OUR_BURST = 40  # ids of news that a node pushes at once: three card, record and grant of itself and each of its peers
OUR_RATE = 20  # and a second after that: ten times what 100,000 nodes have to say of themselves
FIRST_WAIT = 2  # round trips that a push may come later than the id of what it brings
SPREAD = 4  # and up to so many more, drawn for each: where the tree is broken, few are to ask
NEXT_WAIT = 2  # until what was asked of one peer is asked of another: with the one of SRDS 2007 half come too late
# Items that one peer may push at once, and a second after that, at a millisecond for each. What we asked for is not
# among them. The rate is of overlay-and-gossip 2.3(a). Of the 26,000 and 100,000 items that are pushed in `p2pnoise
# simulate run join-storm` (400 nodes) and `renewal-storm` (300 in one minute) none is one too many, nor was by 2,000
# and 200: no peer ever used up more than 24, as its own limit has it.
THEIR_BURST = 500  # what a peer may have pushed while we stood still for 20 s
THEIR_RATE = 50


class Broadcast:
    """What came into the table and has not been told yet, whom it is pushed to, and what is to be pushed to us."""

    def __init__(
        self, items: ItemIndex, exchange: Exchange, send: Callable[[LinkId, Message], None], *, random: Chance
    ) -> None:
        self.news: ItemSet = items.gathering()
        self._items = items
        self._exchange = exchange
        self._wants = exchange.wants
        self._send = send
        self._random = random
        self._lazy: dict[LinkId, bool] = {}  # of each link that is up
        self._known: dict[LinkId | None, ItemSet] = {}  # the news that came by it, or was pushed over it
        self._fresh: ItemSet = items.gathering()  # the news that has not been pushed
        self._push_at = self._announce_at = 0  # not before then
        self._ours = Allowance(burst=OUR_BURST, rate=OUR_RATE)
        self._storm = False  # there was more news than we push
        self._theirs = Allowances(burst=THEIR_BURST, rate=THEIR_RATE)
        self._order = count()
        self._expected: list[tuple[int, int, LinkId, ItemSet]] = []  # heap: until when, order, who told us, of what
        self._asked: deque[tuple[int, ItemSet]] = deque()  # until when these are to come that were asked for since

    def peer_up(self, link: LinkId) -> None:
        self._lazy[link] = False

    def peer_down(self, link: LinkId) -> None:
        self._lazy.pop(link, None)
        self._known.pop(link, None)
        if not self._lazy:  # nobody can push or be asked
            for _, _, _, ids in self._expected:
                self._wants.expect_no_longer(ids)
            self._expected.clear()
            self._asked.clear()

    # What came

    def note(self, link: LinkId | None, ids: ItemSet, now: Instant) -> None:
        """These have just come into the table, by this link."""
        if ids:
            if not self.news:
                self._announce_at = now.monotonic + ANNOUNCE_PAUSE
            self.news |= ids
            self._fresh |= ids
            self._remember(link, ids)

    def held_by(self, link: LinkId, ids: ItemSet) -> None:
        """The peer pushed these: what of them is still to be told, it need not hear."""
        ids = ids & self.news
        if ids:
            self._remember(link, ids)

    def _remember(self, link: LinkId | None, ids: ItemSet) -> None:
        known = self._known.get(link)
        if known is None:
            known = self._items.gathering()
        known |= ids
        self._known[link] = known

    # What peers say

    def announced(self, link: LinkId, ids: ItemSet, now: Instant) -> None:
        """The peer told of these. Over an eager link that is all it will say of them; else somebody may push them."""
        self._wants.queue(link, ids, self.news, now.monotonic)
        if not self._lazy[link]:
            self._wants.expect_no_longer(ids)
            self._exchange.ask(link, now, graft=ids)
            return
        new = self._wants.expect(link, ids)
        if new:
            trip = self._exchange.round_trips.typical
            due = now.monotonic + FIRST_WAIT * trip + self._random.randrange(SPREAD * trip)
            heapq.heappush(self._expected, (due, next(self._order), link, new))

    def admits(self, node_id: bytes, items: int, now: Instant) -> bool:
        """Whether the peer with this Node ID may push so many items now; otherwise they are not even read."""
        return self._theirs.take(node_id, items, now.monotonic)

    def was_needless(self, link: LinkId, now: Instant) -> None:
        """Of what the peer pushed nothing was new."""
        under_way = self._ours.spent(now.monotonic)
        if under_way <= 1 or not self._random.randrange(under_way):
            self.prune(link)

    def prune(self, link: LinkId) -> None:
        """Have the peer push no more."""
        self._lazy[link] = True
        self._send(link, Prune())

    def pruned(self, link: LinkId) -> None:
        self._lazy[link] = True

    def grafted(self, link: LinkId) -> None:
        self._lazy[link] = False

    # What time brings

    def deadline(self) -> int | None:
        """When `tick` and `tell` want to be called, in monotonic nanoseconds."""
        due = self._announce_at if self.news else None
        if (due is None or self._push_at < due) and self._fresh:
            due = self._push_at
        if self._expected and (due is None or self._expected[0][0] < due):
            due = self._expected[0][0]
        if self._asked and (due is None or self._asked[0][0] < due):
            due = self._asked[0][0]
        return due

    def tick(self, now: Instant) -> None:
        """Ask for what nobody has pushed in time; first whoever told of it first, and others where it is late."""
        while self._asked and self._asked[0][0] <= now.monotonic:
            late = self._items.lacking(self._asked.popleft()[1])
            if late:
                self._wants.open_to_others(late)
                self._graft(self._wants.idle_with_queue(), late, now)
        while self._expected and self._expected[0][0] <= now.monotonic:
            _, _, link, ids = heapq.heappop(self._expected)
            self._wants.expect_no_longer(ids)
            missing = self._items.lacking(ids)
            if missing:
                self._graft([link, *self._wants.idle_with_queue()], missing, now)

    def _graft(self, links: list[LinkId], missing: ItemSet, now: Instant) -> None:
        asked = False
        for link in links:
            if link in self._lazy and self._exchange.ask(link, now, graft=missing):
                self._lazy[link] = False
                asked = True
        if asked:
            due = now.monotonic + NEXT_WAIT * self._exchange.round_trips.typical
            self._asked.append((max(due, self._asked[-1][0] if self._asked else 0), missing))

    # Telling

    def tell(self, neighbours: Collection[LinkId], now: Instant) -> None:
        """Push what is new, and tell by id, each when it is time: to each neighbour what it may lack."""
        if not neighbours:
            self._forget()
        if now.monotonic >= self._push_at and self._fresh:
            fresh = self._items.held(self._fresh)
            self._fresh = self._items.gathering()
            if self._is_calm(len(fresh), now):
                self._push(neighbours, fresh, now)
        if now.monotonic >= self._announce_at and self.news:
            self._announce(neighbours, self._items.held(self.news))
            self._forget()

    def _forget(self) -> None:
        if self.news:
            self.news, self._fresh = self._items.gathering(), self._items.gathering()
            self._known.clear()

    def _is_calm(self, count: int, now: Instant) -> bool:
        """Whether so much more news may be pushed: after too much of it none, until all of the burst is there again."""
        ours = self._ours
        if self._storm and ours.spent(now.monotonic):
            ours.exhaust(count, now.monotonic)
            return False
        self._storm = not ours.take(count, now.monotonic)
        if self._storm:
            ours.exhaust(count, now.monotonic)
        return not self._storm

    def _push(self, neighbours: Collection[LinkId], news: ItemSet, now: Instant) -> None:
        for link in neighbours:
            ids = self._untold(link, news) if not self._lazy[link] else self._items.none
            if ids:
                self._push_at = now.monotonic + PUSH_PAUSE
                for batch in self._exchange.items(ids):
                    self._send(link, Push(batch))
                self._remember(link, ids)
        if not any(self._untold(link, self.news) for link in neighbours):
            self._announce_at = now.monotonic

    def _announce(self, neighbours: Iterable[LinkId], news: ItemSet) -> None:
        for link in neighbours:
            ids = self._untold(link, news)
            while ids:
                batch = self._items.first(ids, MAX_IDS)
                self._send(link, Announce(batch))
                ids = ids - batch if batch is not ids else self._items.none
            self._wants.forget_held(link)

    def _untold(self, link: LinkId, news: ItemSet) -> ItemSet:
        """What of the news the peer neither gave us nor told us of, and was not given."""
        ids = news - self._wants.offered(link)
        known = self._known.get(link)
        return ids - known if known is not None and ids else ids
