"""Members forge cards, grants, addresses, lists and statements of others: is any believed, and what does it cost?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, LiesCost, LiesEndLinks, Renew, Scenario, Setting

NUMBER = 16
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 43,934 (39,038 to 48,285)
connected after: 0 (0 to 0)
converged after: 0.1625 (0.075 to 0.5762)
lies told: 90.5 (84 to 99)
links ended for lies: 64 (58 to 69.15)
redundancy: 1.046 (0.7772 to 1.194)
signatures asked: 516 (498.9 to 542.4)
signatures failed: 89 (82.95 to 95)

2026-11-21, medians and ranges. 12 nodes, seeds 10-25: nothing false was believed. After the last new card all know
all within 0.2 s (0.18-0.38); 232 lies (197-261), of which 164 ended a link; 226 signatures failed (184-248).
"""


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
