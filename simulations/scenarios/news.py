"""One after another has news: does it come to all at once, is nobody given it twice, and when some fall silent?"""

from collections.abc import Iterable

from simulations import Converged, Crash, Fault, Frugal, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 20 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 42,240 (35,708 to 50,008)
converged but crash since 44: 0.5375 (0.075 to 0.925)
redundancy: 0.864 (0.641 to 1.178)
steady redundancy: 0 (0 to 0.04235)

2026-11-21, 40 nodes, seeds 1-3, messages: 0.02 to 0.15 copies too many; a fifth silent: all know after 0.8 to 1.1 s.
"""

_FIRST, _PAUSE = 20, 3  # seconds: all know all long before; and a comparison of tables is 5 s from the next


def scenario(*, things: int = 8, silent: float = 0.2, redundancy: float = 0.5, within: float = 2.5) -> Scenario:
    """A new card of one node every three seconds; before the last a share of all nodes falls `silent`."""

    def faults(setting: Setting) -> Iterable[Fault]:
        last = _FIRST + _PAUSE * things
        gone = setting.some(silent)
        there = [number for number in range(setting.nodes) if number not in gone]
        for at in range(_FIRST, last, _PAUSE):
            yield Renew(at=at, nodes=(setting.chance.choice(there),))
        yield Crash(at=last - 1, until=last + 60, nodes=gone, silent=True)
        yield Renew(at=last, nodes=(setting.chance.choice(there),))

    return Scenario(
        nodes=60,
        smoke=20,
        seconds=_FIRST + _PAUSE * things + 10,
        faults=faults,
        expects=[
            Converged(within=within, since=_FIRST + _PAUSE * things, apart_from=("crash",)),
            Frugal(redundancy=redundancy, after=_FIRST + _PAUSE - 0.5),
        ],
        fidelities=("bytes", "virtual", "messages"),
    )
