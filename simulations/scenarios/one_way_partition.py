"""What one half sends does not arrive, what it is sent does: do links flap, and is all well when it is over?"""

from collections.abc import Iterable

from simulations import Connected, Converged, EventsAtMost, Fault, Partition, Renew, Scenario, Setting

NUMBER = 8
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 30,818 (27,487 to 33,328)
connected after: 0.25 (0.1237 to 0.3763)
converged after: 0.3625 (0.1988 to 0.5012)
most dialling: 47 (44.95 to 50)
most peer lost: 6 (6 to 6)
redundancy: 0.864 (0.4998 to 0.9817)

2026-11-21. 12 nodes, seeds 1-12: 1.4 s after it is over (median; 0.4 to 2.0); each node lost 6 peers once, and
dialled no more than 41 times. After ten minutes, seeds 1-3: within 330 s.
"""


def scenario(*, seconds: float = 120.0, within: float = 330.0) -> Scenario:
    """Both sides get new cards meanwhile. Nobody may lose a peer more often than it could have had one."""

    def faults(setting: Setting) -> Iterable[Fault]:
        half = setting.some(0.5)
        rest = [number for number in range(setting.nodes) if number not in half]
        yield Partition(at=20, until=20 + seconds, nodes=half, one_way=True)
        yield Renew(at=30, nodes=(half[0], rest[0]))

    return Scenario(
        nodes=50,
        seconds=20 + seconds + within + 10,
        faults=faults,
        expects=[
            Converged(within=within),
            Connected(),
            EventsAtMost(kind="peer-lost", per_node=24),
            EventsAtMost(kind="dialling", per_node=600),
        ],
    )
