"""Some members are of a later version and say what the others do not understand: is it ignored, and do all go on?"""

from simulations import Connected, Converged, EventsAtMost, Ignored, Included, NoWorse, Scenario

NUMBER = 30
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 10,812 (7,852 to 15,530)
connected after: 1.1 (0.9225 to 1.25)
converged after: 1.363 (1.148 to 1.669)
frames ignored: 22 (20 to 32.2)
messages ignored: 22 (20 to 32.2)
most peer lost: 0 (0 to 0)
redundancy: 0.592 (0.3257 to 0.8513)
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
