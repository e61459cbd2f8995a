"""What was verified once is remembered: is all the same where nothing is, or where liars were remembered first?"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from cards import Card, SignatureCache
from p2pnoise.gossip import PeerTable
from simulations import Connected, Converged, Outcome, Scenario, World
from simulations.adversaries.liar import GARBLED, garble
from simulations.byte_experiment import ByteExperiment
from simulations.outcome import Check
from simulations.signatures import CountingSignatures

NUMBER = 32
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 9,793 (5,267 to 13,846)
connected after: 1.125 (0.9988 to 1.25)
converged after: 1.363 (1.124 to 1.551)
redundancy: 0.402 (0.2331 to 0.6261)
signatures asked of 16 facts: 1,238 (969.2 to 1,433)
signatures asked off: 1,238 (969.2 to 1,433)
signatures asked on: 213.5 (192.7 to 229.1)
signatures asked poisoned: 313.5 (292.6 to 329.1)

2026-11-21, medians and ranges. 12 nodes, seeds 1-10: the same to the bit with the cache off, small or poisoned; 208
signatures (195-220) are verified with it, 1,194 (1,049-1,422) without, 308 (295-320) where every card was seen
garbled first.
"""

Way = tuple[str, Callable[[], SignatureCache], bool]
WAYS: tuple[Way, ...] = (
    ("on", CountingSignatures, True),
    ("off", lambda: CountingSignatures(limit=0), False),
    ("of 16 facts", lambda: CountingSignatures(limit=16), False),
    ("poisoned", CountingSignatures, True),
)
"""The name, the cache of signatures, and whether verdicts are remembered for other nodes, too."""


def scenario(*, liars: float = 0.2) -> Scenario:
    """A share of all garbles cards and forges them, so that what does not hold is remembered, too."""
    return Scenario(
        nodes=30,
        seconds=60,
        begin_with="first",
        adversaries={"liar": liars},
        expects=[Converged(within=50), Connected()],
    )


class InAllWays(ByteExperiment):
    """The same run once for each of `WAYS`: the first may be held and looked into, the others are run at its end."""

    def outcome(self) -> Outcome:
        """That of the first, with what the others differ in."""
        first, asked = super().outcome(), {WAYS[0][0]: _asked(self.world)}
        same = []
        for name, signatures, remember in WAYS[1:]:
            with ByteExperiment(
                self.file,
                self.scenario,
                nodes=first.nodes,
                seed=self.seed,
                schedule=self.schedule,
                parameters=self.parameters,
                signatures=signatures(),
                remember=remember,
            ) as other:
                if name == "poisoned":
                    poison(other.world)
                same.append(_beside(first, other.finish(), name))
            asked[name] = _asked(other.world)
        metrics = {f"signatures_asked_{name.replace(' ', '_')}": count for name, count in asked.items()}
        return replace(first, checks=(*first.checks, *same), metrics={**first.metrics, **metrics})


EXPERIMENT = InAllWays


def _asked(world: World) -> int | None:
    return getattr(world.signatures, "asked", None)


def _beside(first: Outcome, other: Outcome, name: str) -> Check:
    label = f"the same with the cache {name}"
    if first.trace_hash != other.trace_hash:
        return Check(name=label, holds=False, detail=f"trace {other.trace_hash} beside {first.trace_hash}")
    held = {check.name: check.holds for check in other.checks}
    differs = [check.name for check in first.checks if held.get(check.name) is not check.holds]
    return Check(name=label, holds=not differs, detail=", ".join(differs))


def poison(world: World) -> None:
    """Have the world's caches see every card garbled in every way, before anybody sees it whole."""
    oracle, chance = world.oracle, Random(world.seed)  # noqa: S311 - repeatable is what is wanted
    table = PeerTable(oracle.policy, own=oracle.citizens[0].key.public, signatures=world.signatures, memo=world.memo)
    table.offer_fact(oracle.lists[0], world.unix)
    for citizen in oracle.citizens[1:]:
        for kind in GARBLED:
            if kind != "cut":
                spoilt = Card.parse(garble(citizen.card.raw, kind, chance.randrange))
                table.offer_card(spoilt, world.unix, source=b"")
