"""Everybody's card is renewed in the same hour: is each known at once, and what does that cost?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, Frugal, Quiet, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 20 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 71,696 (63,119 to 78,269)
bytes per second: 135.2 (132.5 to 138.2)
connected after: 0.011 (0.003 to 0.024)
converged after: 0.1165 (0.08775 to 0.1497)
redundancy: 0.6965 (0.5164 to 0.9453)
steady redundancy: 0.3805 (0.3406 to 0.421)
"""

_FROM = 30  # seconds


def scenario(
    *, minutes: int = 5, within: float = 3.0, redundancy: float = 0.5, idle: int = 200, bytes_a_card: int = 1_000
) -> Scenario:
    """Each node is renewed at a moment of its own; with `minutes` = 60 it is the hour.

    A node may send `idle` bytes a second for its place, and `bytes_a_card` for each card that is renewed.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        for number in range(setting.nodes):
            yield Renew(at=_FROM + 60 * minutes * setting.chance.random(), nodes=(number,))

    return Scenario(
        nodes=100,
        smoke=20,
        seconds=_FROM + 60 * minutes + within + 5,
        faults=faults,
        expects=[
            Converged(within=within),
            Connected(),
            Frugal(redundancy=redundancy, after=_FROM),
            Quiet(bytes_per_second=idle, after=_FROM, bytes_a_renewal=bytes_a_card),
        ],
        fidelities=("bytes", "virtual", "messages"),
    )
