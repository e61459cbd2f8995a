"""Chance: the form in which randomness for choices and jitter enters a core. Leaf of every floor.

The standard library's `random.Random` fits; cores never import it, so that none can draw from an unseeded one.
Keys and ids are no matter of chance: they come from entropy, `Callable[[int], bytes]`.
"""

from collections.abc import MutableSequence, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Chance(Protocol):
    """A seeded source of choices."""

    def random(self) -> float:
        """A float of at least 0 and less than 1."""
        ...

    def randrange(self, stop: int, /) -> int:
        """An integer of at least 0 and less than `stop`."""
        ...

    def choice(self, seq: Sequence[T], /) -> T:
        """One of the items; there must be one."""
        ...

    def shuffle(self, x: MutableSequence[Any], /) -> None:
        """Put the items into another order, in place."""
        ...
