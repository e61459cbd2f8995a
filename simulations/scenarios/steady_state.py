"""Nothing happens: what does a node send to keep its place, and does it keep the peers that it has?"""

from simulations import Connected, Converged, NobodyFalselyDead, Quiet, Scenario, SteadyViews

NUMBER = 3
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 42,780 (37,256 to 46,381)
connected after: 1.125 (0.9988 to 1.252)
converged after: 1.462 (1.294 to 1.655)
falsely dead: 0 (0 to 0)
idle bytes per second: 79.95 (68.75 to 94.58)
peers lost: 0 (0 to 0)
redundancy: 0.6535 (0.248 to 0.8687)

2026-11-21. 12 nodes, 5 minutes, seeds 1-15: 134 bytes a second and node (132 to 135), no peer lost.
"""


def scenario(*, minutes: int = 5, bytes_per_second: int = 400, least: int = 5) -> Scenario:
    """From the second minute on; the bound on what a node sends is the same for any number of nodes."""
    return Scenario(
        nodes=50,
        seconds=60.0 * minutes,
        expects=[
            Converged(within=30),
            Connected(),
            Quiet(bytes_per_second=bytes_per_second, after=60),
            SteadyViews(after=60, least=least),
            NobodyFalselyDead(),
        ],
    )
