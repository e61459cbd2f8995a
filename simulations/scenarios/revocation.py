"""How long until nobody keeps a node that was revoked once, at one node, sessions included?"""

from collections.abc import Iterable

from simulations import Converged, Cut, Fault, Revoke, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 21,840 (17,185 to 23,617)
converged after: 0 (0 to 0)
cut after: 0.05 (0.05 to 0.075)
redundancy: 0.6535 (0.248 to 0.8687)
"""


def scenario(*, share: float = 0.05) -> Scenario:
    """A share of all is revoked when all know all."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Revoke(at=20, nodes=setting.some(share))

    return Scenario(
        nodes=50,
        seconds=60,
        faults=faults,
        expects=[Cut(within=3), Converged(within=10)],
        fidelities=("bytes", "virtual", "messages"),
    )
