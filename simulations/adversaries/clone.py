"""Clone: a copied folder: the node key and the card of an honest node, at another address, while that one lives."""

from simulations.nodes import SimulatedNode
from simulations.world import World

from .around import victim_of


def copy_folder(world: World, node: SimulatedNode) -> None:
    """Become the same citizen as the victim, who is never the first node: all begin with that one."""
    victim = victim_of(world, node, but=(0,)).citizen
    node.citizen.identity, node.citizen.key, node.citizen.cards = victim.identity, victim.key, victim.cards
