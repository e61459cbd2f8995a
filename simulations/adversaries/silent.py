"""Silent: a member that takes part, learns all and passes nothing on: it speaks of itself alone."""

from collections.abc import Set

from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.items import ItemSet
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GivenStatements,
    HeldStatements,
    Item,
    Items,
    Push,
    Range,
    Ranges,
    RecordItem,
)

from .around import HostileOverlay


class Silent(HostileOverlay):
    """Says what a link needs to stand: its heads, its comparisons, its own card and addresses."""

    def says(self, effect: Effect) -> list[Effect]:
        match effect:
            case SendMessage(link, Announce(ids)):
                mine = ids & self._own_ids
                return [SendMessage(link, Announce(mine))] if mine else []
            case SendMessage(link, Ranges(groups, told)):
                mine = self._own_ids
                kept = tuple((group, tuple(_only(mine, one) for one in ranges)) for group, ranges in groups)
                return [SendMessage(link, Ranges(kept, told & mine))]
            case SendMessage(_, HeldStatements()):
                return []
            case SendMessage(link, Items(items, last)):
                return [SendMessage(link, Items(tuple(item for item in items if self._is_own(item)), last))]
            case SendMessage(link, Push(items)):
                own_items = tuple(item for item in items if self._is_own(item))
                return [SendMessage(link, Push(own_items))] if own_items else []
            case SendMessage(_, GivenStatements()):
                return []
        return [effect]

    @property
    def _own_ids(self) -> ItemSet:
        own = self.table.by_node(self.table.own)
        return frozenset(own.item_ids if own is not None else ())

    def _is_own(self, item: Item) -> bool:
        own = self.table.by_node(self.table.own)
        record = own.record if own is not None else None
        match item:
            case CardItem(raw):
                return raw == self.table.own_card.raw
            case RecordItem(raw):
                return record is not None and raw == record.raw
        return False


def _only(mine: ItemSet, one: Range) -> Range:
    """What it says of a range, as far as that names items of its own."""
    return Range(one.upper, one.holds & mine) if isinstance(one.holds, Set) else one
