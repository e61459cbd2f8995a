"""Two halves do not hear of each other for half an hour: are they one network with one table a minute after that?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, Cut, Fault, Partition, Renew, Revoke, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, messages: all checks hold in all of them.
bytes per node median: 102,026 (97,794 to 107,225)
connected after: 0.2 (0.07375 to 0.69)
converged after: 0.55 (0.2738 to 1.175)
cut after: 0.325 (0.1487 to 0.8113)
redundancy: 1.235 (0.9097 to 1.589)
"""

_FROM = 20  # seconds


def scenario(*, minutes: int = 30, within: float = 60.0, changed: float = 0.2, share: float = 0.5) -> Scenario:
    """Meanwhile a node is revoked in one half, and new cards and restarts make the tables of the two differ."""

    def faults(setting: Setting) -> Iterable[Fault]:
        half = setting.some(share, but=())
        lasts = 60.0 * minutes
        yield Partition(at=_FROM, until=_FROM + lasts, nodes=half)
        yield Revoke(at=_FROM + 0.2 * lasts, nodes=half[-1:], by=half[0])
        yield Renew(at=_FROM + 0.5 * lasts, nodes=setting.some(changed))
        yield Crash(at=_FROM + 0.6 * lasts, until=_FROM + 0.7 * lasts, nodes=setting.some(changed), silent=True)
        yield Renew(at=_FROM + 0.9 * lasts, nodes=setting.some(changed))

    return Scenario(
        nodes=100,
        seconds=_FROM + 60 * minutes + within + 10,
        faults=faults,
        expects=[Converged(within=within), Connected(within=within), Cut(within=within, at_last=True)],
        fidelities=("messages", "bytes", "virtual"),
    )
