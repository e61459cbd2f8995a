"""How long until nobody keeps a node that was revoked once, at one node, sessions included?"""

from collections.abc import Iterable

from simulations import Converged, Cut, Fault, Revoke, Scenario, Setting

RECORDED = ""


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
