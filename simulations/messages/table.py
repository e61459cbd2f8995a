"""Table: the peer table of one of very many nodes: numbers of items in the bits of one integer, rows made on demand.

It is a `PeerTable` on other shelves. What is plain is taken and given in bulk; for all else the code is that of a node.
Not kept is what no node goes by: when it first saw a row, and who told of it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cards import Card, Mark, NodeId, Policy, Verdict
from p2pnoise.chance import Chance
from p2pnoise.gossip.intake import MAX_EARLY
from p2pnoise.gossip.items import NO_ISSUER, ItemSet, body_id
from p2pnoise.gossip.messages import MAX_ITEMS, MAX_ITEMS_BYTES, CardItem, Item
from p2pnoise.gossip.networks import Network
from p2pnoise.gossip.peer import Peer
from p2pnoise.gossip.quotas import NO_ISSUER_AT_ALL, OWN, quota
from p2pnoise.gossip.table import InBulk, PeerTable

from .bits import numbers_of, without
from .items import DenseItems, Parcel
from .registry import BODY, RECORD, ItemBits, Registry

_FOREVER = 1 << 62


class _Rows(Mapping[bytes, Peer]):
    """The rows of a table by identity key: views of what it holds."""

    def __init__(self, table: "DenseTable") -> None:
        self._table = table

    def __getitem__(self, identity: bytes) -> Peer:
        row = self._table.row(identity)
        if row is None:
            raise KeyError(identity)
        return row

    def get(self, identity: bytes, default: Any = None) -> Any:
        row = self._table.row(identity)
        return row if row is not None else default

    def __contains__(self, identity: object) -> bool:
        return isinstance(identity, bytes) and self._table.row(identity) is not None

    def __len__(self) -> int:
        return self._table.count

    def __iter__(self) -> Iterator[bytes]:
        registry = self._table.items.registry
        for number in numbers_of(self._table.items.bits & registry.kinds[BODY]):
            owner = registry.owners[number]
            if owner is not None:
                yield owner


class _Nodes(Mapping[bytes, bytes]):
    """Identity keys by Node ID."""

    def __init__(self, items: DenseItems) -> None:
        self._items = items

    def __getitem__(self, node_id: bytes) -> bytes:
        identity: bytes | None = self.get(node_id)
        if identity is None:
            raise KeyError(node_id)
        return identity

    def get(self, node_id: bytes, default: Any = None) -> Any:
        for number, identity in self._items.registry.by_node.get(node_id, ()):
            if self._items.bits >> number & 1:
                return identity
        return default

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[bytes]:
        return (node_id for node_id in self._items.registry.by_node if node_id in self)

    def __contains__(self, node_id: object) -> bool:
        return isinstance(node_id, bytes) and self.get(node_id) is not None


class _Marks(Mapping[bytes, Mark]):
    """The marks of a table: of each identity the newest body that it ever held, or what was restored."""

    def __init__(self, table: "DenseTable") -> None:
        self._table = table
        self._told: dict[bytes, Mark] = {}

    def __getitem__(self, identity: bytes) -> Mark:
        mark = self._told.get(identity)
        known = self._table.items.registry.identities.get(identity)
        ever = self._table.items.bits | self._table.gone
        for number, card in known.bodies if known is not None else ():
            if ever >> number & 1 and (mark is None or card.sequence > mark.sequence):
                mark = Mark(card.sequence, card.card_id, card.next_key_digest)
        if mark is None:
            raise KeyError(identity)
        return mark

    def __bool__(self) -> bool:
        return True  # nobody need count

    def __setitem__(self, identity: bytes, mark: Mark) -> None:
        known = self._table.items.registry.identities.get(identity)
        for number, card in known.bodies if known is not None else ():
            if card.card_id == mark.card_id and (self._table.items.bits | self._table.gone) >> number & 1:
                return  # which says as much
        self._told[bytes(identity)] = mark

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[bytes]:
        return (identity for identity in self._table.items.registry.identities if identity in self)


class DenseQuotas:
    """What `Quotas` is in a node, worked out where a table is full."""

    def __init__(self, table: "DenseTable") -> None:
        self._table = table
        self._known: dict[bytes, tuple[int, list[bytes]]] = {}  # by root: who stands where, while these are held

    def admits(self, identity: bytes, roots: Iterable[bytes]) -> bool:
        return any(self._admits(identity, root, self._share(root)) for root in roots)

    def recount(self) -> None:
        self._known.clear()  # the rest is remembered nowhere

    def crowded_out(self) -> list[Peer]:
        table = self._table
        roots = (*map(bytes, table.policy.issuers.values()), NO_ISSUER)
        shares = {root: self._share(root) for root in roots}
        full = [root for root in roots if self._members(root).bit_count() > shares[root]]
        if not full:
            return []
        placed = {identity for root in roots for identity in self._of(root)[: shares[root]]}
        gone = dict.fromkeys(identity for root in full for identity in self._of(root)[shares[root] :])
        rows = (table.row(identity) for identity in gone if identity not in placed and identity != OWN)
        return [row for row in rows if row is not None]

    def _share(self, root: bytes) -> int:
        return quota(self._table.most, root, len(self._table.policy.issuers))

    def _admits(self, identity: bytes, root: bytes, share: int) -> bool:
        if self._members(root).bit_count() < share:
            return True
        ranked = self._of(root)
        return share > 0 and (len(ranked) < share or identity < ranked[share - 1])

    def _members(self, root: bytes) -> int:
        """Bodies of this root, and some for which it vouches elsewhere alone."""
        return self._table.items.bits & self._table.items.registry.members.get(root, 0)

    def _of(self, root: bytes) -> list[bytes]:
        items = self._table.items
        held = without(items.bits, items.registry.kinds[RECORD])
        known, ranked = self._known.get(root, (0, []))
        if known != held:
            ranked = sorted(self._places(root, self._members(root)))
            self._known[root] = held, ranked
        return ranked

    def _places(self, root: bytes, members: int) -> Iterator[bytes]:
        registry = self._table.items.registry
        for number in numbers_of(members):
            identity = registry.owners[number]
            row = self._table.row(identity) if identity is not None else None
            if row is not None and root in row.roots:
                yield OWN if row.node_id == self._table.own else bytes(row.card.identity)


class DenseTable(PeerTable):
    """One node's. `count` is the number of its rows, `gone` the bodies that it held once, `live` those it met."""

    def __init__(self, registry: Registry, policy: Policy, *, own: NodeId, own_card: Card | None = None) -> None:
        super().__init__(policy, own=own, own_card=own_card, memo=registry.memo)
        self.items: DenseItems = DenseItems(registry)  # type: ignore[assignment]
        self.count = 0
        self.gone = 0
        self.live: set[int] = set()  # few of very many, so not in bits
        self.taken_cards = self.taken_records = 0  # in bulk
        self._next_end = _FOREVER
        self._quotas: DenseQuotas = DenseQuotas(self)  # type: ignore[assignment]
        self._peers = _Rows(self)  # type: ignore[assignment]
        self._by_node = _Nodes(self.items)  # type: ignore[assignment]
        self._marks = _Marks(self)  # type: ignore[assignment]

    def row(self, identity: bytes) -> Peer | None:
        """What it holds of this identity."""
        numbers = self._numbers(identity)
        if not numbers:
            return None
        return self.items.registry.row(numbers, live=not self.live.isdisjoint(numbers))

    def _numbers(self, identity: bytes) -> tuple[int, ...]:
        known = self.items.registry.identities.get(identity)
        if known is None or not known.numbers:
            return ()
        numbers = known.numbers if len(known.numbers) == 1 else sorted(known.numbers)
        # Mostly they stand beside one another: one shift of a wide integer, and the rest with a short one.
        first = numbers[0]
        near = self.items.bits >> first & (1 << numbers[-1] - first + 1) - 1
        return tuple([number for number in numbers if near >> number - first & 1])

    def sample(self, random: Chance, most: int) -> list[bytes]:
        registry = self.items.registry
        records, all_records = self.items.bits & registry.kinds[RECORD], registry.records
        count = records.bit_count()
        if count > most and 8 * count > len(all_records):
            drawn = {
                all_records[random.randrange(len(all_records))]: None for _ in range(most * len(all_records) // count)
            }
            bits = records.to_bytes((records.bit_length() + 7) // 8 + 1, "little")
            found = [number for number in drawn if number >> 3 < len(bits) and bits[number >> 3] >> (number & 7) & 1]
        else:
            found = numbers_of(records)
            if count > most:
                found = [*dict.fromkeys(found[random.randrange(count)] for _ in range(most))]
        bodies = []
        for number in found:
            if registry.is_plain(number):
                bodies.append(registry.ids[number - 1])  # just before its record
                continue
            owner = registry.owners[number]
            held = self._numbers(owner) if owner is not None else ()
            bodies += [registry.ids[one] for one in held if registry.kinds[BODY] >> one & 1]
        return bodies

    def home(self, body: bytes) -> Network | None:
        registry, number = self.items.registry, self.items.registry.numbers.get(body)
        if number is not None and registry.is_plain(number) and self.items.bits >> number + 1 & 1:
            return registry.homes.get(number + 1)
        return super().home(body)

    def record_beside(self, body: bytes) -> bytes | None:
        registry, number = self.items.registry, self.items.registry.numbers.get(body)
        if number is not None and registry.is_plain(number):  # then its record stands just behind it
            return registry.ids[number + 1] if self.items.bits >> number & 3 == 3 else None
        return super().record_beside(body)

    # In bulk

    def bulk(self, ids: ItemSet) -> tuple[Iterable[Collection[Item]], ItemSet]:
        registry = self.items.registry
        asked = registry.bits_of(ids) & self.items.bits
        plain = asked & registry.plain
        # A body brings its grants along, as far as they are held, which all are.
        given = ItemBits(registry, without(plain, registry.grants_of(plain & registry.kinds[BODY])))
        others = ItemBits(registry, asked ^ plain) if asked != plain else self.items.none
        size, count = registry.size(given.bits, len(given)), len(given)
        if size > MAX_ITEMS_BYTES or count > MAX_ITEMS:
            return self._batches(given.bits), others
        return (Parcel(given, size),) if count else (), others

    def _batches(self, bits: int) -> Iterator[Parcel]:
        """In messages as large as those of a node, to within the difference of one item to the next of its kind."""
        registry = self.items.registry
        while bits:
            fitting, room = 0, MAX_ITEMS_BYTES
            for found in (bits & kind for kind in registry.kinds):
                count = found.bit_count()
                size = registry.size(found, count)
                if size > room:
                    fitting += count * room // size + 1
                    break
                fitting, room = fitting + count, room - size
            batch = registry.first(bits, min(fitting, MAX_ITEMS))
            yield Parcel(ItemBits(registry, batch))
            bits ^= batch

    def in_bulk(self, items: Collection[Item], /) -> ItemSet:
        return items.ids if type(items) is Parcel else self.items.none

    def take_bulk(self, items: Collection[Item], wanted: ItemSet, now: int, /) -> InBulk:
        if type(items) is not Parcel:
            return InBulk(self.items.none, self.items.none, items)
        registry, held = self.items.registry, self.items.bits
        fresh = without(items.bits & registry.bits_of(wanted), held)
        good, until = registry.worth.good(self.policy, self.facts, now, fresh & registry.plain)
        new = good & registry.kinds[BODY]
        count = new.bit_count()
        tight = self._tight(new, count)
        if tight:
            good, new = without(good, tight), without(new, tight)
            count = new.bit_count()
        own = registry.by_node.get(self.own, ())
        # A pin may speak against any name; our own card from somebody else is to be looked at; a table has an end.
        if self.pins or any(new >> number & 1 for number, _ in own):
            return InBulk(self.items.none, self.items.none, items)
        taken = new | registry.grants_of(new)
        # A record counts where the card of its node does, which stands just before it; until then it is kept apart.
        waiting = self.items.early | good & registry.kinds[RECORD]
        if waiting:
            ready = waiting & (held | new) << 1
            waiting ^= ready
            self.items.early = waiting if not waiting or waiting.bit_count() <= MAX_EARLY else 0
            taken |= ready
            # Most cards come with their records, and to count costs more than all else here.
            self.taken_records += count if ready == new << 1 else ready.bit_count()
        if taken:
            self.count += count
            self.taken_cards += count
            self.items.bits = held | taken
            self._next_end = min(self._next_end, until)
        left = without(fresh & registry.asked_for, good | taken)
        done = without(items.bits, left) | taken
        ids = items.ids
        new_ids = ids if taken == ids.bits else ItemBits(registry, taken)
        done_ids = ids if done == ids.bits else ItemBits(registry, done)
        return InBulk(new_ids, done_ids, Parcel(ItemBits(registry, left)) if left else ())

    # One by one

    def offer_card(
        self, card: Card, now: int, *, source: bytes, live: bool = False, own: bool = False
    ) -> tuple[Verdict, Peer | None]:
        number = self._plain_body(card) if not own else None
        if number is None:
            return super().offer_card(card, now, source=source, live=live, own=own)
        registry, bit = self.items.registry, 1 << number
        good, until = registry.worth.good(self.policy, self.facts, now, bit)
        full = not self.items.bits & bit and bool(self._tight(bit, 1))
        if not good or full or self.pins:
            return super().offer_card(card, now, source=source, live=live, own=own)
        known = bool(self.items.bits & bit)
        changed = not known or (live and number not in self.live)
        self.items.bits |= bit | registry.grants_of(bit) | self.items.early & bit << 1
        self.items.early = without(self.items.early, bit << 1)
        self.count += not known
        if live:
            self.live.add(number)
        self._next_end = min(self._next_end, until)
        row = self.row(bytes(card.identity))
        assert row is not None  # noqa: S101 - it was put just now
        return row.verdict, row if changed else None

    def judge(self, card: bytes | Card, now: int, **given: Any) -> Verdict:
        if isinstance(card, Card) and not self.pins and given == {"peer_static": card.node_id}:
            number = self._plain_body(card)
            verdict = (
                self.items.registry.worth.verdict(self.policy, self.facts, now, number) if number is not None else None
            )
            if verdict is not None:
                return verdict
        return super().judge(card, now, **given)

    def _tight(self, new: int, count: int) -> int:
        """Those of these bodies, so many, for which there may be no room."""
        issuers, count = len(self.policy.issuers), self.count + count
        if count <= self.most // NO_ISSUER_AT_ALL:
            return 0
        if count > self.most:
            return new
        held, tight = self.items.bits | new, 0
        for group, members in self.items.registry.members.items():
            if (held & members).bit_count() > quota(self.most, group, issuers):
                tight |= new & members
        return tight

    def _plain_body(self, card: Card) -> int | None:
        """The number of this card, if it is plain, as it was verified, and not of ourselves."""
        registry = self.items.registry
        number = registry.numbers.get(body_id(card.card_id))
        if number is None or not registry.is_plain(number) or card.node_id == self.own:
            return None
        item = registry.item(number)
        return number if isinstance(item, CardItem) and item.raw == card.raw else None

    def expire(self, now: int) -> list[Peer]:
        if now < self._next_end:
            return []
        due = []
        self._next_end = _FOREVER
        for peer in list(self):
            if peer.record is not None and peer.record.not_after <= now:
                self._put(peer.with_record(None))
            if peer.verdict.valid_until <= now:
                due.append(peer)
            else:
                self._next_end = min(self._next_end, _end(peer))
        return self.reconsider(due, now)

    def _put(self, peer: Peer) -> None:
        registry, identity = self.items.registry, bytes(peer.card.identity)
        if self._numbers(identity):
            self._remove_numbers(identity)
        numbers = registry.enter(peer)
        registry.keep_row(numbers, peer)
        for number in numbers:
            self.items.bits |= 1 << number
            if peer.provenance == "live" and registry.kinds[BODY] >> number & 1:
                self.live.add(number)
        ready = self.items.early & self.items.bits << 1  # records that came before this card
        self.items.bits |= ready
        self.items.early ^= ready
        self.count += 1
        self._next_end = min(self._next_end, _end(peer))

    def _remove(self, peer: Peer) -> None:
        self._remove_numbers(bytes(peer.card.identity))

    def _remove_numbers(self, identity: bytes) -> None:
        mask = 0
        for number in self._numbers(identity):
            mask |= 1 << number
            self.live.discard(number)
        self.gone |= mask & self.items.registry.kinds[BODY]
        self.items.bits = without(self.items.bits, mask)
        self.count -= 1


def _end(peer: Peer) -> int:
    return min(peer.verdict.valid_until, peer.record.not_after if peer.record is not None else _FOREVER)
