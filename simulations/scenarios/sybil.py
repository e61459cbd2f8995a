"""A rogue issuer has many members in few networks, who come to everybody: with whom do honest nodes gossip?"""

from simulations import Converged, HonestCompany, Networks, Scenario

NUMBER = 20
RECORDED = """
2026-11-22, 150 nodes, 20 seeds, messages: all checks hold in all of them.
bytes per node median: 206,176 (182,624 to 226,050)
converged after: 2.737 (2.646 to 2.958)
eclipsed: 0 (0 to 0)
honest share: 0.9269 (0.9169 to 0.935)
honest share least: 0.9269 (0.9169 to 0.935)
neighbours: 10.77 (10.65 to 10.9)
redundancy: 0.026 (0.019 to 0.03505)

2026-11-21, messages. The honest share of the neighbours of honest nodes after a minute; nobody eclipsed. 150 nodes,
seed 1: 91.9 %. 1,000 nodes, seeds 1-2: 93.0 and 93.4 %. Of 10.9 neighbours 5.2 were of a node's own choice, 0.14 of
these hostile, and 0.64 of those who came: one in eight of five networks.
"""


def scenario(
    *, sybils: float = 0.3, networks: int = 200, hostile: int = 5, issuers: int = 4, after: float = 45.0
) -> Scenario:
    """The issuer is one that all accept, beside `issuers` of honest nodes, which live in so many other networks."""
    return Scenario(
        nodes=1000,
        smoke=150,
        seconds=60,
        adversaries={"accepted-sybil": sybils},
        networks=Networks(honest=networks, hostile=hostile, issuers=issuers),
        expects=[Converged(within=60), HonestCompany(after=after)],
        fidelities=("messages",),
    )
