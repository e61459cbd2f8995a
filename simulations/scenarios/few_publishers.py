"""How long does it take until everybody holds the cards of a few, where all others only listen?"""

from simulations import Connected, Converged, Scenario

RECORDED = """
2026-11-22, 40 nodes, 20 seeds, messages: all checks hold in all of them.
bytes per node median: 44,140 (39,118 to 48,149)
connected after: 1.087 (1.025 to 1.126)
converged after: 1.675 (1.598 to 1.8)
redundancy: 0.2865 (0.2458 to 0.369)

10,000 nodes, 100 publishers, 8 links a node (seed 1): all hold all after 1.95 s; median 92 kB sent a node.
"""


def scenario(*, publishers: int = 100) -> Scenario:
    """The first nodes have cards, the others have none; all pass on what they learn."""
    return Scenario(
        nodes=1_000,
        smoke=40,
        seconds=60,
        publishers=publishers,
        expects=[Converged(within=30), Connected()],
        fidelities=("messages",),
    )
