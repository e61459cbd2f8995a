"""Some members are of a later version and say what the others do not understand: is it ignored, and do all go on?"""

from simulations import Connected, Converged, EventsAtMost, Ignored, Included, NoWorse, Scenario

NUMBER = 30
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 10,558 (8,405 to 16,125)
connected after: 1.1 (0.8962 to 1.25)
converged after: 1.375 (1.125 to 1.584)
frames ignored: 20 (20 to 27.7)
messages ignored: 20 (20 to 27.7)
most peer lost: 0 (0 to 0)
redundancy: 0.605 (0.3499 to 0.8075)
"""


def scenario(*, newer: float = 0.3) -> Scenario:
    """Messages, frames and notices of later versions are counted; no link is lost for them."""
    return Scenario(
        nodes=40,
        seconds=40,
        begin_with="first",
        adversaries={"newer": newer},
        expects=[
            Converged(within=30),
            Connected(),
            Included(kinds=("newer",)),
            Ignored(least=20),
            EventsAtMost(kind="peer-lost", per_node=0, reason="it broke the protocol"),
        ],
        compares=[NoWorse(metric="converged_after", factor=1.5, slack=0.5)],
    )
