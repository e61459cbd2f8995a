"""How long until everybody knows everybody, when all start within a second and begin with one node?"""

from simulations import Connected, Converged, Scenario

NUMBER = 1
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 10,700 (7,685 to 12,906)
connected after: 1.125 (0.9988 to 1.25)
converged after: 1.387 (1.196 to 1.726)
redundancy: 0.5165 (0.2792 to 0.7107)

2026-11-21. 12 nodes, seeds 1-20: all know all after 1.6 s (median; 1.4 to 1.8). 40 nodes, seeds 1-2: 1.7 s.
"""


def scenario(*, within: float = 2.0, per_doubling: float = 1.0) -> Scenario:
    """Everybody begins with the first node; a network of twice the size may take `per_doubling` seconds longer."""
    return Scenario(
        nodes=50,
        seconds=60,
        begin_with="first",
        expects=[Converged(within=within, per_doubling=per_doubling), Connected()],
        fidelities=("bytes", "virtual", "messages"),
    )
