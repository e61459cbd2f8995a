"""How long until everybody knows everybody, when some of all packets are lost?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Fault, Loss, NobodyFalselyDead, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 32,918 (30,585 to 36,500)
connected after: 0 (0 to 0)
converged since 0: 1.688 (1.473 to 2.31)
converged since 60: 0.075 (0.05 to 0.1013)
falsely dead: 0 (0 to 0)
redundancy: 1.131 (0.9123 to 1.288)

2026-11-21. 12 nodes, seeds 1-20, a share of 0.05: all know all after 2.2 s (median of eight; 2.0 to 2.8), what is new
after 0.4 s. 0.01 and 0.1, seeds 1-3: in bound. 40 nodes, seeds 1-2: 2.6 s, and 0.9 s.
"""


def scenario(*, share: float = 0.05, within: float = 30.0) -> Scenario:
    """TCP sends them again: what is lost comes late, and holds up all behind it."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Loss(at=0, until=setting.seconds, share=share)
        yield Renew(at=60, nodes=setting.some(0.2))

    return Scenario(
        nodes=50,
        seconds=120,
        faults=faults,
        expects=[
            Converged(within=within, since=0),
            Converged(within=within, since=60),
            Connected(),
            NobodyFalselyDead(),
        ],
    )
