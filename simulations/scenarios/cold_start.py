"""How long until everybody knows everybody, when all start within a second and begin with one node?"""

from simulations import Connected, Converged, Scenario

NUMBER = 1
RECORDED = ""


def scenario(*, within: float = 2.0, per_doubling: float = 1.0) -> Scenario:
    """Everybody begins with the first node; a network of twice the size may take `per_doubling` seconds longer."""
    return Scenario(
        nodes=50,
        seconds=60,
        begin_with="first",
        expects=[Converged(within=within, per_doubling=per_doubling), Connected()],
        fidelities=("bytes", "virtual", "messages"),
    )
