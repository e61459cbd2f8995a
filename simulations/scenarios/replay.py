"""Old cards, old addresses and recorded handshakes come again: does any replace newer ones, or count for a peer?"""

from collections.abc import Iterable

from p2pnoise.config import NodeConfig
from simulations import Connected, Converged, EventsAtMost, Fault, Renew, Scenario, Setting, ToldOnce

NUMBER = 17
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 42,416 (38,033 to 46,032)
connected after: 0 (0 to 0)
converged after: 0.125 (0.1 to 0.4513)
most duplicate node: 0 (0 to 0)
most own key elsewhere: 0 (0 to 0)
most peer lost: 0 (0 to 0)
redundancy: 0.4585 (0.3545 to 0.5552)
replayed handshakes: 26.5 (24.95 to 28.05)
replays: 104.5 (74.9 to 138.3)

2026-11-21, medians and ranges. 12 nodes, seeds 1-11: 340 old cards and addresses (277-367) replaced nothing, none was
asked for twice by one node; no handshake that was played again ended a link. All know all 0.28 s (0.18-0.38) after
the last new card.
"""


def scenario(*, replayers: float = 0.2) -> Scenario:
    """Addresses are renewed every five seconds, some cards now and then; a share of all offers the old ones again."""

    def faults(setting: Setting) -> Iterable[Fault]:
        for second in (5, 10, 15):
            yield Renew(at=second, nodes=setting.some(0.3))

    return Scenario(
        nodes=40,
        seconds=60,
        begin_with="first",
        config=NodeConfig(record_refresh=5.0),
        faults=faults,
        adversaries={"replayer": replayers},
        expects=[
            Converged(within=20),
            Connected(),
            ToldOnce(kind="replay", most=2, least=10),  # of a second peer, where the first answers late
            ToldOnce(kind="replayed handshake", most=1_000, least=5),
            EventsAtMost(kind="duplicate-node", per_node=0),
            EventsAtMost(kind="own-key-elsewhere", per_node=0),
            EventsAtMost(kind="peer-lost", per_node=0),
        ],
    )
