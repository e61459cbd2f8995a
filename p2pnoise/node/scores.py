"""Scores: what peers have done that no honest node does, by Node ID, halved every ten minutes. No I/O.

A new link begins with what the last one left, and so does a new start of ours, by the wall clock. Only faults that the
bytes of a message show by themselves count, and only such as came in a transport message, which the peer alone can have
written: whoever stands on the path can have nobody blamed. Who has too many is banned for an hour, by its key; and the
exact address that it came from waits for ten minutes, which is never a group of addresses: behind one may be a
neighbourhood (P21). Which addresses wait is forgotten at a restart, since the ban is not.
"""

from collections import OrderedDict
from collections.abc import Mapping

from cards import Address, NodeId
from p2pnoise.gossip import network_of
from p2pnoise.instant import SECOND, Instant

from .bans import MAX_REASON, Ban

HALF_LIFE = 600 * SECOND  # overlay-and-gossip 2.3(d)
TOO_MANY = 2.5  # faults: the third one in quick succession. A guess: an honest node commits none
BANNED = 3_600  # seconds; overlay-and-gossip 2.3(d)
THROTTLED = 600 * SECOND  # protocol rule P21
MAX_REMEMBERED = 10_000  # Node IDs, and as many addresses; whose last fault is the oldest is forgotten


class Scores:
    """The faults of peers, and which addresses wait. Times in monotonic nanoseconds."""

    def __init__(self) -> None:
        self._faults: OrderedDict[NodeId, tuple[float, int]] = OrderedDict()  # how many, as of when
        self._waiting: OrderedDict[str, int] = OrderedDict()  # hosts, until when

    def restore(self, scores: Mapping[NodeId, tuple[float, int]], now: Instant) -> None:
        """Take back what was stored, the oldest first: how many, as of a second since 1970."""
        for node_id, (faults, at) in scores.items():
            self._faults[node_id] = faults, now.monotonic - max(0, now.unix - at) * SECOND

    def of(self, node_id: NodeId, now: int) -> float:
        """How many faults a peer has to its name by now."""
        faults, at = self._faults.get(node_id, (0.0, now))
        decay: float = 0.5 ** ((now - at) / HALF_LIFE)
        return faults * decay

    def blame(self, node_id: NodeId, now: int) -> bool:
        """A peer committed one more; whether that is one too many, and then its score begins anew."""
        faults = self.of(node_id, now) + 1
        self._faults.pop(node_id, None)
        if faults > TOO_MANY:
            return True
        self._faults[node_id] = faults, now
        if len(self._faults) > MAX_REMEMBERED:
            self._faults.popitem(last=False)
        return False

    def throttle(self, address: Address, now: int) -> None:
        """Whoever was just banned was here; unless the address is private, where one proxy may stand for all."""
        if network_of(address) is None:
            return
        self._waiting.pop(address.host, None)
        self._waiting[address.host] = now + THROTTLED
        if len(self._waiting) > MAX_REMEMBERED:
            self._waiting.popitem(last=False)

    def waits(self, address: Address, now: int) -> bool:
        """Whether nobody is let in from this host for now."""
        return self._waiting.get(address.host, 0) > now


def ban_for(node_id: NodeId, name: str | None, why: str, now: int) -> Ban:
    """The ban of a peer that committed too many faults, the last of them `why`, at `now` in seconds since 1970."""
    said = "".join(letter if letter.isprintable() else "?" for letter in f"it broke the protocol: {why}")
    return Ban(key=node_id, since=now, until=now + BANNED, reason=said[:MAX_REASON], name=name)
