"""Strangers hold connections open and say nothing, or a byte a second: are they let go in time, and can others join?"""

from p2pnoise.config import NodeConfig
from simulations import Connected, Converged, Scenario, SlotsFreed

NUMBER = 24
RECORDED = ""


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
