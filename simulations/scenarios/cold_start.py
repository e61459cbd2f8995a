"""How long until everybody knows everybody, when all start within a second and begin with one node?"""

from simulations import Connected, Converged, Scenario

NUMBER = 1
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 10,394 (5,758 to 13,678)
connected after: 1.125 (0.9863 to 1.25)
converged after: 1.4 (1.159 to 1.669)
redundancy: 0.4805 (0.2476 to 0.8072)

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
