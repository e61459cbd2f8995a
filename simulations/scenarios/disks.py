"""Databases are torn, corrupt or full: does every node start, or say why not, and serve nothing it cannot prove?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, DiskFault, Fault, RefusesInWords, Renew, Scenario, Setting

NUMBER = 14
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 36,208 (31,178 to 39,408)
connected after: 0.0185 (0.0039 to 0.1405)
converged after: 0.0185 (0.0039 to 0.2758)
redundancy: 0.79 (0.603 to 0.978)
refused by disk: 2 (0 to 5.05)

2026-11-21. 12 nodes, seeds 1-12: two starts were refused (median; none to 5), each in a sentence; all are there
0.02 s after the last fault (to 0.28 s).
"""


def scenario(*, share: float = 0.4, within: float = 60.0) -> Scenario:
    """Each of a share of all has one of the three. Whoever refuses to start has its file moved aside, as it says."""

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in setting.some(share):
            at = 10 + 20 * chance.random()
            how = chance.choice(("torn", "corrupt", "full"))
            yield DiskFault(at=at, until=at + 15, nodes=(number,), how=how)
            yield Crash(at=at + 1, until=at + 1 + 5 * chance.random(), nodes=(number,), silent=chance.random() < 0.5)
        yield Renew(at=30, nodes=setting.some(0.3, but=()))

    return Scenario(
        nodes=20,
        seconds=60 + within,
        disks="files",
        faults=faults,
        expects=[Converged(within=within), Connected(), RefusesInWords()],
    )
