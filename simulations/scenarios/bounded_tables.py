"""There are many more nodes than a table may have rows: are they one network all the same, and its tables current?"""

from collections.abc import Iterable

from simulations import Connected, Current, Cut, Fault, Networks, Renew, Revoke, Scenario, Setting

RECORDED = """
2026-11-22, 60 nodes, 20 seeds, messages: all checks hold in all of them.
bytes per node median: 109,610 (96,720 to 122,852)
connected after: 0 (0 to 0)
current after: 5 (5 to 15.25)
cut after: 0.075 (0.075 to 0.1)
redundancy: 0.429 (0.3239 to 0.6274)
rows least: 18 (18 to 18)
rows most: 18 (18 to 18)
"""


def scenario(*, rows: int = 20, renewed: float = 0.2, revoked: float = 0.05) -> Scenario:
    """Each table may have so many `rows`."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=40, nodes=setting.some(renewed))
        yield Revoke(at=30, nodes=setting.some(revoked))

    return Scenario(
        nodes=1_000,
        smoke=60,
        seconds=110,
        faults=faults,
        networks=Networks(rows=rows),
        expects=[Connected(within=5), Cut(within=3), Current(within=60, rows=rows)],
        fidelities=("messages",),
    )
