"""How long until everybody knows everybody, when all start within a second and begin with one node?"""

from simulations import Connected, Converged, Scenario

NUMBER = 1
RECORDED = ""


def scenario() -> Scenario:
    """Everybody begins with the first node."""
    return Scenario(
        nodes=50,
        seconds=60,
        begin_with="first",
        expects=[Converged(within=30), Connected()],
        fidelities=("bytes", "virtual"),
    )
