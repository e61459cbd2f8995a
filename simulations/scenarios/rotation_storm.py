"""Many take new keys and many are revoked, all at once: are the old keys gone everywhere, and the others all there?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Cut, Fault, OldKeysGone, Revoke, Rotate, Scenario, Setting

NUMBER = 29
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 47,127 (42,488 to 51,731)
connected after: 0.063 (0.00245 to 0.159)
converged after: 0.1915 (0.00435 to 0.421)
cut after: 1.97 (0.3308 to 4.052)
old keys gone after: 0.179 (0.04885 to 0.4022)
redundancy: 0.808 (0.6424 to 1.035)

2026-11-21. 12 nodes, seeds 1-20: the old keys are gone 0.25 s after the last (median of eight; 0.1 to 0.3). With 0.9
rotated and 0.4 revoked, seeds 1-5: in bound.
"""


def scenario(*, rotate: float = 0.5, revoke: float = 0.2, seconds: float = 5.0) -> Scenario:
    """All within `seconds`; whoever is revoked may have rotated just before."""

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in setting.some(rotate):
            yield Rotate(at=20 + seconds * chance.random(), nodes=(number,))
        for number in setting.some(revoke):
            yield Revoke(at=20 + seconds * chance.random(), nodes=(number,), by=chance.randrange(setting.nodes))

    return Scenario(
        nodes=50,
        seconds=20 + seconds + 120,
        faults=faults,
        expects=[Cut(within=10), OldKeysGone(within=30), Converged(within=30), Connected()],
    )
