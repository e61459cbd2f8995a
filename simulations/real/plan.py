"""Plan: the network of a scenario and a seed, as real processes can be it: addresses of this machine, cards of today.

Keys, identities, who knows whom and who starts when are those of the simulated run of the same seed.
"""

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from cards import Address, Card, NodeKey, Policy, RevocationList
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.instant import SECOND
from simulations.faults import Crash, Loss
from simulations.oracle import Oracle
from simulations.population import draw_schedule, settle
from simulations.scenario import Scenario, ScenarioError
from simulations.world import World

__all__ = ["Inhabitant", "Plan", "loopback", "make_plan"]

PORT = 7060
AGO = 60  # seconds since which the cards are valid: other clocks of this machine are this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhabitant:
    """One process to be."""

    number: int
    key: NodeKey
    card: Card
    address: Address
    config: NodeConfig
    at: float
    """Seconds after the beginning at which it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One network to be. `killed` dies at `kill_at`, if anybody does."""

    inhabitants: tuple[Inhabitant, ...]
    policy: Policy
    revocations: RevocationList
    seconds: float
    killed: int | None = None
    kill_at: float | None = None


class _Today:
    """A world for the oracle: chance as simulated, the time as it is."""

    def __init__(self, seed: int) -> None:
        world = World(seed)
        self.chance: Callable[..., Random] = world.chance
        self.entropy: Callable[..., Callable[[int], bytes]] = world.entropy
        self.unix = int(time.time()) - AGO


def make_plan(scenario: Scenario, nodes: int, seed: int, addresses: list[Address]) -> Plan:
    """The network of this seed, at these addresses. Raises ScenarioError for what only simulated networks can be."""
    today = _Today(seed)
    # Lost packets are the relay's affair.
    schedule = [fault for fault in draw_schedule(scenario, nodes, today.chance) if not isinstance(fault, Loss)]
    crashes = [fault for fault in schedule if isinstance(fault, Crash) and not fault.silent and fault.until is None]
    places = settle(scenario, nodes, today.chance)
    if len(crashes) != len(schedule) or len(crashes) > 1 or any(len(crash.nodes) != 1 for crash in crashes):
        raise ScenarioError("what goes wrong among real processes is that one is killed", "take like-reality")
    if any(place.kind != "honest" or place.skew or place.drift or not place.dialable for place in places):
        raise ScenarioError("real processes are honest, by one clock, and can be dialled", "take like-reality")
    oracle = Oracle(today)
    citizens = [oracle.settle(place.number) for place in places]
    inhabitants = []
    for place, citizen in zip(places, citizens, strict=True):
        known = tuple(Bootstrap(addresses[number], citizens[number].key.public) for number in place.knows)
        inhabitants.append(
            Inhabitant(
                number=place.number,
                key=citizen.key,
                card=citizen.card,
                address=addresses[place.number],
                config=replace(scenario.config, bootstrap=known),
                at=place.at / SECOND,
            )
        )
    killed = crashes[0] if crashes else None
    return Plan(
        inhabitants=tuple(inhabitants),
        policy=oracle.policy,
        revocations=oracle.lists[0],
        seconds=scenario.seconds,
        killed=killed.nodes[0] if killed is not None else None,
        kill_at=killed.at if killed is not None else None,
    )


def loopback(nodes: int) -> list[Address]:
    """As many addresses of this machine at which nobody listens."""
    if sys.platform == "linux":  # all of 127.0.0.0/8 is this machine: one host for each node, as in a network
        network = 64 + os.getpid() % 128
        return [Address(f"127.{network}.{number >> 8}.{number & 255}", PORT) for number in range(1, nodes + 1)]
    else:  # noqa: RET505 - mypy reads that this is of other systems
        taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(nodes)]
        addresses = [Address("127.0.0.1", one.getsockname()[1]) for one in taken]
        for one in taken:
            one.close()
        return addresses
