"""Nodes crash, some by a loss of power, and come back with their keys and old databases: does everybody take them?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, EventsAtMost, Fault, Renew, Scenario, Setting

NUMBER = 13
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 55,798 (51,260 to 59,510)
connected after: 0.022 (0 to 0.1329)
converged after: 0.161 (0.0195 to 0.3073)
most dialling: 43.5 (26.95 to 54.05)
redundancy: 0.8735 (0.6905 to 0.9918)

2026-11-21. 12 nodes, seeds 1-15: all are taken again 0.17 s after the last start (median; 0.02 to 0.28). With a share
of 0.8 down for a minute, seeds 1-3: as well.
"""


def scenario(*, share: float = 0.3, down: float = 20.0, times: int = 3, within: float = 60.0) -> Scenario:
    """`times` over a share of all crashes at moments of its own, and is down for up to `down` seconds.

    Half of the crashes are losses of power, of which nobody is told. Some cards change meanwhile, those of the dead,
    too. That no number is used twice is S2 and S3.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for turn in range(times):
            for number in setting.some(share, but=()):
                at = 1 + 40 * (turn + chance.random())
                until = at + down * chance.random()
                yield Crash(at=at, until=until, nodes=(number,), silent=chance.random() < 0.5)
            yield Renew(at=40.0 * (turn + 1), nodes=setting.some(0.1, but=()))

    return Scenario(
        nodes=50,
        seconds=1 + 40 * times + down + within + 10,
        faults=faults,
        expects=[Converged(within=within), Connected(), EventsAtMost(kind="dialling", per_node=60)],
    )
