"""One comes late with an empty table, one comes back and all it knew is out of date: how soon do they know all?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, Fault, Leave, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 20 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 46,108 (40,889 to 52,594)
connected after: 0.175 (0.1 to 0.3)
converged after: 0.8375 (0.52 to 1.875)
redundancy: 0.7115 (0.5323 to 0.9187)
"""

_GONE, _AT = 10, 40  # seconds


def scenario(*, empty: int = 1, old: int = 1, within: float = 5.0, linked: float = 2.0) -> Scenario:
    """The latter was away while everybody's card was renewed, as within a month they are.

    Both are linked with somebody whom they trust after `linked` seconds, and know all after `within`.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        drawn = setting.chance.sample(range(1, setting.nodes), min(empty + old, setting.nodes - 1))
        late, back = drawn[:empty], drawn[empty:]
        yield Crash(at=0, until=_AT, nodes=tuple(late))
        yield Leave(at=_GONE, until=_AT, nodes=tuple(back))
        for number in range(setting.nodes):
            if number not in drawn:
                yield Renew(at=_GONE + 5 + 20 * setting.chance.random(), nodes=(number,))

    return Scenario(
        nodes=100,
        smoke=20,
        seconds=_AT + within + 10,
        begin_with="first",
        faults=faults,
        expects=[Connected(within=linked), Converged(within=within)],
        fidelities=("bytes", "virtual", "messages"),
    )
