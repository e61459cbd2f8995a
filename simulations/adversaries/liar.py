"""Liar: a member that tells of forged cards, grants, records, lists and statements, and garbles what it is asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, cast

from cards import Card, SelfRevocation, Verdict
from cards.codec import Value, decode, encode
from p2pnoise.chance import Chance
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GivenList,
    GivenStatements,
    HeldStatements,
    Item,
    Items,
    Message,
    Unknown,
    Want,
    WantStatements,
)
from p2pnoise.instant import Instant
from simulations.nodes import SimulatedNode
from simulations.oracle import Citizen
from simulations.world import World

from .around import HostileOverlay
from .forging import Forger

Lie: TypeAlias = tuple[bytes, Item]

KINDS = ("card", "ungranted card", "node", "foreign card", "grant", "record", "list", "statement")
GARBLED = ("signature", "node signature", "no node signature", "grants", "body", "cut")
HARMLESS = ("foreign card", "grants", "body")  # nobody can say that its sender made it, or it is not what was asked


class Liar(HostileOverlay):
    """On each new link it tells one lie of each kind in turn; half of what it is asked for it garbles."""

    def __init__(self, world: World, node: SimulatedNode, table: PeerTable, *, random: Chance) -> None:
        super().__init__(world, node, table, random=random)
        self._forger = Forger(world, node)
        self._turn = self.chance.randrange(len(KINDS))
        self._made: dict[bytes, tuple[str, Item]] = {}  # by the id under which it was told of
        self._endings: dict[bytes, SelfRevocation] = {}  # forged, by digest

    def peer_up(self, link: int, verdict: Verdict | None, now: Instant, *, visit: bool = False) -> list[Effect]:
        return [*super().peer_up(link, verdict, now, visit=visit), *self._lie(link)]

    def message(self, link: int, message: Message | Unknown, now: Instant) -> list[Effect]:
        effects = [self._garbled(link, effect) for effect in super().message(link, message, now)]
        match message:
            case Want(ids) if self.has(link):
                wanted = [self._made[one] for one in sorted(ids) if one in self._made]
                for kind, _ in wanted:
                    self.lied(link, kind, plain=kind not in HARMLESS and (kind != "grant" or self._is_well_known))
                if wanted:  # before the end of the answer
                    effects.insert(0, SendMessage(link, Items(tuple(item for _, item in wanted), last=False)))
            case WantStatements(digests) if self.has(link):
                for digest in sorted(set(digests) & set(self._endings)):
                    ending = self._endings[digest]
                    self.lied(link, "statement", plain=True)
                    effects.insert(0, SendMessage(link, GivenStatements(((ending.label, ending.raw),))))
            case _:
                pass
        return effects

    def _lie(self, link: int) -> list[Effect]:
        kind, victim = KINDS[self._turn % len(KINDS)], self._victim()
        self._turn += 1
        told: Message
        if kind == "list":
            made = self._forger.revocations(victim)
            self.lied(link, kind, plain=True)
            told = GivenList(made.head, made.signature, made.pages)
        elif kind == "statement":
            ending = self._forger.ending(victim)
            self._endings[ending.digest] = ending
            told = HeldStatements((ending.digest,))
        else:
            name, item = self._make(kind, victim)
            self._made[name] = kind, item
            told = Announce(frozenset((name,)))
        return [SendMessage(link, told)]

    def _make(self, kind: str, victim: Citizen) -> Lie:
        make: dict[str, Callable[[], Lie]] = {
            "card": lambda: self._forger.card(victim),
            "ungranted card": self._forger.ungranted_card,
            "node": lambda: self._forger.card_for_their_node(victim),
            "foreign card": self._forger.foreign_card,
            "grant": lambda: self._forger.grant(self.node.citizen),  # who hears it holds that card
            "record": lambda: self._forger.record(victim),
        }
        return make[kind]()

    @property
    def _is_well_known(self) -> bool:
        """Whether everybody who is linked with us holds our card: who does not, ignores a grant for it."""
        return len(self.node.citizen.cards) == 1

    def _victim(self) -> Citizen:
        return self.chance.choice([node.citizen for node in self.world.nodes if node.honest])

    # What it is asked for

    def _garbled(self, link: int, effect: Effect) -> Effect:
        match effect:
            case SendMessage(_, Items(items, last)):
                return SendMessage(link, Items(tuple(self._spoilt(link, item) for item in items), last))
        return effect

    def _spoilt(self, link: int, item: Item) -> Item:
        if not isinstance(item, CardItem) or self.chance.random() < 0.5:
            return item
        kind = self.chance.choice(GARBLED)
        card = Card.parse(item.raw)
        newest = max(one.card.sequence for one in self.world.oracle.citizens if one.identity.public == card.identity)
        # Of whom one holds a newer card, an older one is not even read.
        self.lied(link, f"garbled {kind}", plain=kind not in HARMLESS and card.sequence == newest)
        return CardItem(garble(item.raw, kind, self.chance.randrange))


def garble(raw: bytes, kind: str, draw: Callable[[int], int]) -> bytes:
    """A genuine card, with one thing about it changed."""
    card = Card.parse(raw)
    match kind:
        case "signature":
            return replace(card, key_signature=_flipped(card.key_signature, draw)).raw
        case "node signature":
            return replace(card, node_signature=_flipped(card.node_signature, draw)).raw
        case "no node signature":
            return replace(card, node_signature=b"").raw
        case "grants":
            return card.with_grants(()).raw
        case "cut":
            return raw[: draw(len(raw))]
        case _:
            values = cast("dict[str, Value]", decode(card.body, limit=len(raw)))
            body = encode({**values, "name": f"mallory-{draw(1 << 30)}"})
            grants = [list(one.parts) for one in card.grants]
            return Card.from_body(body, card.key_signature, card.node_signature, grants).raw


def _flipped(data: bytes, draw: Callable[[int], int]) -> bytes:
    at = draw(8 * len(data))
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    return bytes(flipped)
