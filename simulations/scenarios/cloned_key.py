"""A node's folder is copied, and both copies run: does anybody notice, and do all others go on?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, Renew, Scenario, Setting, Told

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 22,284 (19,074 to 26,006)
connected after: 0 (0 to 0)
converged after: 0.075 (0.05 to 0.07625)
redundancy: 0.853 (0.5342 to 1.171)

2026-11-21, medians and ranges. 12 nodes, seeds 10-59: somebody tells of two nodes with one key in every run. All
others know all 0.23 s (0.18-0.38) after the last new card.
"""


def scenario(*, clones: float = 1.0) -> Scenario:
    """The copy has the same key and card, and another address."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=15, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=90,
        begin_with="first",
        faults=faults,
        adversaries={"clone": clones},
        expects=[Converged(within=60), Connected(), Told(kind="duplicate-node")],
    )
