"""Network: how long bytes take from one node to another, and what keeps them; laws as data, chance handed in.

A connection behaves as TCP does: in order, and loss is delay or a reset, never silence. What cannot pass is held.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from p2pnoise.instant import SECOND

from .faults import Clog, Fault, Lag, Loss, Partition, Slow

RETRANSMISSION = 200_000_000  # ns before TCP sends a lost packet again: Linux's least RTO; doubled with every loss
PACKET = 1_448  # bytes of one TCP segment over Ethernet
MAX_LOSSES = 6  # in a row; the seventh would be a connection given up


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLaw:
    """How long one way takes, drawn once for each pair, and what else is true of all lines. Seconds and bytes.

    `uniform`: between `least` and `most`. `heavy`: Pareto-tailed from `least`, cut at `most`: few are far apart.
    `regions`: nodes are spread over `regions` parts of the world; inside one it is `least`, between two it grows with
    their distance, up to `most`. To all of them comes `jitter` of each packet.
    """

    latency: Literal["uniform", "heavy", "regions"] = "uniform"
    least: float = 0.010
    most: float = 0.060
    jitter: float = 0.0
    regions: int = 6
    bytes_per_second: int | None = None
    """What a node can send; None is without limit."""
    undialable: float = 0.0
    """The share of nodes behind a NAT: they dial, and nobody reaches them."""


@dataclass(slots=True)
class Lines:
    """What is in force between nodes at this moment. Times in nanoseconds."""

    law: NetworkLaw
    chance: Callable[[str], Random]
    """One stream for each concern."""
    faults: list[Fault] = field(default_factory=list)
    """Those that began and have not ended."""
    _latencies: dict[tuple[int, int], int] = field(default_factory=dict)
    _free_at: dict[int, int] = field(default_factory=dict)  # when the line of a node has sent what it was given
    _streams: dict[str, Random] = field(default_factory=dict)

    def region(self, node: int) -> int:
        """Where in the world a node stands."""
        return node % self.law.regions

    def one_way(self, source: int, target: int) -> int:
        """How long light, queues apart, takes between two nodes."""
        pair = (min(source, target), max(source, target))
        if pair not in self._latencies:
            self._latencies[pair] = self._draw(*pair)
        return self._latencies[pair]

    def _draw(self, one: int, other: int) -> int:
        law, draw = self.law, self._stream("latency").random()
        match law.latency:
            case "uniform":
                seconds = law.least + (law.most - law.least) * draw
            case "heavy":  # shape 1.2: the mean exists, and one pair in sixteen is ten times as far apart as the least
                seconds = min(law.least * (1 - draw) ** (-1 / 1.2), law.most)
            case "regions":
                apart = abs(self.region(one) - self.region(other))
                apart = min(apart, law.regions - apart)  # the world is round
                seconds = law.least + (law.most - law.least) * apart / max(law.regions // 2, 1) * (0.9 + 0.1 * draw)
        return int(seconds * SECOND)

    def blocked(self, source: int, target: int) -> bool:
        """Whether nothing passes this way now."""
        for fault in self.faults:
            match fault:
                case Partition(nodes=nodes, one_way=one_way):
                    crosses = (source in nodes) != (target in nodes)
                    if crosses and (source in nodes or not one_way):
                        return True
                case Clog(nodes=nodes) if source in nodes or target in nodes:
                    return True
        return False

    def arrival(self, source: int, target: int, size: int, now: int) -> tuple[int, int]:
        """When `size` bytes that are sent now have left, and when they arrive."""
        rate = self.law.bytes_per_second
        extra = 0
        for fault in self.faults:
            match fault:
                case Slow(nodes=nodes, bytes_per_second=slow) if source in nodes or target in nodes:
                    rate = min(rate, slow) if rate is not None else slow
                case Lag(nodes=nodes, seconds=seconds) if source in nodes:
                    extra += int(seconds * SECOND)
                case Loss(share=share):
                    extra += self._retransmissions(share, size)
        left = now
        if rate is not None:
            # The narrower of both ends; a slow receiver's line is the one that fills.
            line = target if self._is_slow(target) and not self._is_slow(source) else source
            left = max(now, self._free_at.get(line, 0)) + size * SECOND // rate
            self._free_at[line] = left
        if self.law.jitter:
            extra += int(self._stream("jitter").random() * self.law.jitter * SECOND)
        return left, left + self.one_way(source, target) + extra

    def _is_slow(self, node: int) -> bool:
        return any(isinstance(fault, Slow) and node in fault.nodes for fault in self.faults)

    def _retransmissions(self, share: float, size: int) -> int:
        """What the loss of `share` of all packets adds to the way of so many bytes: the worst of them counts."""
        chance = self._stream("loss")
        worst = 0
        for _ in range(min(-(-size // PACKET), 64)):
            losses = 0
            while losses < MAX_LOSSES and chance.random() < share:
                losses += 1
            worst = max(worst, losses)
        return RETRANSMISSION * ((1 << worst) - 1)

    def _stream(self, concern: str) -> Random:
        if concern not in self._streams:
            self._streams[concern] = self.chance(concern)
        return self._streams[concern]
