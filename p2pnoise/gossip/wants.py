"""Wants: which items were asked of which peer, so that nothing is asked twice at once and nothing comes unasked."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from p2pnoise.instant import SECOND

from .items import ItemSet

TIMEOUT = 10 * SECOND  # an answer that takes longer is asked for elsewhere; a guess, measured by `p2pnoise simulate`
MAX_QUEUED = 30_000  # item ids that one peer announced and that we have not asked for yet: all of ten thousand nodes
# that start at once. With 10,000 records were still lacking after 20 s there: what is dropped waits for a comparison.
MAX_REFUSED = 10_000  # item ids that we looked at and did not take; not asked for again
REFUSAL = 600 * SECOND  # after this a refused item may be asked for once more: clocks are mended, grants begin. A guess
MAX_TOGETHER = MAX_REFUSED // 10  # of them that end together: where there are too many, the oldest of these go


class Holding(Protocol):
    """What is held of what can be asked for, and the making of sets of it."""

    @property
    def none(self) -> ItemSet: ...

    def gathering(self) -> ItemSet: ...

    def first(self, ids: ItemSet, most: int, /) -> ItemSet: ...

    def lacking(self, ids: ItemSet, /) -> ItemSet: ...


@dataclass(slots=True)
class _Asked:
    offered: ItemSet  # it told us of them: those that we lack, and those that came since from others
    wanted: ItemSet  # asked of this peer
    given: ItemSet  # those of them that have come
    aside: ItemSet  # not to be asked of it again before trust changes, or for a while
    late: ItemSet  # those of `wanted` that others may be asked for meanwhile
    aside_until: int = 0  # 0 until it offers something
    strange: bool = False  # it gave what cannot be told from the rest of what was asked
    freed: bool = False  # what it gave was put aside: others may be asked for that


@dataclass(slots=True)
class _Refusals:
    """What was refused within one second, and ends with the first of it.

    Were each kept by itself, a peer that gives thousands of items which are not worth keeping would have all of them
    gone through one by one when they end. Growing sets: nothing is copied for what is added.
    """

    began: int
    ids: ItemSet  # in no other of these


class Wants:
    """The open questions of one node to all its links. Bounded per link by `MAX_QUEUED`, in all by `MAX_REFUSED`."""

    def __init__(self, holding: Holding, *, most: int) -> None:
        self._holding = holding
        self._most = most  # items asked for at once
        self._links: dict[int, _Asked] = {}
        self._open: dict[int, int] = {}  # link -> when its answer is late; in the order in which they were asked
        self._anywhere = holding.none
        self._expected = holding.gathering()  # told of by somebody, while another may be about to push it
        self._refused = holding.gathering()
        # The same, by how long that is to last, and by when it was.
        self._refusals: dict[int, deque[_Refusals]] = {REFUSAL: deque()}

    def open(self, link: int) -> None:
        none = self._holding.none
        self._links[link] = _Asked(offered=none, wanted=none, given=none, aside=self._holding.gathering(), late=none)

    def close(self, link: int) -> None:
        self._open.pop(link, None)
        asked = self._links.pop(link)
        self._anywhere -= asked.wanted - asked.late

    def queue(self, link: int, ids: ItemSet, news: ItemSet, now: int) -> None:
        """Remember what the peer offers and we lack, or hold as `news` that we have not told it of."""
        self.forget_refused(now)
        asked = self._links[link]
        if asked.aside:
            self._take_back(asked, now)
        new = self._holding.lacking(ids)
        if new:
            new = new - self._refused - asked.aside
        if news:
            new |= ids & news
        if new:
            offered = asked.offered | new
            if len(offered) > MAX_QUEUED:
                asked.offered -= self._refused  # since then, from others: they are to take no room
                offered = asked.offered | self._holding.first(new - asked.offered, MAX_QUEUED - len(asked.offered))
            asked.offered = offered

    def _take_back(self, asked: _Asked, now: int) -> None:
        """What was put aside long enough ago may be asked for once more: what it lacked may have begun since."""
        if not asked.aside_until:
            asked.aside_until = now + REFUSAL
        elif now >= asked.aside_until:
            asked.aside, asked.aside_until = self._holding.gathering(), 0

    def offered(self, link: int) -> ItemSet:
        """What this peer holds, as far as it told us since `forget_held` and we lacked it or had it as news."""
        return self._links[link].offered

    def forget_held(self, link: int) -> None:
        asked = self._links[link]
        asked.offered = self._holding.lacking(asked.offered)

    def next_batch(self, link: int, now: int) -> ItemSet:
        """What to ask of this peer now: nothing while it still owes an answer, or when others are asked for it all."""
        asked = self._links[link]
        if link in self._open or not asked.offered:
            return self._holding.none
        free = self._free(asked.offered)
        if free:
            asked.wanted = self._holding.first(free, self._most)
            asked.given = self._holding.gathering()
            asked.late = self._holding.none
            asked.offered -= asked.wanted
            self._anywhere |= asked.wanted
            self._open[link] = now + TIMEOUT
        return asked.wanted

    def backlog(self, link: int) -> int:
        """How many of the items that this peer offers nobody was asked for yet."""
        offered = self._links[link].offered
        return len(self._free(offered)) if offered else 0

    def _free(self, offered: ItemSet) -> ItemSet:
        free = self._holding.lacking(offered - self._anywhere) - self._refused
        return free - self._expected if free and self._expected else free

    def owed(self, link: int) -> int:
        """How many of the items that were asked of this peer have not come."""
        asked = self._links[link]
        return len(asked.wanted) - len(asked.given)

    def expect(self, link: int, ids: ItemSet) -> ItemSet:
        """Those of these offered items that nobody was asked for and nobody else told of: not to be asked for yet."""
        new = self._holding.lacking(ids & self._links[link].offered) - self._anywhere - self._expected
        if new:
            self._expected |= new
        return new

    def expect_no_longer(self, ids: ItemSet) -> None:
        """They may be asked for."""
        if self._expected:
            self._expected -= ids

    def open_to_others(self, ids: ItemSet) -> None:
        """Others may be asked for what was asked for already; who was, may still give it."""
        for asked in self._links.values():
            late = (asked.wanted & ids) - asked.late if asked.wanted else self._holding.none
            if late:
                asked.late = asked.late | late
                self._anywhere -= late

    def welcome(self, link: int, ids: ItemSet) -> ItemSet:
        """Those of these items, unasked for, that are worth a look: neither held, nor refused, nor put aside."""
        new = self._holding.lacking(ids)
        return new - self._refused - self._links[link].aside if new else new

    def wanted(self, link: int) -> ItemSet:
        """What was asked of this peer and has not come."""
        asked = self._links[link]
        return asked.wanted - asked.given

    def waiting(self, link: int) -> bool:
        """Whether there is any of that."""
        return self.owed(link) > 0

    def answered(self, link: int, ids: list[bytes] | tuple[bytes, ...] | ItemSet) -> bool:
        """Whether one of `ids` was asked of this peer; they are not waited for any longer."""
        asked = self._links[link]
        hits = asked.wanted & (frozenset(ids) if isinstance(ids, list | tuple) else ids)
        if hits:
            hits = hits - asked.given
        if not hits:
            return False
        asked.given |= hits
        return True

    def settle(self, link: int) -> bool:
        """The peer has answered as far as it can: what it did not give is not waited for any longer.

        Whether there is something of that kind, which others may be asked for.
        """
        asked = self._links[link]
        self._open.pop(link, None)
        left = asked.wanted - asked.given
        if asked.wanted:
            self._anywhere -= asked.wanted - asked.late
            asked.given = self._holding.none
            asked.wanted = self._holding.none
            asked.late = self._holding.none
        if left and asked.strange and len(asked.aside) < MAX_QUEUED:
            asked.aside |= left
        if left:  # others come first, or who names everything and gives nothing would be asked again and again
            self._links[link] = self._links.pop(link)
        others = bool(left) or asked.freed
        asked.strange = asked.freed = False
        return others

    def strange(self, link: int) -> None:
        """The peer gave a grant by a key that we do not know, so that nobody can say which of the ids it has.

        Other peers are asked for what is then left of its answer; it is itself when trust has changed.
        """
        self._links[link].strange = True

    def put_aside(self, link: int, ids: Iterable[bytes]) -> None:
        """Do not ask this peer for these items again, until `forgive` or for a while; others may have them whole."""
        asked, aside = self._links[link], self._holding.none | frozenset(ids)
        # This peer is asked for them no longer; or the end of its answer would open them while another is asked.
        asked_for = asked.wanted & aside
        if asked_for:
            self._anywhere -= asked_for - asked.late
            asked.wanted -= asked_for
            asked.given -= asked_for
            asked.freed = True
        if len(asked.aside) < MAX_QUEUED:
            asked.aside |= aside

    def reconsider(self, link: int, item: bytes, reason: Iterable[bytes]) -> None:
        """The peer gave what an item that was put aside may have lacked, unless that was put aside with it."""
        asked = self._links[link]
        if not asked.aside & (self._holding.none | frozenset(reason)):
            asked.aside -= self._holding.none | frozenset((item,))

    def refuse(self, ids: Collection[bytes], now: int, *, lasts: int = REFUSAL) -> None:
        """Do not ask for these items again, until `forgive` or for so many nanoseconds."""
        if not ids:
            return
        new = self._holding.first(self._holding.none | frozenset(ids), MAX_REFUSED) - self._refused
        if not new:
            return
        refusals = self._refusals.setdefault(lasts, deque())
        last = refusals[-1] if refusals else None
        if last is None or last.began + SECOND <= now or len(last.ids) + len(new) > MAX_TOGETHER:
            last = _Refusals(now, self._holding.gathering())
            refusals.append(last)
        last.ids |= new
        self._refused |= new
        while len(self._refused) > MAX_REFUSED:
            self._refused -= max(self._refusals.values(), key=len).popleft().ids

    def forget_refused(self, now: int) -> None:
        """What was refused long enough ago may be asked for, and taken, once more."""
        for lasts, refusals in self._refusals.items():
            while refusals and refusals[0].began + lasts <= now:
                self._refused -= refusals.popleft().ids

    def refused(self, item: bytes) -> bool:
        return item in self._refused

    def forgive(self) -> bool:
        """Trust changed: what was refused may be taken now. Whether there is any of that."""
        some = bool(self._refused) or any(asked.aside for asked in self._links.values())
        for refusals in self._refusals.values():
            refusals.clear()
        self._refused = self._holding.gathering()
        for asked in self._links.values():
            asked.aside, asked.aside_until = self._holding.gathering(), 0
        return some

    def overdue(self, now: int) -> list[int]:
        """Links whose answer is late; their questions are open to others from now on."""
        late = []
        while self._open:
            link, due = next(iter(self._open.items()))
            if now < due:
                break
            self.settle(link)
            late.append(link)
        return late

    def at_rest(self, link: int) -> bool:
        """Whether nothing was asked of this peer that it has not answered."""
        return link not in self._open

    def idle_with_queue(self) -> list[int]:
        return [link for link, asked in self._links.items() if asked.offered and link not in self._open]

    @property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """Of each link how many items were asked of its peer, and how many are to be."""
        return {link: (len(asked.wanted) - len(asked.given), len(asked.offered)) for link, asked in self._links.items()}

    def deadline(self) -> int | None:
        return next(iter(self._open.values())) if self._open else None
