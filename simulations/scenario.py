"""Scenario: one question asked of a world, and the report that answers it.

Today's question: a number of nodes of one issuer start within a second, each knowing one other. How long until all
know all, and, once one card is revoked at a single node, how long until nobody is linked to its bearer?
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cards import Address, Entry, IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card, make_list
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io

from .world import START, World

NETWORK = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to simulate. `limit` is the virtual seconds after which an unanswered question is given up."""

    nodes: int = 100
    seed: int = 1
    limit: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer. Times in virtual seconds, None where the limit came first; bytes as sent by one node.

    The same scenario gives the same report in any process.
    """

    nodes: int
    seed: int
    converged_after: float | None
    revoked_cut_after: float | None
    bytes_per_node_median: int
    bytes_per_node_max: int
    links_per_node_median: float
    deliveries: int
    handshakes: int
    events: dict[str, int]
    trace_hash: str

    @property
    def ok(self) -> bool:
        """Whether everything that was asked came to pass."""
        return self.converged_after is not None and self.revoked_cut_after is not None

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def run(scenario: Scenario, *, progress: Callable[[float, int], None] = lambda _now, _done: None) -> Report:
    """Simulate `scenario`. `progress` hears the virtual seconds and how many nodes know all, now and then."""
    world = World(scenario.seed)
    issuer = IssuerKey.generate(world.entropy("issuer"))
    policy = Policy(network=NETWORK, issuers={"sim": issuer.public})
    first_list = make_list(issuer, network=NETWORK, sequence=1, now=START)
    starts = world.chance("starts")
    bootstraps: list[Bootstrap] = []
    for number in range(scenario.nodes):
        entropy = world.entropy("keys", number)
        key = NodeKey.generate(entropy)
        card = make_card(IdentityKey.generate(entropy), key, network=NETWORK, now=START, name=f"node-{number}")
        address = Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 7060)
        config = NodeConfig(bootstrap=(starts.choice(bootstraps),) if bootstraps else ())
        world.add(
            key=key,
            card=grant(issuer, card, serial=number + 1, now=START, entropy=entropy),
            policy=policy,
            config=config,
            address=address,
            lists=(first_list,),
        )
        bootstraps.append(Bootstrap(address, key.public))

    limit = int(scenario.limit * SECOND)
    converged = _run_until(world, limit, lambda: _knowing_all(world), scenario.nodes, progress)
    cut = None
    if converged is not None and scenario.nodes > 1:
        victim = world.nodes[-1].core
        entry = Entry(bytes(victim.card.identity), world.unix, "lost", START + 400 * 86400)
        second = make_list(issuer, network=NETWORK, sequence=2, now=world.unix, entries=[entry])
        begun = world.now
        world.schedule(0, io.FactOffered(second, "operator"))
        done = _run_until(world, limit, lambda: _rid_of(world, victim.node_id), scenario.nodes - 1, progress)
        cut = done - begun if done is not None else None
    sent = [node.bytes_sent for node in world.nodes]
    return Report(
        nodes=scenario.nodes,
        seed=scenario.seed,
        converged_after=_seconds(converged),
        revoked_cut_after=_seconds(cut if scenario.nodes > 1 else 0),
        bytes_per_node_median=int(statistics.median(sent)),
        bytes_per_node_max=max(sent),
        links_per_node_median=statistics.median(len(node.core.links.all) for node in world.nodes),
        deliveries=world.deliveries,
        handshakes=world.census["peer-verified"] // 2,
        events=dict(sorted(world.census.items())),
        trace_hash=world.trace_hash,
    )


def _run_until(
    world: World, limit: int, count: Callable[[], int], target: int, progress: Callable[[float, int], None]
) -> int | None:
    """Run until `count` reaches `target`, looking every 10 virtual milliseconds; the nanosecond, or None."""
    end = world.now + limit
    while world.now < end:
        done = count()
        progress(world.now / SECOND, done)
        if done >= target:
            return world.now
        world.run(world.now + SECOND // 100)
    return None


def _knowing_all(world: World) -> int:
    """How many nodes hold every card with its address record."""
    total = len(world.nodes)
    return sum(
        len(node.core.table) == total and all(peer.record is not None for peer in node.core.table)
        for node in world.nodes
    )


def _rid_of(world: World, victim: bytes) -> int:
    """How many of the others neither list the victim nor keep a link to it."""
    return sum(
        node.core.table.by_node(victim) is None
        and not any(link.node_id == victim and not link.ending for link in node.core.links.all.values())
        for node in world.nodes
        if node.core.node_id != victim
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return round(nanoseconds / SECOND, 3) if nanoseconds is not None else None
