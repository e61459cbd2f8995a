"""How long does it take until everybody holds the cards of a few, where all others only listen?"""

from simulations import Connected, Converged, Scenario

RECORDED = """
2026-11-22, 40 nodes, 30 seeds, messages: all checks hold in all of them.
bytes per node median: 43,800 (38,567 to 48,048)
connected after: 1.075 (1.025 to 1.139)
converged after: 1.65 (1.575 to 1.827)
redundancy: 0.284 (0.2128 to 0.3545)

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
