"""The network is cut and whole again every five seconds: is there progress between, and no storm of dials?"""

from collections.abc import Iterable

from simulations import Connected, Converged, EventsAtMost, Fault, Partition, Renew, Scenario, Setting

NUMBER = 9
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 36,112 (34,439 to 38,833)
connected after: 0 (0 to 0)
converged after: 0 (0 to 0)
converged since 70: 5.05 (5.025 to 5.076)
most dialling: 10 (10 to 11)
redundancy: 1.076 (0.8315 to 1.266)

2026-11-21. 12 nodes, seeds 1-15: what is new when a cut begins is known everywhere 5.1 s later, as soon as it ends;
no node dials more than 8 times.
"""


def scenario(*, period: float = 5.0, seconds: int = 120, within: float = 30.0) -> Scenario:
    """The halves are others each time. In the middle some get new cards, which all have `within` so many seconds."""

    def faults(setting: Setting) -> Iterable[Fault]:
        for turn in range(int(seconds / (2 * period))):
            begin = 10 + 2 * period * turn
            yield Partition(at=begin, until=begin + period, nodes=setting.some(0.5))
        yield Renew(at=10 + seconds / 2, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        seconds=10 + seconds + 90,
        faults=faults,
        expects=[
            Converged(within=within, since=10 + seconds / 2),
            Converged(within=60),
            Connected(),
            EventsAtMost(kind="dialling", per_node=seconds),
        ],
    )
