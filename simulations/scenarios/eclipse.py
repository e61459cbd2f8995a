"""Many members dial one victim alone and tell it of one another alone: does it still find the others?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, Renew, Scenario, Setting

RECORDED = """
2026-11-21, medians and ranges. 12 nodes, seeds 1-30: the victim keeps its first link and hears of all: 0.18 s
(0.15-0.35) after the last new card.
"""


def scenario(*, eclipsers: float = 0.4) -> Scenario:
    """The victim begins with an honest node, as all do. To its being started anew today's gossip has no answer."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=15, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=60,
        begin_with="first",
        faults=faults,
        adversaries={"eclipser": eclipsers},
        expects=[Converged(within=30), Connected()],
    )
