"""Six nodes in ten cannot be dialled: is everybody known to all, and what do those carry who can be?"""

from collections.abc import Iterable

from simulations import Connected, Converged, DialledAtMost, Fault, NetworkLaw, Renew, Scenario, Setting

NUMBER = 28
RECORDED = """
2026-11-21, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 14,615 (5,816 to 26,917)
connected after: 0 (0 to 0)
converged after: 0.075 (0.05 to 0.1)
converged since 0: 1.462 (1.159 to 2.077)
dialled by most: 11 (11 to 11)
redundancy: 0.71 (0.2686 to 1.03)
"""


def scenario(*, share: float = 0.6, dialled: int = 24, within: float = 25.0, news: float = 10.0) -> Scenario:
    """A `share` is behind NATs. After half a minute some get new cards, whether they can be dialled or not."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=30, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        smoke=24,
        seconds=120,
        begin_with="first",
        law=NetworkLaw(undialable=share),
        faults=faults,
        expects=[
            Converged(within=within, since=0),
            Converged(within=news),
            Connected(),
            DialledAtMost(links=dialled, after=60),
        ],
    )
