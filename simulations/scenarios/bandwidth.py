"""One node in ten has a line of 64 kbit/s: do the slow delay anybody but themselves?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, NobodyFalselyDead, Renew, Scenario, Setting, Slow

NUMBER = 6
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 31,392 (29,704 to 34,493)
connected after: 0 (0 to 0)
converged but slow since 0: 2.188 (1.175 to 5.178)
converged but slow since 60: 0.1 (0.07375 to 0.3312)
converged since 0: 2.65 (1.837 to 5.178)
converged since 60: 0.1875 (0.1487 to 0.355)
falsely dead: 0 (0 to 0)
redundancy: 0.8845 (0.6434 to 1.237)

2026-11-21. 12 nodes, seeds 1-15: all but the slow know all after 3.1 s (median; 1.6 to 4.8), the slow no later than
4.8 s; new cards after 0.2 s, and 0.75 s. 40 nodes, seed 1: 10.7 s, of which ten are the wait for an answer of a
slow one before another is asked; new cards after 0.8 s, and 1.4 s.
"""


def scenario(*, share: float = 0.1, kbit: int = 64, within: float = 15.0, slow_within: float = 60.0) -> Scenario:
    """The others know each other `within` so many seconds, from the start and after new cards; the slow a while later.

    Not at once: whoever asked a slow one for what others have, too, asks the next after ten seconds.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Slow(at=0, until=setting.seconds, nodes=setting.some(share), bytes_per_second=kbit * 1000 // 8)
        yield Renew(at=60, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        seconds=60 + slow_within,
        faults=faults,
        expects=[
            Converged(within=within, since=0, apart_from=("slow",)),
            Converged(within=slow_within, since=0),
            Converged(within=within, since=60, apart_from=("slow",)),
            Converged(within=slow_within, since=60),
            Connected(),
            NobodyFalselyDead(),
        ],
    )
