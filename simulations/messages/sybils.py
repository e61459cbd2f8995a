"""Sybils: many members of one rogue issuer, in few networks, who act as one; of the message world.

They follow the protocol, name one another alone, take anybody for a neighbour, leave nobody, and come to every honest
node as often as they can: to those first where the lot fell on their network, which anybody can work out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from p2pnoise.chance import Chance
from p2pnoise.gossip import Overlay
from p2pnoise.gossip.effects import LinkId
from p2pnoise.gossip.items import ItemSet, body_id, record_id
from p2pnoise.gossip.messages import MAX_SAMPLE
from p2pnoise.gossip.networks import admits, network_of
from p2pnoise.gossip.views import Views

from .dice import Dice

if TYPE_CHECKING:
    from .nodes import MessageNode
    from .world import MessageWorld

KIND = "accepted-sybil"
MOST = 48  # links of one of them, so that a world of thousands is not all links; six times those of an honest node
AT_ONCE = 3  # that one of them dials in a second


class _NamesOneAnother(Views):
    """Has room for anybody, takes no for an answer from nobody, and knows of Sybils alone."""

    name_some: Callable[[], list[bytes]]
    """The ids of some of them, with their records."""

    def _has_room(self, _link: LinkId, /, *, ours: bool) -> bool:  # noqa: ARG002
        return True

    def _take(self, link: LinkId, *, ours: bool) -> None:
        self.active[link] = ours

    def peer_is_full(self, link: LinkId) -> None:
        pass

    def _sample(self) -> ItemSet:
        return frozenset(self.name_some())


class _Hostile(Overlay):
    make_views = _NamesOneAnother


class Sybils:
    """All of one world."""

    def __init__(self, world: "MessageWorld") -> None:
        self.numbers: list[int] = []
        self._world = world
        self._welcome: dict[str, list[int]] = {}  # by network, where the lot fell on it

    def overlay(self, node: "MessageNode", dice: Dice) -> Overlay:
        """What gossips for one of them."""
        overlay = _Hostile(node.table, random=dice)
        assert isinstance(overlay.views, _NamesOneAnother)  # noqa: S101 - made so
        overlay.views.name_some = lambda: self._name_some(dice)
        return overlay

    def whom(self, node: "MessageNode", dice: Chance, reached: set[int]) -> list[int]:
        """Whom one of them dials now."""
        nodes = self._world.nodes
        if len(node.links) + len(node.dialling) >= MOST:
            return []
        welcome = self._welcome_in(network_of(node.citizen.address))
        everybody = [dice.randrange(len(nodes)) for _ in range(AT_ONCE)]
        some = [dice.choice(welcome) for _ in range(AT_ONCE)] if welcome and dice.randrange(4) else everybody
        return [other for other in dict.fromkeys(some) if nodes[other].honest and other not in reached]

    def _welcome_in(self, network: str | None) -> list[int]:
        if network is not None and network not in self._welcome:
            self._welcome[network] = [
                one.number for one in self._world.nodes if one.honest and admits(bytes(one.citizen.key.public), network)
            ]
        return self._welcome[network] if network is not None else []

    def _name_some(self, dice: Dice) -> list[bytes]:
        named: list[bytes] = []
        for number in {dice.choice(self.numbers): None for _ in range(MAX_SAMPLE // 2)}:
            other = self._world.nodes[number]
            if other.record is not None:
                named += [body_id(other.citizen.card.card_id), record_id(other.record)]
        return named
