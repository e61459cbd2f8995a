"""Members forge cards, grants, addresses, lists and statements of others: is any believed, and what does it cost?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, LiesCost, LiesEndLinks, Renew, Scenario, Setting

NUMBER = 16
RECORDED = ""


def scenario(*, liars: float = 0.25) -> Scenario:
    """A share of all lies on every new link, and garbles half of the cards that it is asked for; some cards are new."""

    def faults(setting: Setting) -> Iterable[Fault]:
        for second in (5, 8, 11):
            yield Renew(at=second, nodes=setting.some(0.4))

    return Scenario(
        nodes=40,
        seconds=90,
        begin_with="first",
        faults=faults,
        adversaries={"liar": liars},
        expects=[Converged(within=30), Connected(), LiesEndLinks(), LiesCost()],
    )
