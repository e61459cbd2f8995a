"""A rogue issuer has many members in few networks, who come to everybody: with whom do honest nodes gossip?"""

from simulations import Converged, HonestCompany, Networks, Scenario

NUMBER = 20


def scenario(
    *, sybils: float = 0.3, networks: int = 200, hostile: int = 5, issuers: int = 4, after: float = 60.0
) -> Scenario:
    """The issuer is one that all accept, beside `issuers` of honest nodes, which live in so many other networks."""
    return Scenario(
        nodes=1000,
        smoke=150,
        seconds=120,
        adversaries={"accepted-sybil": sybils},
        networks=Networks(honest=networks, hostile=hostile, issuers=issuers),
        expects=[Converged(within=60), HonestCompany(after=after)],
        fidelities=("messages",),
    )
