"""Thief: shows somebody else's card under a Noise key of its own."""

from p2pnoise.node.core import NodeCore
from simulations.nodes import SimulatedNode, honest
from simulations.world import World

from .around import victim_of


def thief(world: World, node: SimulatedNode) -> NodeCore:
    """A node whose card is stolen; the key that it names is not."""
    return honest(world, node, card=victim_of(world, node).citizen.card)
