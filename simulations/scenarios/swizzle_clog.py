"""Nodes are clogged one after the other, and unclogged in another order: is all well after the last?"""

from collections.abc import Iterable

from simulations import Clog, Connected, Converged, Fault, Renew, Scenario, Setting

NUMBER = 10
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 33,194 (27,906 to 35,781)
connected after: 0.1975 (0.0087 to 0.7154)
converged after: 0.305 (0.05665 to 0.7654)
redundancy: 0.696 (0.5194 to 0.953)

2026-11-21. 12 nodes, seeds 1-20: 0.5 s after the last is unclogged (median of six; 0.3 to 2.1).
"""


def scenario(*, share: float = 0.5, seconds: float = 60.0, within: float = 60.0) -> Scenario:
    """FoundationDB's swizzle-clogging; some get new cards while most are clogged."""

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in setting.some(share, but=()):
            at = 10 + chance.random() * seconds / 2
            yield Clog(at=at, until=10 + seconds / 2 + chance.random() * seconds / 2, nodes=(number,))
        yield Renew(at=10 + seconds / 2, nodes=setting.some(0.2, but=()))

    return Scenario(
        nodes=50,
        seconds=10 + seconds + within + 10,
        faults=faults,
        expects=[Converged(within=within), Connected()],
    )
