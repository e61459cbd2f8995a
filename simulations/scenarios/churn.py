"""Nodes come and go all the time: do those who are there know one another, and how many of their links are dead?"""

from collections.abc import Iterable

from simulations import Crash, DeadInViews, Fault, Frugal, Leave, Recall, Scenario, Setting

NUMBER = 11
RECORDED = """
2026-11-22, 28 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 112,123 (104,174 to 129,094)
dead in views: 0.04135 (0.02787 to 0.05556)
recall: 1 (1 to 1)
redundancy: 0.5275 (0.442 to 0.5707)
steady redundancy: 0.6315 (0.5931 to 0.6915)
"""


def scenario(
    *,
    session: float = 120.0,
    away: float = 30.0,
    law: str = "pareto",
    silent: float = 0.3,
    minutes: int = 3,
    recall: float = 0.99,
    dead: float = 0.1,
) -> Scenario:
    """A session lasts `session` seconds on average, exponential or by a Pareto law of shape 1.5, a pause `away`.

    A share of them ends `silent`, by a loss of power; the others say goodbye. Each start has new addresses to tell.
    """
    if law not in ("exponential", "pareto"):
        raise ValueError(f"law {law!r}; there are exponential and pareto")

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in range(1, setting.nodes):
            at = 1 + session * chance.random()  # somewhere in its first session
            while at < setting.seconds:
                back = at + away * chance.expovariate(1)
                kind = Crash(at=at, until=back, nodes=(number,), silent=True) if chance.random() < silent else None
                yield kind or Leave(at=at, until=back, nodes=(number,))
                lasts = chance.expovariate(1) if law == "exponential" else chance.paretovariate(1.5) / 3
                at = back + session * lasts

    return Scenario(
        nodes=50,
        smoke=28,  # of 20 each is a neighbour of half of all, and one run in ten has more copies than needed ones
        seconds=60.0 * minutes,
        faults=faults,
        expects=[
            Recall(share=recall, after=30),
            DeadInViews(share=dead, after=30),
            Frugal(redundancy=1, after=30),
        ],
        fidelities=("bytes", "virtual", "messages"),
    )
