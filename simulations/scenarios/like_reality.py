"""Do processes on a real network do what the simulator says they do?

`p2pnoise simulate validate` runs it as real processes, too, and compares.
"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, Fault, Loss, NetworkLaw, Scenario, Setting

NUMBER = 34
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 18,601 (17,375 to 21,038)
connected after: 0 (0 to 0)
converged after: 0 (0 to 0)
redundancy: 0.364 (0.3289 to 0.43)
"""


def scenario(
    *, latency: float = 0.001, jitter: float = 0.0, loss: float = 0.0, start: float = 10.0, settle: float = 6.0
) -> Scenario:
    """All start within `start` seconds, each knowing one of those before it; `settle` seconds later one is killed.

    `latency` is one way, in seconds, and `loss` a share of all packets; real machines are asked for both.
    """
    kill_at = start + settle

    def faults(setting: Setting) -> Iterable[Fault]:
        if loss:
            yield Loss(at=0, until=kill_at + 3, share=loss)
        if setting.nodes > 1:
            yield Crash(at=kill_at, nodes=setting.some(0))

    return Scenario(
        nodes=20,
        seconds=kill_at + 3,
        start=start,
        law=NetworkLaw(least=latency, most=latency, jitter=jitter),
        faults=faults,
        expects=[Converged(within=kill_at), Connected()],
    )
