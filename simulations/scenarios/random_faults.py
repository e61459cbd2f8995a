"""Whatever goes wrong, in whatever order: do a few nodes keep every invariant, and find together again?"""

from collections.abc import Callable, Iterable

from simulations import (
    ClockStep,
    Clog,
    Connected,
    Converged,
    Crash,
    Cut,
    Fault,
    Lag,
    Leave,
    Loss,
    Partition,
    Renew,
    Reset,
    Revoke,
    Rotate,
    Scenario,
    Setting,
)

NUMBER = 33
RECORDED = """
2026-11-22, 7 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 25,592 (17,144 to 34,720)
connected after: 0.0525 (0 to 0.6158)
converged after: 0.0125 (0 to 0.416)
redundancy: 0.4975 (0.2714 to 0.7932)
cut after: 0.015 (0.006 to 0.463)
"""


def scenario(*, faults: int = 8) -> Scenario:
    """So many faults of any kind in a minute, on any nodes."""

    def drawn(setting: Setting) -> Iterable[Fault]:
        return (_fault(setting) for _ in range(faults))

    return Scenario(
        nodes=7,
        smoke=7,
        seconds=500,
        faults=drawn,
        expects=[Converged(within=400), Connected(), Cut(within=400, at_last=True)],
    )


def _fault(setting: Setting) -> Fault:
    chance = setting.chance
    nodes = setting.some(0.1 + 0.5 * chance.random(), but=())
    at = round(5 + 50 * chance.random(), 2)
    until = round(at + 0.5 + 40 * chance.random(), 2)
    kinds: tuple[Callable[[], Fault], ...] = (
        lambda: Partition(at=at, until=until, nodes=nodes, one_way=chance.random() < 0.3),
        lambda: Clog(at=at, until=until, nodes=nodes),
        lambda: Reset(at=at, nodes=nodes),
        lambda: Crash(at=at, until=until, nodes=nodes, silent=chance.random() < 0.5),
        lambda: Leave(at=at, until=until, nodes=nodes),
        lambda: Lag(at=at, until=until, nodes=nodes, seconds=round(3 * chance.random(), 2)),
        lambda: Loss(at=at, until=until, share=round(0.3 * chance.random(), 3)),
        lambda: ClockStep(at=at, nodes=nodes, seconds=round(120 * (chance.random() - 0.5))),
        lambda: Revoke(at=at, nodes=nodes[:1], by=chance.randrange(setting.nodes)),
        lambda: Renew(at=at, nodes=nodes),
        lambda: Rotate(at=at, nodes=nodes[:1]),
    )
    return chance.choice(kinds)()
