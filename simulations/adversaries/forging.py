"""Forging: what looks like a card, a grant, a record, a list or a statement of somebody whose keys one has not."""

from typing import cast

from cards import (
    AddressRecord,
    Card,
    Entry,
    Grant,
    IdentityKey,
    NodeKey,
    RevocationList,
    SelfRevocation,
    make_card,
    make_list,
)
from cards import grant as grant_for
from cards.codec import Value, decode, encode
from cards.statements import CARD_APP, frame
from p2pnoise.gossip.items import body_id, grant_id, record_id
from p2pnoise.gossip.messages import CardItem, GrantItem, Item, RecordItem
from simulations.nodes import SimulatedNode
from simulations.oracle import NETWORK, YEAR, Citizen
from simulations.world import World

DAY = 86_400  # seconds
FAR = 1_000  # numbers ahead of what is forged, so that it would win


class Pretender:
    """Signs with one key in the name of another."""

    def __init__(self, public: bytes, key: IdentityKey) -> None:
        self.public = public
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Forger:
    """Makes false things with the keys of one node; nothing of it is known to the oracle, so that S1 finds it."""

    def __init__(self, world: World, node: SimulatedNode) -> None:
        self._world, self._own = world, node.citizen
        self._chance = world.chance("forger", node.number, node.boot)
        self._entropy = world.entropy("forger", node.number, node.boot)

    def _as(self, public: bytes) -> Pretender:
        return Pretender(public, self._own.identity)

    def card(self, victim: Citizen) -> tuple[bytes, Item]:
        """The victim's next card, for a node of ours, under the grants of the one before it."""
        node = NodeKey.generate(self._entropy)
        sequence = victim.card.sequence + self._chance.randrange(1, FAR)
        identity = self._as(victim.identity.public)
        card = make_card(identity, node, network=NETWORK, now=self._world.unix, sequence=sequence)
        return _body(card.with_grants(victim.card.grants))

    def ungranted_card(self) -> tuple[bytes, Item]:
        """A new identity's card that is what it says, under a grant in the issuer's name."""
        identity, node = IdentityKey.generate(self._entropy), NodeKey.generate(self._entropy)
        card = make_card(identity, node, network=NETWORK, now=self._world.unix)
        return _body(card.with_grants((self._grant(card, self._own.card.grants[0]),)))

    def card_for_their_node(self, victim: Citizen) -> tuple[bytes, Item]:
        """A new identity's card for the victim's node, which never agreed to it; its issuer's grant is real."""
        identity = IdentityKey.generate(self._entropy)
        oracle, real = self._world.oracle, NodeKey.generate(self._entropy)
        card = make_card(identity, real, network=NETWORK, now=self._world.unix)
        values = cast("dict[str, Value]", decode(card.body, limit=1_024))
        body = encode({**values, "node": bytes(victim.key.public)})
        card = Card.from_body(body, identity.sign(frame("p2pnoise/v1/card.key", body)), victim.card.node_signature)
        old = self._own.card.grants[0]
        # The issuer was talked into it, though `cards.grant` would not be.
        signed = Grant.parse(old.kid, old.attrs, oracle.issuer.sign(frame(CARD_APP, body, old.attrs)))
        return _body(card.with_grants((signed,)))

    def foreign_card(self) -> tuple[bytes, Item]:
        """A card of another network, where it is as good as any."""
        identity, node = IdentityKey.generate(self._entropy), NodeKey.generate(self._entropy)
        card = make_card(identity, node, network="elsewhere", now=self._world.unix)
        issuer = self._as(self._own.identity.public)
        return _body(grant_for(issuer, card, serial=1, now=self._world.unix, entropy=self._entropy))

    def grant(self, victim: Citizen) -> tuple[bytes, Item]:
        """A later grant for the victim's card, in the issuer's name."""
        card, old = victim.card, victim.card.grants[0]
        new = self._grant(card, old)
        item = GrantItem(card.card_id, new.kid, new.attrs, new.signature)
        return grant_id(card.card_id, self._world.oracle.issuer.public, new.attrs), item

    def _grant(self, card: Card, old: Grant) -> Grant:
        values = cast("dict[str, Value]", decode(old.attrs, limit=1_024))
        attrs = encode({**values, "sn": old.serial + self._chance.randrange(1, FAR)})
        return Grant.parse(old.kid, attrs, self._own.identity.sign(frame(CARD_APP, card.body, attrs)))

    def record(self, victim: Citizen) -> tuple[bytes, Item]:
        """Later addresses of the victim's node: ours."""
        now = self._world.unix
        record = AddressRecord.make(
            {
                "net": NETWORK,
                "iat": now,
                "node": bytes(victim.key.public),
                "seq": (now + FAR) * 1_000,
                "exp": now + DAY,
                "addr": [str(self._own.address)],
            },
            self._as(victim.key.public),
        )
        return record_id(record), RecordItem(record.raw)

    def revocations(self, victim: Citizen) -> RevocationList:
        """The issuer's next list, in which the victim stands."""
        now = self._world.unix
        entry = Entry(bytes(victim.identity.public), now, "lost", now + YEAR)
        issuer = self._as(self._world.oracle.issuer.public)
        return make_list(issuer, network=NETWORK, sequence=FAR, now=now, entries=[entry])

    def ending(self, victim: Citizen) -> SelfRevocation:
        """The victim's last word."""
        values = {"net": NETWORK, "iat": self._world.unix, "key": bytes(victim.identity.public), "reason": "lost"}
        return SelfRevocation.make(values, self._as(victim.identity.public))


def _body(card: Card) -> tuple[bytes, Item]:
    return body_id(card.card_id), CardItem(card.raw)
