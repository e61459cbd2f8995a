"""Every second some of all connections break: does the network still learn what is new, and how fast?"""

from collections.abc import Iterable

from simulations import Connected, Converged, EventsAtMost, Fault, Renew, Reset, Scenario, Setting

NUMBER = 4
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 59,528 (54,243 to 63,100)
connected after: 0 (0 to 0)
converged after: 0 (0 to 0)
converged since 30: 0.075 (0.05 to 0.075)
most dialling: 28 (24.9 to 32.05)
redundancy: 1.234 (0.981 to 1.449)

2026-11-21. 12 nodes, seeds 1-20, a chance of 0.05: always in bound; of 0.01 and 0.2, seeds 1-3: as well.
40 nodes, seeds 1-2: what is new is known everywhere after 0.46 s, while connections break.
"""


def scenario(*, chance: float = 0.05, seconds: int = 60, within: float = 10.0) -> Scenario:
    """Each connection breaks with `chance` in each second; in the middle of it some nodes get new cards."""

    def faults(setting: Setting) -> Iterable[Fault]:
        for second in range(seconds):
            yield Reset(at=float(second), nodes=tuple(range(setting.nodes)), chance=chance)
        yield Renew(at=seconds / 2, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        seconds=seconds + 60,
        faults=faults,
        expects=[
            Converged(within=within, since=seconds / 2),
            Converged(within=5),
            Connected(),
            EventsAtMost(kind="dialling", per_node=5 * seconds),
        ],
    )
