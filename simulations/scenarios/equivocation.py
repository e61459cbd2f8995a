"""A member signs two cards of one number and shows each to half of the others: do all come to think the same of it?"""

from simulations import Agreed, Connected, Converged, Scenario

NUMBER = 18
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 33,300 (30,325 to 37,965)
connected after: 1.125 (0.9988 to 1.25)
converged after: 1.438 (1.224 to 1.776)
differed: 1 (1 to 1)
redundancy: 0.796 (0.6334 to 0.9311)

2026-11-21, medians and ranges. 12 nodes, seeds 1-19: where both cards are held all know of it within 15 s of the
start, and all hold the third one of a higher number at second 60.
"""


def scenario(*, equivocators: float = 1.0) -> Scenario:
    """Its issuer granted both. Whoever holds one keeps it and takes no other, until there is one of a higher number."""
    return Scenario(
        nodes=40,
        seconds=90,
        begin_with="first",
        adversaries={"equivocator": equivocators},
        expects=[Converged(within=30), Connected(), Agreed(kinds=("equivocator",), known=15, after=60)],
    )
