"""Members forge cards, grants, addresses, lists and statements of others: is any believed, and what does it cost?"""

from simulations import Connected, Converged, LiesCost, LiesEndLinks, Scenario

NUMBER = 16
RECORDED = ""


def scenario(*, liars: float = 0.25) -> Scenario:
    """A share of all lies on every new link, and garbles half of the cards that it is asked for."""
    return Scenario(
        nodes=40,
        seconds=90,
        begin_with="first",
        adversaries={"liar": liars},
        expects=[Converged(within=60), Connected(), LiesEndLinks(), LiesCost()],
    )
