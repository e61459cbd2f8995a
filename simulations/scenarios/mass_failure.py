"""Most nodes lose their power at one moment: are those who are left one network again, with enough links?"""

from collections.abc import Iterable

from simulations import Converged, Crash, Fault, Renew, Scenario, Setting, Survives

NUMBER = 12
RECORDED = """
2026-11-22, 24 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 31,794 (28,776 to 37,949)
converged after: 0.125 (0.075 to 18.4)
largest part: 1 (1 to 1)
redundancy: 0.529 (0.3687 to 0.7865)
repaired after: 30.25 (22.74 to 41.41)
"""

_AT = 30  # seconds


def scenario(
    *, share: float = 0.8, silent: bool = True, within: float = 90.0, links: int = 3, known: float = 60.0
) -> Scenario:
    """Nobody is told, unless it is not `silent`; a survivor's new card is `known` to all others so many seconds later.

    The survivors are all who live: 99 in 100 of them are one part.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        gone = set(setting.some(share))
        left = [number for number in range(setting.nodes) if number not in gone]
        yield Crash(at=_AT, nodes=tuple(sorted(gone)), silent=silent)
        yield Renew(at=_AT + 1, nodes=(setting.chance.choice(left),))

    return Scenario(
        nodes=100,
        smoke=24,
        seconds=_AT + max(within, known) + 10,
        faults=faults,
        expects=[Survives(since=_AT, within=within, links=links), Converged(within=known)],
        fidelities=("bytes", "virtual", "messages"),
    )
