"""Broadcast: news is announced by id to all linked peers that have not told us of it.

At once after a silence, and gathered otherwise. What a peer then lacks it asks for: see exchange.py.
"""

from collections.abc import Callable, Iterable

from p2pnoise.instant import SECOND, Instant

from .effects import LinkId
from .items import ItemIndex, ItemSet
from .messages import MAX_IDS, Announce, Message
from .wants import Wants

ANNOUNCE_PAUSE = SECOND // 5  # between two announcements; measured by `p2pnoise simulate`, figures in PROTOCOL.md


class Broadcast:
    """What came into the table and has not been announced yet."""

    def __init__(self, items: ItemIndex, wants: Wants, send: Callable[[LinkId, Message], None]) -> None:
        self.news: ItemSet = items.gathering()
        self._items = items
        self._wants = wants
        self._send = send
        self._came_by: dict[LinkId | None, ItemSet] = {}  # the news, by the link
        self._quiet_until = 0  # no announcement before then

    def note(self, link: LinkId | None, ids: ItemSet) -> None:
        """These have just come into the table, by this link."""
        if ids:
            self.news |= ids
            came = self._came_by.get(link)
            if came is None:
                came = self._items.gathering()
            came |= ids
            self._came_by[link] = came

    def deadline(self) -> int | None:
        """When `announce` wants to be called, in monotonic nanoseconds."""
        return self._quiet_until if self.news else None

    def announce(self, links: Iterable[LinkId], now: Instant) -> None:
        """Tell the news to each of these who has not told us of it, nor given it, if it is time."""
        if not self.news or now.monotonic < self._quiet_until:
            return
        news = self._items.held(self.news)
        for link in links:
            ids = news - self._wants.offered(link)
            if link in self._came_by:
                ids = ids - self._came_by[link]
            while ids:
                self._quiet_until = now.monotonic + ANNOUNCE_PAUSE
                batch = self._items.first(ids, MAX_IDS)
                self._send(link, Announce(batch))
                ids = ids - batch
            self._wants.forget_held(link)
        self.news = self._items.gathering()
        self._came_by.clear()
