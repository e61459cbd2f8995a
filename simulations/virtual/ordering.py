"""Ordering: trio made repeatable: what is ready at the same time runs in an order that a seed decides.

Left alone, trio 0.35 shuffles what is ready by a generator that nobody seeds, cancels in the order of sets of objects,
which is that of their addresses, and lets addresses decide which of two equal deadlines comes first. Nothing public
changes that (python-trio issues 239, 2022 and 2675), so that its own names are replaced for as long as a run lasts, and
only in versions whose source was read for it. Its other sets need no order: a nursery's children are gone through when
a task moves out of `Nursery.start`, alone; and whoever is woken by an Event is sorted before it runs.
"""

import random
from collections.abc import Iterator, MutableSet
from contextlib import contextmanager
from heapq import heappush
from itertools import count
from typing import Any, TypeVar

import trio
from trio._core import _run  # what is replaced has no public name

from simulations.scenario import ScenarioError

__all__ = ["KNOWN", "Ordering", "TrioVersionError"]

KNOWN = ("0.35.0",)
"""Versions of trio whose source was read: `_core/_run.py` for all that is replaced, and that nothing else decides."""

T = TypeVar("T")


class TrioVersionError(ScenarioError):
    """The version of trio that is installed was not read. Nothing was replaced, and nothing ran."""


class _Ordered(MutableSet[T]):
    """A set that is gone through in the order in which things were put in."""

    __slots__ = ("_items",)

    def __init__(self, items: Any = ()) -> None:
        self._items: dict[T, None] = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: T) -> None:
        self._items[value] = None

    def discard(self, value: T) -> None:
        self._items.pop(value, None)


class Ordering:
    """The order of one run, decided by `seed`. Raises TrioVersionError."""

    def __init__(self, seed: int) -> None:
        if trio.__version__ not in KNOWN:
            raise TrioVersionError(
                f"the fidelity virtual orders the tasks of trio {' or '.join(KNOWN)}, and this is trio "
                f"{trio.__version__}",
                f"pip install trio=={KNOWN[-1]}, or take the fidelity bytes",
            )
        status, ties = _run.CancelStatus, count()
        begin = status.__attrs_post_init__

        def status_begins(self: Any) -> None:
            self._children, self._tasks = _Ordered(), _Ordered()
            begin(self)

        def add_deadline(self: Any, deadline: float, cancel_scope: Any) -> None:
            heappush(self._heap, (deadline, next(ties), cancel_scope))
            self._active += 1

        self._replaced: tuple[tuple[Any, str, Any], ...] = (
            (_run, "_r", random.Random(seed)),  # noqa: S311 - repeatable is what is wanted
            (_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
            (status, "__attrs_post_init__", status_begins),
            (_run.Deadlines, "add", add_deadline),
        )

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let what trio runs in this block run in this order; for the whole process, until the block is left."""
        before = [(owner, name, vars(owner)[name]) for owner, name, _ in self._replaced]
        for owner, name, value in self._replaced:
            setattr(owner, name, value)
        try:
            yield
        finally:
            for owner, name, value in before:
                setattr(owner, name, value)
