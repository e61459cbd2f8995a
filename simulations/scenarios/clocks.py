"""Clocks are wrong, drift, and jump: is a good card ever refused, and does anybody storm?"""

from collections.abc import Iterable

from simulations import ClockLaw, ClockStep, Connected, Converged, EventsAtMost, Fault, Renew, Scenario, Setting

NUMBER = 15
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 30,539 (27,773 to 32,592)
connected after: 0 (0 to 0)
converged after: 0.5625 (0.09875 to 0.8262)
converged since 0: 1.462 (1.246 to 1.685)
most card refused: 0 (0 to 0.05)
most peer lost: 0 (0 to 0)
most peer refused: 0 (0 to 0)
most refused by peer: 0 (0 to 0)
redundancy: 1.058 (0.8238 to 1.176)

2026-11-21. 12 nodes, seeds 1-20: nobody refused, no peer lost. With a skew of an hour, seeds 1-3, the network falls
to pieces: cards and address records of a clock that is more than the leeway of 300 s ahead are not taken.
"""


def scenario(*, skew: int = 150, drift: int = 200, jump: int = 3600, share: float = 0.3) -> Scenario:
    """All are off by up to `skew` seconds, within the leeway of 300 s between two of them, and drift by millionths.

    A share jumps by `jump` seconds, forth or back, for half a minute, and back again.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in setting.some(share):
            at, way = 20 + 20 * chance.random(), chance.choice((-1, 1))
            yield ClockStep(at=at, nodes=(number,), seconds=way * jump)
            yield ClockStep(at=at + 30, nodes=(number,), seconds=-way * jump)
        yield Renew(at=35, nodes=setting.some(0.2, but=()))
        yield Renew(at=75, nodes=setting.some(0.2, but=()))

    return Scenario(
        nodes=50,
        seconds=180,
        clocks=ClockLaw(skew=skew, drift=drift),
        faults=faults,
        expects=[
            Converged(within=10, since=0),
            Converged(within=30),
            Connected(),
            EventsAtMost(kind="peer-refused", per_node=0),
            EventsAtMost(kind="refused-by-peer", per_node=0),
            EventsAtMost(kind="card-refused", per_node=1),  # one that was renewed, met on its way
            EventsAtMost(kind="peer-lost", per_node=0),
        ],
    )
