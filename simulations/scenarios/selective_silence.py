"""Half of the members take all and pass nothing on, and the first node is gone: does news still reach everybody?"""

from collections.abc import Iterable

from simulations import Converged, Fault, Leave, Renew, Scenario, Setting

NUMBER = 26
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 42,634 (35,573 to 46,276)
converged after: 0.4875 (0.075 to 0.975)
redundancy: 0.497 (0.3122 to 0.7301)

2026-11-21, medians and ranges. 12 nodes, seeds 1-20: 0.2 s (0.15-0.38) after the last new card all honest nodes know
all; 40 nodes, seeds 1-3: 0.78 s (0.55-0.78).
"""


def scenario(*, silent: float = 0.5) -> Scenario:
    """Newcomers begin with the first node, which is honest; it leaves when all know all."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Leave(at=20, nodes=(0,))
        for second in (25, 30, 35):
            yield Renew(at=second, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=100,
        begin_with="first",
        faults=faults,
        adversaries={"silent": silent},
        expects=[Converged(within=60)],
    )
