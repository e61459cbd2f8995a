"""Pauses: when an address that failed, or a node that put us off, may be dialled again. No I/O; time is handed in."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.instant import SECOND

MAX_REMEMBERED = 10_000  # addresses whose failures are kept, and as many nodes; the oldest are forgotten first


@dataclass(slots=True)
class _Tried:
    failures: int = 0
    not_before: int = 0  # monotonic nanoseconds


class Pauses:
    """By address, whoever is said to live there, and by Node ID, wherever it is. Times are monotonic nanoseconds."""

    def __init__(self, config: NodeConfig, random: Chance) -> None:
        self._config = config
        self._random = random
        self._tried: OrderedDict[Address, _Tried] = OrderedDict()
        self._put_off: OrderedDict[NodeId, _Tried] = OrderedDict()
        self._held: dict[NodeId, int] = {}  # not to be dialled unless wanted, until then

    def configure(self, config: NodeConfig) -> None:
        """Other times from now on."""
        self._config = config

    def learned(self, address: Address, now: int, *, defer: bool) -> None:
        """A record names this address: `defer` leaves the first dial to the other side for a while."""
        # Failures are never forgotten for it: or records without end would make us dial the same again.
        if address not in self._tried and len(self._tried) < MAX_REMEMBERED:
            pause = self._config.deference if defer else 0.0
            self._remember(address).not_before = now + int((pause + self._random.random() * 0.2) * SECOND)

    def failed(self, address: Address, now: int) -> float:
        """Seconds until `address` may be tried again: doubled with every failure, less up to half at random."""
        tried = self._remember(address)
        pause = self._pause(tried.failures)
        tried.failures += 1
        tried.not_before = now + int(pause * SECOND)
        return pause

    def ended(self, address: Address, now: int) -> None:
        """A link to `address` ended by nobody's fault: not again at once, or a peer could keep us dialling."""
        self._leave(address, now + int(self._pause(0) * SECOND))

    def put_off(self, node_id: NodeId, dialled: Address | None, now: int) -> None:
        """A peer has no place for us, or said what no honest node says: the pause before we dial it doubles each time.

        Whatever succeeds. By its Node ID, and where we had `dialled` it: a record may name the addresses of others.
        """
        times = self._put_off.pop(node_id, _Tried())
        self._put_off[node_id] = times
        if len(self._put_off) > MAX_REMEMBERED:
            self._put_off.popitem(last=False)
        times.not_before = now + int(self._pause(times.failures) * SECOND)
        times.failures += 1
        if dialled is not None:
            self._leave(dialled, times.not_before)

    def forget(self, address: Address) -> None:
        """It answered as it should, or our operator names it anew."""
        self._tried.pop(address, None)

    def hold(self, node_id: NodeId, until: int, addresses: Collection[Address], now: int) -> None:
        """Leave this node undialled until then, and `addresses`, unless wanted."""
        self._held = {held: end for held, end in self._held.items() if end > now}
        self._held[node_id] = until
        for address in addresses:
            self._leave(address, until)

    def release(self, node_id: NodeId) -> None:
        """Hold back no longer from this node: its operator wants it linked again."""
        self._held.pop(node_id, None)

    def held_until(self, node_id: NodeId) -> int:
        """Until when our operator wants this node left alone; 0 where nothing is said."""
        return self._held.get(node_id, 0)

    def of_node(self, node_id: NodeId) -> int:
        """Until when this node is not dialled wherever it is: our operator wants that, or it has put us off."""
        times, held = self._put_off.get(node_id), self._held.get(node_id, 0)
        return times.not_before if times is not None and times.not_before > held else held

    def of_address(self, address: Address) -> int:
        """Until when nobody is dialled there."""
        tried = self._tried.get(address)
        return tried.not_before if tried is not None else 0

    def failures(self, address: Address) -> int:
        """How often in succession a dial to this address has failed, as far as that is remembered."""
        tried = self._tried.get(address)
        return tried.failures if tried is not None else 0

    def _pause(self, failures: int) -> float:
        longest = min(self._config.backoff_base * 2.0 ** min(failures, 32), self._config.backoff_limit)
        return longest * (1 - self._random.random() / 2)

    def _leave(self, address: Address, until: int) -> None:
        tried = self._remember(address)
        tried.not_before = max(tried.not_before, until)

    def _remember(self, address: Address) -> _Tried:
        tried = self._tried.get(address)
        if tried is None:
            tried = self._tried[address] = _Tried()
        else:
            self._tried.move_to_end(address)
        if len(self._tried) > MAX_REMEMBERED:
            self._tried.popitem(last=False)
        return tried
