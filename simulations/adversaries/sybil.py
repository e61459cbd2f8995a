"""Sybil: one of many identities of one rogue issuer, whom nobody else accepts, or all do."""

from dataclasses import replace

from p2pnoise.instant import Instant
from p2pnoise.node import effects as io
from simulations.nodes import SimulatedNode, honest
from simulations.world import World

from .around import Around

ROGUE, ACCEPTED = "rogue", "accepted-rogue"


def join_rogues(world: World, node: SimulatedNode) -> None:
    """Take a card of the issuer whom nobody accepts."""
    world.oracle.rogue(ROGUE, accepted=False)
    world.oracle.defect(node.citizen, ROGUE)


def join_accepted(world: World, node: SimulatedNode) -> None:
    """Take a card of the issuer whom all accept."""
    world.oracle.rogue(ACCEPTED, accepted=True)
    world.oracle.defect(node.citizen, ACCEPTED)


class Sybil(Around):
    """A node that accepts its own issuer, and has its list."""

    issuer = ROGUE

    def __init__(self, world: World, node: SimulatedNode) -> None:
        policy, rogue = world.oracle.policy, world.oracle.rogues[self.issuer]
        policy = replace(policy, issuers={**policy.issuers, self.issuer: rogue.public})
        super().__init__(world, node, honest(world, node, policy=policy))

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]:
        effects = super().handle(given, now)
        if isinstance(given, io.TrustRestored):
            effects += super().handle(io.FactOffered(self.world.oracle.rogue_lists[self.issuer], "its issuer"), now)
        return effects


class AcceptedSybil(Sybil):
    """The same of the issuer whom all accept."""

    issuer = ACCEPTED
