"""Some nodes are slow, some stall, a quarter of all packets is lost: are the dead found, and nobody else?"""

from collections.abc import Iterable

from simulations import Clog, Connected, Crash, DeadFound, Fault, Lag, Loss, NobodyFalselyDead, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 31,760 (27,596 to 35,306)
connected after: 0 (0 to 0)
falsely dead: 0 (0 to 0)
found dead after: 13.38 (11.31 to 17.58)
found dead last: 20.7 (14.46 to 23.78)
redundancy: 0.6535 (0.248 to 0.8687)

2026-11-21. 12 nodes, seeds 1-12: who goes dark is found after 12.8 s (median of all; 11.1 to 17.6), the last link after
26 s; nobody else is taken for dead. By pings alone, 15 s of silence and 10 s more: 19.5 s, 25 s, and 11 links to who
lived. A quarter of the nodes stalls for 8, 12, 16, 20 s and none goes dark, seeds 1-3: 0, 3, 16, 26 links to who lives
are dropped; by pings 6, 32, 62, 106. 0.2 dark on good lines, seeds 1-3: 13 s, the last after 26.
"""


def scenario(
    *,
    slow: float = 0.1,
    lag: float = 3.0,
    stall: float = 8.0,
    loss: float = 0.25,
    dark: float = 0.1,
    within: float = 40.0,
    falsely: int = 0,
) -> Scenario:
    """A share of `slow` nodes answers `lag` seconds late, and each of them once not at all for `stall` seconds.

    A share of the others goes `dark` after a minute: nobody is told.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        chance, seconds = setting.chance, setting.seconds
        if loss:
            yield Loss(at=20, until=seconds, share=loss)
        late = setting.some(slow)
        yield Lag(at=20, nodes=late, until=seconds, seconds=lag)
        for number in late if stall else ():
            at = 30 + 90 * chance.random()
            yield Clog(at=at, nodes=(number,), until=at + stall)
        if dark:
            yield Crash(at=60 + 10 * chance.random(), nodes=setting.some(dark, but=(0, *late)), silent=True)

    found = [DeadFound(within=within)] if dark else []
    return Scenario(
        nodes=50, seconds=180, faults=faults, expects=[Connected(), NobodyFalselyDead(at_most=falsely), *found]
    )
