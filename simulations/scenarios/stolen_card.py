"""A stolen card is shown under another Noise key: does anybody take the thief for its owner?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Excluded, Fault, Renew, Scenario, Setting, Told

NUMBER = 19
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 22,180 (20,546 to 24,964)
connected after: 0 (0 to 0)
converged after: 0.075 (0.05 to 0.075)
redundancy: 0.8245 (0.3943 to 1.033)

2026-11-21, medians and ranges. 12 nodes, seeds 10-59: nobody takes a thief in. All know all 0.2 s (0.18-0.33) after
the last new card.
"""


def scenario(*, thieves: float = 0.2) -> Scenario:
    """A share of all dials with cards of others; whoever is dialled instead of its owner answers with one."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=15, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=60,
        begin_with="first",
        faults=faults,
        adversaries={"thief": thieves},
        expects=[
            Converged(within=30),
            Connected(),
            Excluded(kinds=("thief",)),
            Told(kind="peer-refused", reason="not-trusted", least=5),
        ],
    )
