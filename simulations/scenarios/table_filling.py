"""A rogue issuer has more members than its share of a table: do the honest keep theirs, and tables become equal?"""

from simulations import Converged, Networks, RowsShared, Scenario

NUMBER = 25
RECORDED = """
2026-11-22, 60 nodes, 20 seeds, messages: all checks hold in all of them.
bytes per node median: 194,588 (180,893 to 211,049)
converged after: 2.275 (2.174 to 2.605)
different tables: 1 (1 to 1)
hostile rows: 14 (14 to 14)
redundancy: 0.146 (0.1239 to 0.2171)

2026-11-21, messages. 100 nodes, seed 1, and 60 nodes, seed 2: the honest know one another after 2.3 and 2.6 s, and in
the end all their tables hold the same of the rogue issuer, no more than a quarter.
"""


def scenario(*, sybils: float = 0.6, issuers: int = 4, rows: int = 80) -> Scenario:
    """The honest have cards of so many issuers, and each table so many rows, of which an issuer may have a quarter."""
    return Scenario(
        nodes=100,
        smoke=60,
        seconds=150,
        adversaries={"accepted-sybil": sybils},
        networks=Networks(honest=200, issuers=issuers, rows=rows),
        expects=[Converged(within=60), RowsShared(at_most=rows // 4)],
        fidelities=("messages",),
    )
