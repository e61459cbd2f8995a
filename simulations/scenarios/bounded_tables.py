"""There are many more nodes than a table may have rows: are they one network all the same, and its tables current?"""

from collections.abc import Iterable

from simulations import Connected, Current, Cut, Fault, Networks, Renew, Revoke, Scenario, Setting

RECORDED = """
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
