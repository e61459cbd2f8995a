"""A rogue issuer grants many cards: nobody accepts it, or all do. Who gets in, and do the others go on?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Excluded, Expectation, Fault, Included, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 15,524 (11,775 to 18,276)
connected after: 0 (0 to 0)
converged after: 0.075 (0.05 to 0.1)
redundancy: 0.5145 (0.2919 to 0.8558)

2026-11-21, medians and ranges. 12 nodes, seeds 10-59: no card of an issuer that is not accepted gets in. All know all
0.18 s (0.15-0.2) after the last new card.
"""


def scenario(*, sybils: float = 0.3, accepted: bool = False) -> Scenario:
    """Where all accept the issuer its members are members: what they may not do is keep the others from one another."""
    kind = "accepted-sybil" if accepted else "sybil"
    their: Expectation = Included(kinds=(kind,)) if accepted else Excluded(kinds=(kind,))

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=15, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=60,
        begin_with="first",
        faults=faults,
        adversaries={kind: sybils},
        expects=[Converged(within=30), Connected(), their],
    )
