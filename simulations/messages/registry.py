"""Registry: every item of a world, once: its id as a number, the card, grant or record, and what it is worth.

What thousands of nodes hold is then a set of numbers for each: the bits of one integer. An item is *plain* while its
identity has one card body, with the grants that it came with, and at most one record; whatever is plain can be taken
and given by the thousand. Of everything else each item is looked at, by the code that looks at it in a node.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from typing import Any

from cards import AddressRecord, Card, Memo
from p2pnoise.gossip.encoding import item_size
from p2pnoise.gossip.items import body_id, key_of, record_id
from p2pnoise.gossip.messages import CardItem, GrantItem, Item, RecordItem
from p2pnoise.gossip.networks import Network, home_of
from p2pnoise.gossip.peer import Peer

from .bits import lowest, numbers_of, without
from .order import Order
from .worth import Worth

BODY, RECORD, GRANT = range(3)  # the kinds of items, as in their ids
_SIZES = 64  # bytes by which items of one kind may differ
_SLACK = 3  # by which an item may be smaller than the first one of its kind


class ItemBits(Set[bytes]):
    """Some items of a world: a set of ids that is one integer."""

    __slots__ = ("_count", "bits", "registry")

    def __init__(self, registry: "Registry", bits: int) -> None:
        self.registry = registry
        self.bits = bits
        self._count = -1  # until somebody asks

    def __bool__(self) -> bool:
        return self.bits != 0

    def __len__(self) -> int:
        if self._count < 0:
            self._count = self.bits.bit_count()
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return (self.registry.ids[number] for number in numbers_of(self.bits))

    def __contains__(self, item: object) -> bool:
        number = self.registry.numbers.get(item)
        return number is not None and self.bits >> number & 1 == 1

    # Each of these is done some hundred million times in a large world, with nothing on one side more often than not.
    # What comes out as it went in is given back: of 30,000 bits an `&` takes 0.2 microseconds, to count them 1.4, and
    # who is given back has been counted.

    def __or__(self, other: Set[Any]) -> "ItemBits":
        theirs = other if type(other) is ItemBits else ItemBits(self.registry, self.registry.bits_of(other))
        if not theirs.bits:
            return self
        return ItemBits(self.registry, self.bits | theirs.bits) if self.bits else theirs

    def __and__(self, other: Set[Any]) -> "ItemBits":
        theirs = other if type(other) is ItemBits else ItemBits(self.registry, self.registry.bits_of(other))
        common = self.bits & theirs.bits
        if common == self.bits:
            return self
        return theirs if common == theirs.bits else ItemBits(self.registry, common)

    def __sub__(self, other: Set[Any]) -> "ItemBits":
        common = self.bits & (other.bits if type(other) is ItemBits else self.registry.bits_of(other))
        return ItemBits(self.registry, self.bits ^ common) if common else self  # see `without`

    __ror__, __rand__ = __or__, __and__

    def __rsub__(self, other: Set[Any]) -> "ItemBits":
        return ItemBits(self.registry, self.registry.bits_of(other)) - self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self.bits == self.registry.bits_of(other)

    def __hash__(self) -> int:
        return hash(self.bits)

    def __repr__(self) -> str:
        return f"<{len(self)} items>"


@dataclass(slots=True)
class _Identity:
    """What was ever held of one identity, anywhere."""

    numbers: list[int] = field(default_factory=list)
    bodies: list[tuple[int, Card]] = field(default_factory=list)
    plain: bool = True


class Registry:
    """One for each world. `memo` verifies whatever any node is to believe."""

    def __init__(self, memo: Memo | None = None) -> None:
        self.memo = memo if memo is not None else Memo(1_000_000)
        self.numbers: dict[object, int] = {}  # by id
        self.ids: list[bytes] = []
        self.owners: list[bytes | None] = []  # identity keys; None of an id of which nobody has the item
        self.kinds = [0, 0, 0, 0]  # bits, by the two highest of the id
        self.groups: dict[bytes, int] = {}  # bits, by the issuer for whom an item counts anywhere
        self.order = Order()
        self.homes: dict[int, Network | None] = {}  # of records
        self.members: dict[bytes, int] = {}  # the same of bodies alone
        self.plain = 0
        self._is_plain = bytearray()  # the same, by number: a bit of a wide integer is dear to look at
        self.records: list[int] = []  # their numbers
        self.asked_for = 0  # bodies and records
        self.identities: dict[bytes, _Identity] = {}
        self.by_node: dict[bytes, list[tuple[int, bytes]]] = {}  # Node ID -> numbers of bodies, with their identity
        self._rows: dict[tuple[int, ...], tuple[Peer, Peer]] = {}  # proven, and met in person
        self._with_grants: list[int] = []  # bodies with at least so many grants and one more, each after its record
        self._items: dict[int, Item] = {}
        self._least = [0, 0, 0]  # bytes of an item of each kind
        self._sizes: dict[int, int] = {}  # bits of plain items, by their bytes
        self.worth = Worth(self.memo, self.item, self.grants_of)

    # Numbers

    def number(self, item: bytes) -> int:
        """The number of this id, a new one if it is new."""
        known = self.numbers.get(item)
        return known if known is not None else self._new(item)

    def _new(self, item: bytes, at: int | None = None) -> int:
        number = len(self.ids) if at is None else at
        if at is None:
            self._reserve(item)
        self.ids[number] = item
        self.numbers[item] = number
        bit = 1 << number
        self.kinds[item[0] >> 6] |= bit
        if item[0] >> 6 != GRANT:
            self.asked_for |= bit
        return number

    def _reserve(self, item: bytes = b"") -> None:
        self.ids.append(item)
        self.owners.append(None)
        self._is_plain.append(0)

    def bits_of(self, ids: Set[Any]) -> int:
        if isinstance(ids, ItemBits):
            return ids.bits
        bits = 0
        for item in ids:
            bits |= 1 << self.number(item)
        return bits

    def first(self, bits: int, most: int) -> int:
        """The first so many of them: bodies, then records, then the rest, in the order of their numbers."""
        taken = 0
        for kind in self.kinds:
            found = bits & kind
            count = found.bit_count()
            if count >= most:
                return taken | lowest(found, most)
            taken |= found
            most -= count
        return taken

    # Items

    def enter(self, peer: Peer) -> tuple[int, ...]:
        """The numbers of all that stands in this row, which was verified."""
        card_id, identity = peer.card.card_id, bytes(peer.card.identity)
        known = self.identities.setdefault(identity, _Identity())
        body, grants = body_id(card_id), peer.grants
        if not self._is_entered(body):
            self._enter_card(known, identity, peer, grants)
        numbers = [self.numbers[body]]
        for item, grant in grants.items():
            number = self.number(item)
            if self.owners[number] is None:
                self._disown(known)
                self._enter(known, identity, number, GrantItem(card_id, grant.kid, grant.attrs, grant.signature))
            numbers.append(number)
        if peer.record is not None:
            item = record_id(peer.record)
            if not self._is_entered(item):
                place = numbers[0] + 1
                if item not in self.numbers and known.plain and self.ids[place] == b"":
                    number = self._new(item, place)
                else:
                    self._disown(known)
                    number = self.number(item)
                self._enter(known, identity, number, RecordItem(peer.record.raw))
                self.homes[number] = home_of(peer.record)
            numbers.append(self.numbers[item])
        for one, where in peer.places.items():
            self._place(self.numbers[one], key_of(one, where.hour), where.groups)
        return tuple(sorted(numbers))

    def _place(self, number: int, key: bytes, groups: frozenset[bytes]) -> None:
        """Give an item its place in comparisons. In which groups it is grows: nodes may go by different policies."""
        bit = 1 << number
        for group in groups:
            self.groups[group] = self.groups.get(group, 0) | bit
            if self.ids[number][0] >> 6 == BODY:
                self.members[group] = self.members.get(group, 0) | bit
        self.order.place(number, key)

    def _is_entered(self, item: bytes) -> bool:
        """Whether it is more than an id that somebody spoke of."""
        number = self.numbers.get(item)
        return number is not None and self.owners[number] is not None

    def _enter_card(self, known: _Identity, identity: bytes, peer: Peer, grants: Any) -> None:
        """The body, a place for its record, and its grants, one after another."""
        card, body = peer.card, body_id(peer.card.card_id)
        if body in self.numbers or any(item in self.numbers for item in grants):
            self._disown(known)  # somebody spoke of them before there were any, so they stand anywhere
        number = self.number(body)
        if known.plain:
            self._reserve()
        holders = self.by_node.setdefault(bytes(card.node_id), [])
        holders.append((number, identity))
        if known.bodies or len(holders) > 1:
            self._disown(known)
            for _, other in holders:
                self._disown(self.identities[other])
        known.bodies.append((number, card))
        self._enter(known, identity, number, CardItem(card.raw))
        for index, (item, grant) in enumerate(grants.items()):
            one = self.number(item)
            self._enter(known, identity, one, GrantItem(card.card_id, grant.kid, grant.attrs, grant.signature))
            if index == len(self._with_grants):
                self._with_grants.append(0)
            if known.plain:
                self._with_grants[index] |= 1 << number

    def _enter(self, known: _Identity, identity: bytes, number: int, item: Item) -> None:
        self.owners[number] = identity
        self._items[number] = item
        known.numbers.append(number)
        kind = self.ids[number][0] >> 6
        size = item_size(item)
        if not self._least[kind]:
            self._least[kind] = max(size - _SLACK, 0)
        if kind == RECORD:
            self.records.append(number)
        if not 0 <= size - self._least[kind] < _SIZES:
            self._disown(known)
        elif known.plain:
            self.plain |= 1 << number
            self._is_plain[number] = 1
            self._sizes[size] = self._sizes.get(size, 0) | 1 << number

    def _disown(self, known: _Identity) -> None:
        """Nothing of this identity is plain any more."""
        known.plain = False
        for number in known.numbers:
            self.plain = without(self.plain, 1 << number)
            self._is_plain[number] = 0

    def is_plain(self, number: int) -> bool:
        """The same as in `plain`, which is dear to look at for one."""
        return self._is_plain[number] == 1

    def grants_of(self, bits: int) -> int:
        """The grants that come along with these plain bodies."""
        grants = 0
        for index, bodies in enumerate(self._with_grants):
            grants |= (bits & bodies) << index + 2
        return grants

    def size(self, bits: int, count: int) -> int:
        """How many bytes the items of these plain numbers, so many, are in a message."""
        total = 0
        for size, numbers in self._sizes.items():
            found = bits & numbers
            if found == bits:  # the rest, which need not be counted
                return total + size * count
            if found:
                some = found.bit_count()
                total += size * some
                count -= some
                bits ^= found
        return total

    def item(self, number: int) -> Item:
        return self._items[number]

    def newest(self, card: Card, record: AddressRecord | None) -> int:
        """The bits of this card's body and of this record; nothing where nobody holds both."""
        body = self.numbers.get(body_id(card.card_id))
        address = self.numbers.get(record_id(record)) if record is not None else None
        return 1 << body | 1 << address if body is not None and address is not None else 0

    # Rows

    def row(self, numbers: tuple[int, ...], *, live: bool) -> Peer:
        """The row in which these stand, as of whoever judged it last: with its verdict, and who told that node."""
        proven, met = self._rows[numbers]
        return met if live else proven

    def keep_row(self, numbers: tuple[int, ...], peer: Peer) -> None:
        self._rows[numbers] = replace(peer, provenance="proven"), replace(peer, provenance="live")
