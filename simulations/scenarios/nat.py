"""Six nodes in ten cannot be dialled: is everybody known to all, and what do those carry who can be?"""

from collections.abc import Iterable

from simulations import Connected, Converged, DialledAtMost, Fault, NetworkLaw, Renew, Scenario, Setting

NUMBER = 28
RECORDED = """
2026-11-22, 24 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 46,632 (42,555 to 78,550)
connected after: 0 (0 to 0)
converged after: 0.1 (0.075 to 0.1512)
converged since 0: 3.138 (2.279 to 5.595)
dialled by most: 13 (12 to 15.05)
redundancy: 0.7155 (0.5648 to 1.161)
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
