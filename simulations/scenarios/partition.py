"""A network is cut in two halves for a while: how long after that until all know again what happened on both sides?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Cut, Fault, Partition, Renew, Revoke, Scenario, Setting

NUMBER = 7
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 29,942 (27,028 to 33,584)
connected after: 0.15 (0.08625 to 0.3)
converged after: 0.325 (0.2112 to 0.6162)
cut after: 0.2125 (0.15 to 0.4138)
redundancy: 0.6415 (0.4322 to 0.9314)

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
