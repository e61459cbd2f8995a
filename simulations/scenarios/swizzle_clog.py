"""Nodes are clogged one after the other, and unclogged in another order: is all well after the last?"""

from collections.abc import Iterable

from simulations import Clog, Connected, Converged, Fault, Renew, Scenario, Setting

NUMBER = 10
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 33,109 (28,345 to 36,402)
connected after: 0.22 (0.0115 to 0.7082)
converged after: 0.3305 (0.02685 to 0.8038)
redundancy: 0.8015 (0.4502 to 0.9242)

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
