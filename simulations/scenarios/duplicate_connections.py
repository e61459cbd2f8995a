"""Nodes dial each other at the same time, again and again: does one connection of each pair survive on both sides?"""

from collections.abc import Iterable

from p2pnoise.config import NodeConfig
from simulations import Connected, Converged, Fault, OneLink, Reset, Scenario, Setting

NUMBER = 27
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 75,672 (70,324 to 78,728)
connected after: 0.125 (0.1 to 0.1512)
converged after: 0 (0 to 0)
longest second link: 0.05 (0.05 to 0.07625)
pairs with two connections: 40 (35.95 to 44.05)
redundancy: 0.755 (0.4516 to 0.989)

2026-11-21, medians and ranges. 12 nodes, seeds 1-7: 29 pairs (26-35) had two connections at once; one of each was
left on both sides, and what one side alone held was gone after 0.05 s (0.05-0.08).
"""


def scenario(*, resets: int = 5) -> Scenario:
    """Nobody leaves the first dial to the other; now and then all connections break at once."""

    def faults(setting: Setting) -> Iterable[Fault]:
        for number in range(resets):
            yield Reset(at=5.0 + 5 * number, nodes=tuple(range(setting.nodes)))

    return Scenario(
        nodes=40,
        seconds=90,
        config=NodeConfig(deference=0.0),
        faults=faults,
        expects=[Converged(within=30), Connected(), OneLink(within=6.0, met=1)],
    )
