"""Dial plan: whom to dial next, and when an address that failed may be tried again. No I/O; time is handed in."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Peer
from p2pnoise.instant import SECOND

MAX_REMEMBERED = 10_000  # addresses whose failures are kept


@dataclass(frozen=True, slots=True)
class Target:
    """One dial that could be made. Without `node_id` any verified peer may answer."""

    address: Address
    node_id: NodeId | None
    name: str | None
    source: str


@dataclass(slots=True)
class _Tried:
    failures: int = 0
    not_before: int = 0  # monotonic nanoseconds


class DialPlan:
    """Chooses among bootstrap addresses and the table; remembers failures by address, whoever is said to live there."""

    def __init__(self, config: NodeConfig, *, own: NodeId, random: Chance) -> None:
        self._config = config
        self._own = own
        self._random = random
        self._tried: OrderedDict[Address, _Tried] = OrderedDict()

    def learned(self, peer: Peer, now: int) -> None:
        """A new record: the higher Node ID leaves the first dial to the lower one, or both would dial at once."""
        if peer.record is None:
            return
        for address in peer.record.addresses:
            if address not in self._tried:
                pause = self._config.deference if self._own > peer.node_id else 0.0
                self._remember(address).not_before = now + int((pause + self._random.random() * 0.2) * SECOND)

    def failed(self, address: Address, now: int) -> float:
        """Seconds until `address` may be tried again: doubled with every failure, less up to half at random."""
        tried = self._remember(address)
        longest = min(self._config.backoff_base * 2.0 ** min(tried.failures, 32), self._config.backoff_limit)
        tried.failures += 1
        pause = longest * (1 - self._random.random() / 2)
        tried.not_before = now + int(pause * SECOND)
        return pause

    def succeeded(self, address: Address) -> None:
        """The peer that we wanted answered there."""
        self._tried.pop(address, None)

    def due(self, targets: Iterable[Target], now: int, most: int) -> list[Target]:
        """Up to `most` targets that may be dialled now: bootstrap first, the others in random order, one per node."""
        ready = [target for target in targets if self._not_before(target) <= now]
        self._random.shuffle(ready)
        ready.sort(key=lambda target: target.source != "bootstrap")
        chosen: list[Target] = []
        for target in ready:
            taken = any(
                target.address == other.address or (target.node_id is not None and target.node_id == other.node_id)
                for other in chosen
            )
            if not taken and len(chosen) < most:
                chosen.append(target)
        return chosen

    def next_time(self, targets: Iterable[Target]) -> int | None:
        """When the first of `targets` may be dialled, in monotonic nanoseconds."""
        return min((self._not_before(target) for target in targets), default=None)

    def _not_before(self, target: Target) -> int:
        tried = self._tried.get(target.address)
        return tried.not_before if tried is not None else 0

    def _remember(self, address: Address) -> _Tried:
        tried = self._tried.setdefault(address, _Tried())
        self._tried.move_to_end(address)
        if len(self._tried) > MAX_REMEMBERED:
            self._tried.popitem(last=False)
        return tried


def targets(
    config: NodeConfig, peers: Iterable[Peer], busy: Callable[[NodeId | None, Address], bool]
) -> Iterator[Target]:
    """Everybody who could be dialled: the configured, then the table's. `busy` tells whom we reach already."""
    for start in config.bootstrap:
        if not busy(start.node_id, start.address):
            yield Target(start.address, start.node_id, None, "bootstrap")
    for peer in peers:
        for address in peer.record.addresses if peer.record is not None else ():
            if not busy(peer.node_id, address):
                yield Target(address, peer.node_id, peer.card.name, "table")
