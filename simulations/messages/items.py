"""Items: those of a world as tables hold them, messages carry them, and comparisons speak of them."""

from collections.abc import Collection, Iterator, Sequence

from p2pnoise.gossip.items import ItemSet, Span, bound_between, fingerprint, share
from p2pnoise.gossip.messages import Item

from .bits import numbers_of, without
from .registry import ItemBits, Registry


class Parcel(Collection[Item]):
    """Plain items, by reference; those who look inside find them as they would travel."""

    __slots__ = ("bits", "ids", "registry", "size")

    def __init__(self, ids: ItemBits, size: int | None = None) -> None:
        self.registry = ids.registry
        self.ids = ids
        self.bits = ids.bits
        self.size = ids.registry.size(ids.bits, len(ids)) if size is None else size  # bytes in a message

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Item]:
        return map(self.registry.item, sorted(numbers_of(self.bits), key=lambda number: self.registry.ids[number]))

    def __contains__(self, item: object) -> bool:
        return item in tuple(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.bits)


class Stretch:
    """What a table holds of a range, in the place of its fingerprint, which is made when somebody looks."""

    __slots__ = ("bits", "registry")

    def __init__(self, registry: Registry, bits: int) -> None:
        self.registry = registry
        self.bits = bits

    def __bytes__(self) -> bytes:
        return fingerprint(sum(share(item) for item in ItemBits(self.registry, self.bits)), self.bits.bit_count())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Stretch):
            return self.bits == other.bits
        return isinstance(other, bytes) and bytes(self) == other

    def __hash__(self) -> int:
        return hash(self.bits)


class DenseItems:
    """The items of one table: what `ItemIndex` is in a node."""

    __slots__ = ("bits", "early", "none", "registry")

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.bits = 0
        self.early = 0  # records that came before the cards of their nodes, and are kept for them
        self.none: ItemSet = ItemBits(registry, 0)

    def __contains__(self, item: object) -> bool:
        number = self.registry.numbers.get(item)
        return number is not None and self.bits >> number & 1 == 1

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __iter__(self) -> Iterator[bytes]:
        return iter(ItemBits(self.registry, self.bits))

    def owner(self, item: bytes) -> bytes | None:
        return self.registry.owners[self.registry.numbers[item]] if item in self else None

    def gathering(self) -> ItemSet:
        return self.none

    def first(self, ids: ItemSet, most: int) -> ItemSet:
        return ids if len(ids) <= most else ItemBits(self.registry, self.registry.first(self._of(ids).bits, most))

    def held(self, ids: ItemSet) -> ItemSet:
        ids = self._of(ids)
        held = ids.bits & self.bits
        return ids if held == ids.bits else ItemBits(self.registry, held)

    def lacking(self, ids: ItemSet) -> ItemSet:
        ids = self._of(ids)
        held = ids.bits & (self.bits | self.early if self.early else self.bits)
        return ItemBits(self.registry, ids.bits ^ held) if held else ids

    def _of(self, ids: ItemSet) -> ItemBits:
        return ids if type(ids) is ItemBits else ItemBits(self.registry, self.registry.bits_of(ids))

    def count(self, span: Span) -> int:
        return self._bits(span).bit_count()

    def fingerprint(self, span: Span) -> Stretch:
        return Stretch(self.registry, self._bits(span))

    def keys_at(self, span: Span, ranks: Sequence[int]) -> list[bytes]:
        return self.registry.order.keys_at(self._bits(span), ranks)

    def within(self, span: Span) -> ItemSet:
        return ItemBits(self.registry, self._bits(span))

    def beyond(self, span: Span, ids: ItemSet, most: int) -> tuple[ItemSet, bytes | None]:
        bits = without(self._bits(span), self.registry.bits_of(ids))
        if bits.bit_count() <= most:
            return ItemBits(self.registry, bits), None
        if not most:
            return self.none, span.low
        rest = bound_between(*self.registry.order.keys_at(bits, (most - 1, most)))
        return ItemBits(self.registry, bits & self.registry.order.below(rest)), rest

    def _bits(self, span: Span) -> int:
        bits = self.bits & self.registry.groups.get(span.group, 0)
        if span.high:
            bits &= self.registry.order.below(span.high)
        return without(bits, self.registry.order.below(span.low)) if span.low else bits
