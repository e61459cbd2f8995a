"""How long does it take until everybody holds the cards of a few, where all others only listen?"""

from simulations import Connected, Converged, Scenario

RECORDED = """
2026-11-22, 40 nodes, 30 seeds, messages: all checks hold in all of them.
bytes per node median: 43,498 (39,017 to 48,236)
connected after: 1.075 (1.025 to 1.139)
converged after: 1.675 (1.6 to 1.8)
redundancy: 0.282 (0.222 to 0.3665)

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
