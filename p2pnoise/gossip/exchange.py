"""Exchange: items that are asked for by id, given, and asked of others where they do not come.

Of each link it is known what its peer offers, by whatever means: an announcement, a comparison. What is missing is
asked for, at most 512 items at a time. What nobody asked for is pushed: see broadcast.py.
"""

from collections.abc import Callable, Collection, Iterator

from p2pnoise.instant import Instant

from .content import Content
from .effects import LinkId
from .items import ItemSet
from .messages import (
    MAX_ITEMS,
    MAX_ITEMS_BYTES,
    MAX_WANT,
    CardItem,
    GrantItem,
    Item,
    Items,
    Message,
    RecordItem,
    Want,
)
from .round_trips import RoundTrips
from .table import PeerTable
from .wants import Wants


class Exchange:
    """What is wanted and given on the links of one node. `wants` is shared with whoever takes what comes."""

    def __init__(self, table: PeerTable, send: Callable[[LinkId, Message], None]) -> None:
        self.wants = Wants(table.items, most=MAX_WANT)
        self.round_trips = RoundTrips()
        self._table = table
        self._send = send

    def peer_down(self, link: LinkId, now: Instant) -> None:
        self.wants.close(link)
        self.round_trips.forget(link)
        self.ask_idle(now)

    def offered(self, link: LinkId, ids: ItemSet, news: ItemSet, now: Instant) -> None:
        """The peer holds these: ask for what we lack. Of `news`, which we hold, remember that it needs no telling."""
        self.wants.queue(link, ids, news, now.monotonic)
        self.ask(link, now)

    def ask(self, link: LinkId, now: Instant, *, graft: ItemSet | None = None) -> bool:
        """Ask this peer for what it offers and we lack, if we may; whether any of `graft` was among that."""
        batch = self.wants.next_batch(link, now.monotonic)
        if not batch:
            return False
        grafted = graft is not None and bool(batch & graft)
        self._send(link, Want(batch, grafted))
        self.round_trips.asked(link, now.monotonic)
        return grafted

    def settled(self, link: LinkId, now: Instant) -> None:
        """An answer ended: what was not in it, this peer no longer has, and others may."""
        self.round_trips.answered(link, now.monotonic)
        if self.wants.settle(link):
            self.ask_idle(now)
        else:
            self.ask(link, now)

    def ask_idle(self, now: Instant) -> None:
        """Ask everybody whom we may ask something: what was asked of one may be asked of another now."""
        for link in self.wants.idle_with_queue():
            self.ask(link, now)

    def tick(self, now: Instant) -> None:
        """Ask others for what is late."""
        if self.wants.overdue(now.monotonic):
            self.ask_idle(now)

    def give(self, link: LinkId, ids: ItemSet) -> None:
        """Answer a question, as far as we hold what it is for."""
        batches = [*self.items(ids)] or [()]
        for number, batch in enumerate(batches, 1):
            self._send(link, Items(batch, last=number == len(batches)))

    def items(self, ids: ItemSet) -> Iterator[Collection[Item]]:
        """The items of these ids that we hold, in batches that fit a message."""
        bulk, others = self._table.bulk(ids)
        yield from bulk
        batch: list[Item] = []
        size = 0
        answered: set[bytes] = set()
        if not others:
            return
        for wanted in sorted(others):  # so bodies first: they bring their grants along, and let records in
            peer = self._table.by_item(wanted)
            if peer is None or wanted in answered:
                continue
            item = _item(peer.content, wanted)
            if isinstance(item, CardItem):  # which travels with its grants
                answered.update(peer.content.grants)
            batch.append(item)
            size += item.size
            if size > MAX_ITEMS_BYTES or len(batch) == MAX_ITEMS:
                yield tuple(batch)
                batch, size = [], 0
        if batch:
            yield tuple(batch)


def _item(content: Content, wanted: bytes) -> Item:
    """The item that `wanted` names in this row."""
    grant = content.grants.get(wanted)
    if grant is not None:
        return GrantItem(content.card.card_id, grant.kid, grant.attrs, grant.signature)
    if content.record is not None and wanted == content.record_id:
        return RecordItem(content.record.raw)
    return CardItem(content.card.raw)
