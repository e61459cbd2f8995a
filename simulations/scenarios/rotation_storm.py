"""Many take new keys and many are revoked, all at once: are the old keys gone everywhere, and the others all there?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Cut, Fault, OldKeysGone, Revoke, Rotate, Scenario, Setting

NUMBER = 29
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 48,061 (41,684 to 51,125)
connected after: 0.018 (0.002 to 0.1443)
converged after: 0.0725 (0.0058 to 0.3663)
cut after: 2.29 (0.2696 to 4.015)
old keys gone after: 0.176 (0.0155 to 0.255)
redundancy: 0.8595 (0.6259 to 1.058)

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
