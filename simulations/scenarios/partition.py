"""A network is cut in two halves for a while: how long after that until all know again what happened on both sides?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Cut, Fault, Partition, Renew, Revoke, Scenario, Setting

NUMBER = 7
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 30,580 (26,337 to 33,073)
connected after: 0.2 (0.09875 to 0.4275)
converged after: 0.3625 (0.2238 to 0.6038)
cut after: 0.275 (0.1487 to 0.5037)
redundancy: 0.73 (0.387 to 0.8808)

2026-11-21. 12 nodes, seeds 1-20: all know all 1.7 s after it is over (median of 15; 0.4 to 2.0), and whoever was
revoked is cut after 1.65 s (0.3 to 2.0). After ten minutes of partition, seeds 1-3: within 330 s.
"""


def scenario(*, seconds: float = 60.0) -> Scenario:
    """Meanwhile one half revokes a node of the other, and both have new cards."""

    def faults(setting: Setting) -> Iterable[Fault]:
        half = setting.some(0.5)
        rest = [number for number in range(setting.nodes) if number not in half]
        yield Partition(at=20, until=20 + seconds, nodes=half)
        yield Renew(at=30, nodes=(half[0], rest[0]))
        yield Revoke(at=35, nodes=half[-1:])

    return Scenario(
        nodes=50,
        seconds=20 + seconds + 400,
        faults=faults,
        expects=[Converged(within=330), Connected(), Cut(within=330, at_last=True)],
        fidelities=("bytes", "virtual", "messages"),
    )
