"""Order: in which the items of a world are compared, for all its nodes: which are below a bound, which is the nth.

By hours, in an hour by the first byte of ids, and only there one by one.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import or_

from p2pnoise.gossip.messages import HOUR_SIZE

_REMEMBERED = 1_000  # bounds: nodes that hold nearly the same cut it nearly everywhere alike


@dataclass(slots=True)
class _Cell:
    """The items whose keys begin alike."""

    bits: int = 0
    keys: list[tuple[bytes, int]] = field(default_factory=list)  # with their numbers, in order


@dataclass(slots=True)
class _Hour:
    bits: int = 0
    cells: dict[bytes, _Cell] = field(default_factory=dict)
    firsts: list[bytes] = field(default_factory=list)
    before: list[int] = field(default_factory=list)  # the bits of all cells before each, once somebody asks

    def below(self, bound: bytes) -> int:
        """The bits of its items whose keys are below this bound, which is of this hour."""
        # Cells added up anew for each bound were half of all time of a thousand nodes that begin at once.
        if not self.before:
            self.before = [0, *accumulate((cell.bits for cell in self.cells.values()), or_)]
            self.firsts = list(self.cells)
        first = bound[: HOUR_SIZE + 1]
        bits = self.before[bisect_left(self.firsts, first)]
        cell = self.cells.get(first)
        if cell is not None and first < bound:
            for _, number in cell.keys[: bisect_left(cell.keys, (bound,))]:
                bits |= 1 << number
        return bits


class Order:
    """Numbers of items by their keys."""

    def __init__(self) -> None:
        self._hours: dict[bytes, _Hour] = {}
        self._below: dict[bytes, int] = {}

    def place(self, number: int, key: bytes) -> None:
        """This is the key of this item; it may have been said before."""
        hour = self._hours.get(key[:HOUR_SIZE])
        if hour is None:
            hour = self._hours[key[:HOUR_SIZE]] = _Hour()
            self._hours = dict(sorted(self._hours.items()))
        if hour.bits >> number & 1:
            return
        first = key[: HOUR_SIZE + 1]
        cell = hour.cells.get(first)
        if cell is None:
            cell = hour.cells[first] = _Cell()
            hour.cells = dict(sorted(hour.cells.items()))
        hour.bits |= 1 << number
        cell.bits |= 1 << number
        insort(cell.keys, (key, number))
        hour.before = []
        self._below.clear()

    def below(self, bound: bytes) -> int:
        """The bits of all items whose keys are below this bound."""
        bits = self._below.get(bound)
        if bits is None:
            if len(self._below) >= _REMEMBERED:
                self._below.clear()
            bits = self._below[bound] = self._find(bound)
        return bits

    def _find(self, bound: bytes) -> int:
        bits = 0
        for start, hour in self._hours.items():
            if start >= bound:
                break
            bits |= hour.bits if start < bound[:HOUR_SIZE] else hour.below(bound)
        return bits

    def keys_at(self, bits: int, ranks: Sequence[int]) -> list[bytes]:
        """The keys of these ranks, which ascend, among those of these items. There must be as many."""
        found: list[bytes] = []
        before = 0
        for hour in self._hours.values():
            after = before + (bits & hour.bits).bit_count()
            if len(found) < len(ranks) and ranks[len(found)] < after:
                inside = bits & hour.bits
                for cell in hour.cells.values():
                    end = before + (inside & cell.bits).bit_count()
                    if len(found) < len(ranks) and ranks[len(found)] < end:
                        keys = [key for key, number in cell.keys if inside >> number & 1]
                        while len(found) < len(ranks) and ranks[len(found)] < end:
                            found.append(keys[ranks[len(found)] - before])
                    before = end
            before = after
        return found
