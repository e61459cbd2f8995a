"""Two tables of made-up items that compare themselves, message by message; what one is offered it has at once."""

import random
from types import SimpleNamespace

from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.items import ItemIndex, Place, key_of
from p2pnoise.gossip.messages import MAX_MESSAGE
from p2pnoise.gossip.reconciliation import Reconciliation
from p2pnoise.gossip.wants import Wants
from p2pnoise.instant import Instant
from simulations.messages.registry import ItemBits, Registry
from simulations.messages.table import DenseItems

OPS, LAB = b"o" * 32, b"l" * 32
LINK = 7


class Side:
    """One of two, or one alone. `items` are ids with their places; `dense` are those of a simulated world."""

    def __init__(self, name, items, *, issuers=(OPS,), dense=None, seed=1):
        self.dense = dense
        self.items = DenseItems(dense) if dense is not None else ItemIndex()
        self.said = []
        policy = SimpleNamespace(issuers={str(issuer): issuer for issuer in issuers})
        table = SimpleNamespace(items=self.items, policy=policy, own=name)
        self.wants = Wants(self.items, most=512)
        self.wants.open(LINK)
        self.core = Reconciliation(
            table, self.wants, lambda _link, message: self.said.append(message), random=random.Random(seed)
        )
        self.core.open(LINK, b"of the other")
        for item, place in items.items():
            self.have(item, place)

    def have(self, item, place):
        if self.dense is None:
            self.items.add(item, b"somebody", place)
        else:
            number = self.dense.number(item)
            self.dense.owners[number] = b"somebody"
            self.dense._place(number, key_of(item, place.hour), place.groups)
            self.items.bits |= 1 << number

    def lose(self, item, place):
        self.items.remove(item, place)

    def begin(self, now=0):
        self.core.begin(LINK, Instant(now, 0))
        return self.spoken()

    def hear(self, message, now=0):
        """What it answers, and what it was offered."""
        offered = self.core.offered(message)
        self.core.message(LINK, message, Instant(now, 0))
        return self.spoken(), offered

    def spoken(self):
        said, self.said = self.said, []
        assert len(said) <= 1
        return said[0] if said else None


class Conversation:
    """From the first message to the last: how many, how long, and what was offered to whom."""

    def __init__(self, one, other, places, *, most=200):
        self.sizes, self.written = [], []
        speaker, listener = one, other
        message = one.begin()
        while message is not None:
            data = encode(message)
            assert len(data) <= MAX_MESSAGE
            assert len(self.sizes) < most, "they never end"
            self.sizes.append(len(data))
            self.written.append(data)
            # Of a simulated world the message itself; what is written must be read all the same.
            heard = decode(data) if listener.dense is None else message
            decode(data)
            for item in listener.core.offered(heard):
                if item not in listener.items:
                    listener.have(item, places[item])
            message, _ = listener.hear(heard)
            speaker, listener = listener, speaker

    @property
    def bytes(self):
        return sum(self.sizes)


def made_up(count, *, seed=1, hours=720, groups=(OPS,)):
    """Items of so many hours, by id, in the order of their keys."""
    chance = random.Random(seed)
    made = [(500_000 + chance.randrange(hours), chance.randbytes(16)) for _ in range(count)]
    return {item: Place(hour, frozenset(groups)) for hour, item in sorted(made)}


def without(items, missing):
    return {item: place for item, place in items.items() if item not in missing}


def pair(ours, theirs, *, dense=False, **options):
    registry = Registry() if dense else None
    return Side(b"a", ours, dense=registry, **options), Side(b"b", theirs, dense=registry, **options)


def converse(ours, theirs, **options):
    """Two sides after they have compared what they hold, and how that went."""
    one, other = pair(ours, theirs, **options)
    return one, other, Conversation(one, other, {**ours, **theirs})


__all__ = ["LAB", "LINK", "OPS", "Conversation", "ItemBits", "Side", "converse", "made_up", "pair", "without"]
