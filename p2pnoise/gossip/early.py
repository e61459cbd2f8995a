"""Early: what came before the card that it belongs to, and is kept for it, with the Node ID of who gave it."""

from collections import Counter
from typing import TypeVar

T = TypeVar("T")

Early = dict[bytes, tuple[T, bytes]]
"""By Node ID or identity key, as the kind of thing wants it; in the order in which they came."""


def forget_one(early: Early[T]) -> None:
    """The oldest of whoever gave most, or one peer that makes things up would have those of all others forgotten."""
    most, _ = Counter(giver for _, giver in early.values()).most_common(1)[0]
    del early[next(key for key, (_, giver) in early.items() if giver == most)]
