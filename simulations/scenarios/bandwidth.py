"""One node in ten has a line of 64 kbit/s: do the slow delay anybody but themselves?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, NobodyFalselyDead, Renew, Scenario, Setting, Slow

NUMBER = 6
RECORDED = ""


def scenario(*, share: float = 0.1, kbit: int = 64, within: float = 8.0) -> Scenario:
    """The others know each other `within` so many seconds, from the start and after new cards; the slow when they can.

    No later than ten times that: their cards and all others' have to go through their lines.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Slow(at=0, until=setting.seconds, nodes=setting.some(share), bytes_per_second=kbit * 1000 // 8)
        yield Renew(at=60, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        seconds=60 + 10 * within,
        faults=faults,
        expects=[
            Converged(within=within, since=0, apart_from=("slow",)),
            Converged(within=10 * within, since=0),
            Converged(within=within, since=60, apart_from=("slow",)),
            Converged(within=10 * within, since=60),
            Connected(),
            NobodyFalselyDead(),
        ],
    )
