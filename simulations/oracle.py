"""Oracle: who has which keys in a world, what its issuers have signed, and what is therefore true; nodes never see it.

Checks compare with it what nodes believe. Keys come from the seed and are worth nothing outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from cards import (
    Address,
    Card,
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    RevocationList,
    grant,
    make_card,
    make_list,
)

NETWORK = "simulated"
YEAR = 365 * 86_400  # seconds


class _World(Protocol):
    """Where keys come from, and what time it is."""

    @property
    def unix(self) -> int: ...
    def entropy(self, *label: object) -> Callable[[int], bytes]: ...


class _Node(Protocol):
    number: int

    @property
    def honest(self) -> bool: ...
    @property
    def online(self) -> bool: ...


_N = TypeVar("_N", bound=_Node)


@dataclass(slots=True)
class Citizen:
    """One node as its owner knows it. `cards` are all bodies that the identity has signed, the newest last."""

    number: int
    identity: IdentityKey
    key: NodeKey
    address: Address
    cards: list[Card] = field(default_factory=list)
    serial: int = 0

    @property
    def card(self) -> Card:
        return self.cards[-1]


@dataclass(frozen=True, slots=True)
class Lie:
    """Something false or worthless that was said: when, by which node, on which of its connections, to whom, and what.

    A `plain` one is seen by whoever hears it, and nobody honest says such a thing.
    """

    at: int
    node: int
    connection: int
    to: int | None
    kind: str
    plain: bool
    what: bytes = b""  # a name of it


class Oracle:
    """The owners and the issuers of a world.

    `signed` has every card by its id that its owner signed, honest or not; `granted` attrs and signature of each grant.
    `lies` are what adversaries have said so far.
    """

    def __init__(self, world: _World, *, issuer: str = "sim", lifetime: int = YEAR) -> None:
        self._world = world
        self._lifetime = lifetime  # seconds that grants last
        self.issuer = IssuerKey.generate(world.entropy("issuer", issuer))
        self.policy = Policy(network=NETWORK, issuers={issuer: self.issuer.public})
        self.lists: list[RevocationList] = [make_list(self.issuer, network=NETWORK, sequence=1, now=world.unix)]
        self.citizens: list[Citizen] = []
        self.revoked: dict[int, int] = {}  # node number -> nanosecond at which its list was handed in
        self.signed: dict[bytes, Card] = {}
        self.granted: set[tuple[bytes, bytes]] = set()
        self.lies: list[Lie] = []
        self.rogues: dict[str, IssuerKey] = {}
        self.rogue_lists: dict[str, RevocationList] = {}

    def settle(self, number: int, address: Address | None = None) -> Citizen:
        """A newcomer with a card that the issuer grants; a private address of its own, if it is given no other."""
        entropy = self._world.entropy("keys", number)
        key = NodeKey.generate(entropy)
        private = Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 7060)
        citizen = Citizen(number, IdentityKey.generate(entropy), key, address or private)
        self.citizens.append(citizen)
        self.issue(citizen)
        return citizen

    def issue(self, citizen: Citizen) -> Card:
        """The next card of a citizen: its sequence number is one higher."""
        entropy = self._world.entropy("grant", citizen.number, len(citizen.cards))
        body = make_card(
            citizen.identity,
            citizen.key,
            network=NETWORK,
            now=self._world.unix,
            name=f"node-{citizen.number}",
            sequence=len(citizen.cards) + 1,
        )
        return self.remember(citizen, self.endorse(body, citizen, entropy))

    def endorse(self, body: Card, citizen: Citizen, entropy: Callable[[int], bytes]) -> Card:
        """`body` with the issuer's grant."""
        citizen.serial += 1
        card = grant(
            self.issuer,
            body,
            serial=citizen.serial,
            now=self._world.unix,
            entropy=entropy,
            lifetime=self._lifetime,
        )
        self.granted |= {(one.attrs, one.signature) for one in card.grants}
        return card

    def remember(self, citizen: Citizen, card: Card) -> Card:
        """This card of a citizen is genuine, whatever it is worth."""
        citizen.cards.append(card)
        self.signed[bytes(card.card_id)] = card
        return card

    def rogue(self, name: str, *, accepted: bool) -> IssuerKey:
        """Another issuer, whom all accept who start from now on, or nobody; its list is in `rogue_lists`."""
        if name not in self.rogues:
            self.rogues[name] = IssuerKey.generate(self._world.entropy("issuer", name))
            self.rogue_lists[name] = make_list(self.rogues[name], network=NETWORK, sequence=1, now=self._world.unix)
            if accepted:
                self.policy = replace(self.policy, issuers={**self.policy.issuers, name: self.rogues[name].public})
        return self.rogues[name]

    def defect(self, citizen: Citizen, name: str) -> None:
        """The citizen's card is one of this rogue issuer from now on, and of no other."""
        entropy, issuer = self._world.entropy("rogue grant", citizen.number), self.rogues[name]
        card = grant(issuer, citizen.card.with_grants(()), serial=1, now=self._world.unix, entropy=entropy)
        citizen.cards[-1] = self.signed[bytes(card.card_id)] = card
        if name in self.policy.issuers:
            self.granted |= {(one.attrs, one.signature) for one in card.grants}

    def rotate(self, citizen: Citizen) -> Card:
        """The citizen takes a new node key, and a card that says so."""
        citizen.key = NodeKey.generate(self._world.entropy("next key", citizen.number, len(citizen.cards)))
        return self.issue(citizen)

    def at_hand(self, nodes: Sequence[_N], by: int) -> _N | None:
        """Where an operator hands in a list: at this node, or the next that runs and counts; None while there is none.

        Nobody listens to the others.
        """
        turns = (nodes[(by + turn) % len(nodes)] for turn in range(len(nodes)))
        return next((one for one in turns if one.honest and one.online and one.number not in self.revoked), None)

    def revoke(self, numbers: tuple[int, ...], now: int) -> RevocationList:
        """The issuer's next list, in which the identities of these nodes stand, too."""
        unix, before = self._world.unix, self.lists[-1]
        entries = [Entry(bytes(self.citizens[number].identity.public), unix, "lost", unix + YEAR) for number in numbers]
        new = make_list(
            self.issuer,
            network=NETWORK,
            sequence=before.sequence + 1,
            now=unix,
            entries=[*before.entries, *entries],
        )
        self.lists.append(new)
        self.revoked |= dict.fromkeys(numbers, now)
        return new
