"""A third says goodbye while all are still learning: does anybody stumble, and is what they said known?"""

from collections.abc import Iterable

from simulations import Connected, Converged, EventsAtMost, Fault, Leave, NobodyFalselyDead, Scenario, Setting

NUMBER = 31
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 19,460 (14,870 to 25,119)
connected after: 0.0885 (0.0207 to 0.1383)
converged after: 0.0165 (0.00195 to 0.1293)
falsely dead: 0 (0 to 0)
most peer lost: 0 (0 to 0)
redundancy: 0.6395 (0.4521 to 0.8273)

2026-11-21. 12 nodes, seeds 1-20: nobody stumbles.
"""


def scenario(*, share: float = 0.3, back: float = 20.0, within: float = 30.0) -> Scenario:
    """Each leaves at a moment of its own in the first five seconds, half of them come back; the first node stays."""

    def faults(setting: Setting) -> Iterable[Fault]:
        chance = setting.chance
        for number in setting.some(share):
            at = 0.5 + 4.5 * chance.random()
            yield Leave(at=at, nodes=(number,), until=at + back * chance.random() if chance.random() < 0.5 else None)

    return Scenario(
        nodes=50,
        seconds=5 + back + within + 10,
        begin_with="first",
        faults=faults,
        expects=[
            Converged(within=within),
            Connected(),
            NobodyFalselyDead(),
            EventsAtMost(kind="peer-lost", per_node=0, reason="the connection was cut"),
        ],
    )
