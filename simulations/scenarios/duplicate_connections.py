"""Nodes dial each other at the same time, again and again: does one connection of each pair survive on both sides?"""

from collections.abc import Iterable

from p2pnoise.config import NodeConfig
from simulations import Connected, Converged, Fault, OneLink, Reset, Scenario, Setting

NUMBER = 27
RECORDED = ""


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
