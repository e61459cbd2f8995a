"""Many members dial one victim alone and tell it of one another alone: does it still find the others?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, Fault, HonestCompany, Renew, Scenario, Setting

NUMBER = 21
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 37,646 (33,669 to 42,095)
connected after: 0.1125 (0.075 to 0.18)
converged after: 0 (0 to 0)
eclipsed: 0 (0 to 0)
honest share: 0.596 (0.5381 to 0.6125)
honest share least: 0.596 (0.5381 to 0.6125)
neighbours: 9.29 (9 to 9.585)
redundancy: 0.9325 (0.6788 to 1.294)

2026-11-21. 12 nodes, seeds 1-2, and 16 nodes, seeds 1-3: nobody is eclipsed after the restart; 57 to 76 % of the
neighbours of honest nodes are honest, where 60 % of all nodes are and none has a network.
"""


def scenario(*, eclipsers: float = 0.4, restarts: bool = True) -> Scenario:
    """The victim begins with an honest node, as all do; later it is started anew, with the last quarter of all."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=15, nodes=setting.some(0.3))
        if restarts:
            yield Crash(at=30, until=32, nodes=tuple(range(3 * setting.nodes // 4, setting.nodes)))

    return Scenario(
        nodes=40,
        seconds=90,
        begin_with="first",
        faults=faults,
        adversaries={"eclipser": eclipsers},
        expects=[Converged(within=30), Connected(), HonestCompany(after=40, share=0.45)],
    )
