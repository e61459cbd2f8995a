"""Some members are of a later version and say what the others do not understand: is it ignored, and do all go on?"""

from simulations import Connected, Converged, EventsAtMost, Ignored, Included, Scenario

NUMBER = 30
RECORDED = """
2026-11-21, medians and ranges. 12 nodes, seeds 1-38: what is not understood is ignored, no link is lost for it; all
know all after 1.5 s (1.23-1.73).
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
    )
