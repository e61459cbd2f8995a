"""Silent: a member that takes part, learns all and passes nothing on: it speaks of itself alone."""

from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GivenStatements,
    HeldStatements,
    Ids,
    Item,
    Items,
    Push,
    RecordItem,
)

from .around import HostileOverlay


class Silent(HostileOverlay):
    """Says what a link needs to stand: its heads, its digests, its own card and addresses."""

    def says(self, effect: Effect) -> list[Effect]:
        match effect:
            case SendMessage(link, Announce(ids)):
                own = self.table.by_node(self.table.own)
                mine = ids & frozenset(own.item_ids if own is not None else ())
                return [SendMessage(link, Announce(mine))] if mine else []
            case SendMessage(_, Ids() | HeldStatements()):
                return []
            case SendMessage(link, Items(items, last)):
                return [SendMessage(link, Items(tuple(item for item in items if self._is_own(item)), last))]
            case SendMessage(link, Push(items)):
                own_items = tuple(item for item in items if self._is_own(item))
                return [SendMessage(link, Push(own_items))] if own_items else []
            case SendMessage(_, GivenStatements()):
                return []
        return [effect]

    def _is_own(self, item: Item) -> bool:
        own = self.table.by_node(self.table.own)
        record = own.record if own is not None else None
        match item:
            case CardItem(raw):
                return raw == self.table.own_card.raw
            case RecordItem(raw):
                return record is not None and raw == record.raw
        return False
