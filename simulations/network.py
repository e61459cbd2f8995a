"""Network: how long bytes take from one node to another, and what keeps them; laws as data, chance handed in.

A connection behaves as TCP does: in order, and loss is delay or a reset, never silence. What cannot pass is held.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from p2pnoise.instant import SECOND

from .faults import Clog, Fault, Lag, Loss, Partition, Slow
from .fields import check, within

RETRANSMISSION = 200_000_000  # ns before TCP sends a lost packet again: Linux's least RTO; doubled with every loss
PACKET = 1_448  # bytes of one TCP segment over Ethernet
MAX_DELAY = 1e6  # seconds; days, so that worlds between planets can be asked for
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

    def __post_init__(self) -> None:
        """Raises ValueError for what no network can be."""
        check(self)
        within("least", self.least, 0, MAX_DELAY)
        within("most", self.most, self.least, MAX_DELAY)
        within("jitter", self.jitter, 0, MAX_DELAY)
        within("regions", self.regions, 1, 1_000_000)
        within("undialable", self.undialable, 0, 1)
        if self.bytes_per_second is not None:
            within("bytes_per_second", self.bytes_per_second, 1, 1e15)


class Lines:
    """What is in force between nodes at this moment. Times in nanoseconds. `chance` gives one stream for each concern.

    What is drawn for one pair or one node shifts nothing that is drawn for another.
    """

    def __init__(self, law: NetworkLaw, chance: Callable[[str], Random]) -> None:
        self.law = law
        self._chance = chance
        self._faults: list[tuple[Fault, frozenset[int]]] = []  # that began and have not ended, and whom they meet
        self._latencies: dict[tuple[int, int], int] = {}
        self._free_at: dict[tuple[int, str], int] = {}  # when a line has passed what it was given, up or down
        self._streams: dict[str, Random] = {}

    def begin(self, fault: Fault) -> None:
        """From now on this is wrong."""
        self._faults.append((fault, frozenset(fault.nodes_hit)))

    def end(self, fault: Fault) -> None:
        """This is over, where it was in force."""
        for index, (one, _) in enumerate(self._faults):
            if one is fault:
                del self._faults[index]
                return

    def clear(self) -> None:
        """All is well."""
        self._faults.clear()

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
        law, draw = self.law, self._chance(f"latency {one} {other}").random()
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
        for fault, nodes in self._faults:
            match fault:
                case Partition(one_way=one_way):
                    crosses = (source in nodes) != (target in nodes)
                    if crosses and (source in nodes or not one_way):
                        return True
                case Clog() if source in nodes or target in nodes:
                    return True
        return False

    def arrival(self, source: int, target: int, size: int, now: int) -> tuple[int, int]:
        """When `size` bytes that are sent now have left, and when they arrive."""
        up, down, extra = self.law.bytes_per_second, None, 0
        for fault, nodes in self._faults:
            match fault:
                case Slow(bytes_per_second=slow):
                    up = min(up or slow, slow) if source in nodes else up
                    down = min(down or slow, slow) if target in nodes else down
                case Lag(seconds=seconds) if source in nodes:
                    extra += int(seconds * SECOND)
                case Loss(share=share):
                    extra += self._retransmissions(source, share, size)
        # The narrower of both lines says when they have left: a sender is held back by whoever takes long to receive.
        left = max(now, self._passed((source, "up"), size, up, now), self._passed((target, "down"), size, down, now))
        if self.law.jitter:
            extra += int(self._stream(f"jitter {source}").random() * self.law.jitter * SECOND)
        return left, left + self.one_way(source, target) + extra

    def _passed(self, line: tuple[int, str], size: int, rate: int | None, now: int) -> int:
        """When a line, up or down, has passed so many bytes more."""
        if rate is None:
            return now
        self._free_at[line] = max(now, self._free_at.get(line, 0)) + size * SECOND // rate
        return self._free_at[line]

    def _retransmissions(self, source: int, share: float, size: int) -> int:
        """What the loss of `share` of all packets adds to the way of so many bytes: the worst of them counts."""
        chance = self._stream(f"loss {source}")
        worst = 0
        for _ in range(min(-(-size // PACKET), 64)):
            losses = 0
            while losses < MAX_LOSSES and chance.random() < share:
                losses += 1
            worst = max(worst, losses)
        return RETRANSMISSION * ((1 << worst) - 1)

    def _stream(self, concern: str) -> Random:
        if concern not in self._streams:
            self._streams[concern] = self._chance(concern)
        return self._streams[concern]
