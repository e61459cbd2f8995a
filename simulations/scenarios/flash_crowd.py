"""Everybody comes within ten seconds, and the first node is all they know: does it bear that, and do all come in?"""

from simulations import Connected, Converged, FirstNodeCarries, Scenario

NUMBER = 2
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 14,578 (13,354 to 15,619)
connected after: 9.587 (8.416 to 10.13)
converged after: 9.762 (8.55 to 10.29)
first node bytes a node: 6,060 (5,537 to 6,606)
redundancy: 0.316 (0.263 to 0.3606)

2026-11-21. 12 nodes, seeds 1-20: all in. 150 nodes, seed 1: 15.5 s after the beginning, and the first node has
sent each 99 kB, three hundred times what the others send: all cards to all. 112 links stand at it then.
"""


def scenario(*, seconds: float = 10.0, bytes_a_node: int = 8_000, bytes_a_card: int = 800) -> Scenario:
    """The first node may send each newcomer `bytes_a_node`, and all cards once; whoever it sends away comes again."""
    return Scenario(
        nodes=150,
        seconds=seconds + 120,
        start=seconds,
        begin_with="first",
        expects=[
            Converged(within=seconds + 30),
            Connected(),
            FirstNodeCarries(bytes_a_node=bytes_a_node, bytes_a_card=bytes_a_card),
        ],
    )
