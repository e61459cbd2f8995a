"""Strangers hold connections open and say nothing, or a byte a second: are they let go in time, and can others join?"""

from p2pnoise.config import NodeConfig
from simulations import Connected, Converged, Scenario, SlotsFreed

NUMBER = 24
RECORDED = """
2026-11-22, 10 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 19,216 (17,742 to 21,999)
connected after: 28.35 (23.44 to 30.27)
converged after: 28.58 (23.62 to 30.55)
redundancy: 0.332 (0.2719 to 0.3613)
strangers given up: 192 (128 to 258)
strangers most: 34 (33 to 35.05)

2026-11-21, medians and ranges. 12 nodes, seeds 1-12, one host, joins during 30 s: at most 34 half-open connections at
a node (32-35), each gone after 10 s; the last that joined knew all 28.2 s (22.2-30.6) after the start.
"""


def scenario(*, hosts: float = 1.0, join: float = 30.0) -> Scenario:
    """They come from one host, or from more; honest nodes join for as long as `join` seconds."""
    config = NodeConfig()
    return Scenario(
        nodes=30,
        smoke=10,
        seconds=join + 30,
        start=join,
        begin_with="first",
        adversaries={"slowloris": hosts},
        expects=[Converged(within=join + 15), Connected(), SlotsFreed(within=config.handshake_timeout + 1, met=50)],
    )
