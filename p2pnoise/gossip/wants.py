"""Wants: which items were asked of which peer, so that nothing is asked twice at once and nothing comes unasked."""

from collections import OrderedDict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from p2pnoise.instant import SECOND

from .messages import MAX_WANT

TIMEOUT = 10 * SECOND  # an answer that takes longer is asked for elsewhere; a guess, measured by `p2pnoise simulate`
MAX_QUEUED = 10_000  # item ids that one peer announced and that we have not asked for yet
MAX_REFUSED = 10_000  # item ids that we looked at and did not take; not asked for again
REFUSAL = 600 * SECOND  # after this a refused item may be asked for once more: clocks are mended, grants begin. A guess


@dataclass(slots=True)
class _Asked:
    open: bool = False  # whether the end of an answer is awaited: only then is the next question its own
    wanted: set[bytes] = field(default_factory=set)  # asked of this peer, not yet answered
    due: int = 0  # monotonic nanosecond by which it should have answered
    queue: OrderedDict[bytes, None] = field(default_factory=OrderedDict)  # to be asked of it later
    strange: bool = False  # it gave what cannot be told from the rest of what was asked
    aside: set[bytes] = field(default_factory=set)  # not to be asked of it again before trust changes


class Wants:
    """The open questions of one node to all its links. Bounded per link by `MAX_QUEUED`, in all by `MAX_REFUSED`."""

    def __init__(self, held: Container[bytes]) -> None:
        self._held = held
        self._links: dict[int, _Asked] = {}
        self._anywhere: set[bytes] = set()
        self._refused: OrderedDict[bytes, int] = OrderedDict()  # item id -> monotonic nanosecond of its refusal

    def open(self, link: int) -> None:
        self._links[link] = _Asked()

    def close(self, link: int) -> None:
        self._anywhere -= self._links.pop(link).wanted

    def queue(self, link: int, ids: Iterable[bytes], now: int) -> None:
        """Remember what the peer offers and we lack."""
        while self._refused and next(iter(self._refused.values())) + REFUSAL <= now:
            self._refused.popitem(last=False)
        asked = self._links[link]
        known = (self._held, self._refused, asked.aside)
        for item in ids:
            if not any(item in one for one in known) and len(asked.queue) < MAX_QUEUED:
                asked.queue[item] = None

    def next_batch(self, link: int, now: int) -> tuple[bytes, ...]:
        """What to ask of this peer now: nothing while it still owes an answer, or when others are asked for it all."""
        asked = self._links[link]
        if asked.open:
            return ()
        elsewhere: list[bytes] = []
        while asked.queue and len(asked.wanted) < MAX_WANT:
            item, _ = asked.queue.popitem(last=False)
            if item in self._anywhere:
                elsewhere.append(item)
            elif item not in self._held:
                asked.wanted.add(item)
        asked.queue.update(dict.fromkeys(elsewhere))
        self._anywhere |= asked.wanted
        asked.open = bool(asked.wanted)
        asked.due = now + TIMEOUT
        return tuple(sorted(asked.wanted))

    def answered(self, link: int, ids: Iterable[bytes]) -> bool:
        """Whether one of `ids` was asked of this peer; they are not waited for any longer."""
        asked = self._links[link]
        hits = asked.wanted.intersection(ids)
        asked.wanted -= hits
        self._anywhere -= hits
        return bool(hits)

    def settle(self, link: int) -> None:
        """The peer has answered as far as it can: what it did not give is not waited for any longer."""
        asked = self._links[link]
        self._anywhere -= asked.wanted
        if asked.strange and len(asked.aside) < MAX_QUEUED:
            asked.aside |= asked.wanted
        asked.wanted.clear()
        asked.open = asked.strange = False

    def strange(self, link: int) -> None:
        """The peer gave a grant by a key that we do not know, so that nobody can say which of the ids it has.

        Other peers are asked for what is then left of its answer; it is itself when trust has changed.
        """
        self._links[link].strange = True

    def put_aside(self, link: int, ids: Iterable[bytes]) -> None:
        """Do not ask this peer for these items again, until `forgive`; others may have them whole."""
        aside = self._links[link].aside
        aside.update(item for item in ids if len(aside) < MAX_QUEUED)

    def reconsider(self, link: int, item: bytes, reason: Iterable[bytes]) -> None:
        """The peer gave what an item that was put aside may have lacked, unless that was put aside with it."""
        aside = self._links[link].aside
        if aside.isdisjoint(reason):
            aside.discard(item)

    def waiting(self, link: int) -> bool:
        """Whether this peer still owes us an item."""
        return bool(self._links[link].wanted)

    def refuse(self, ids: Iterable[bytes], now: int) -> None:
        """Do not ask for these items again, until `forgive` or for `REFUSAL`."""
        for item in ids:
            self._refused[item] = now
            self._refused.move_to_end(item)
            if len(self._refused) > MAX_REFUSED:
                self._refused.popitem(last=False)

    def refused(self, item: bytes) -> bool:
        return item in self._refused

    def forgive(self) -> None:
        """Trust changed: what was refused may be taken now."""
        self._refused.clear()
        for asked in self._links.values():
            asked.aside.clear()

    def overdue(self, now: int) -> list[int]:
        """Links whose answer is late; their questions are open to others from now on."""
        late = [link for link, asked in self._links.items() if asked.open and now >= asked.due]
        for link in late:
            self.settle(link)
        return late

    def idle_with_queue(self) -> list[int]:
        return [link for link, asked in self._links.items() if asked.queue and not asked.open]

    @property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """Of each link how many items were asked of its peer, and how many are to be."""
        return {link: (len(asked.wanted), len(asked.queue)) for link, asked in self._links.items()}

    def deadline(self) -> int | None:
        return min((asked.due for asked in self._links.values() if asked.open), default=None)
