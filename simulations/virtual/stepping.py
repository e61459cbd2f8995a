"""Stepping: a trio run under virtual time that goes on when it is told to, and rests in between.

`trio.run` comes back when all is over. Here the loop of `trio.run` is turned by hand, so that a world is run from one
virtual moment to the next, looked at, and run on, as the other worlds are. The clock is trio's MockClock, set to the
next moment at which something happens.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import trio
from trio._core import _run  # there is no public way to turn the loop of a run by hand
from trio.testing import MockClock

from simulations import guard

from .ordering import Ordering

__all__ = ["Stepper"]


_PATIENCE = 100_000  # turns of the loop in which all must have ended; a guess: a thousand nodes take some dozens


class Stepper:
    """One trio run. `nursery` is where its tasks are started, inside `in_force`. `close` it, whatever happened."""

    def __init__(self, ordering: Ordering) -> None:
        self.nursery: trio.Nursery
        self._ordering = ordering
        self._clock = MockClock()
        self._ended = trio.Event()
        self._over = False
        # What trio keeps of a run for each thread, while this one rests.
        self._context: dict[str, object] = {}
        self._hooks: Any = None
        with guard.lifted(), self.in_force():  # trio opens a pair of sockets, by which signals wake it
            self._runner = _run.setup_runner(self._clock, [], False, True)  # noqa: FBT003 - as trio.run does
            # Signals need not wake what never waits for them.
            self._loop = _run.unrolled_run(self._runner, self._main, (), host_uses_signal_set_wakeup_fd=True)
            next(self._loop)
            while not hasattr(self, "nursery"):
                self.turn()

    async def _main(self) -> None:
        async with trio.open_nursery() as self.nursery:
            await self._ended.wait()
            self.nursery.cancel_scope.cancel()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let trio's own functions be about this run."""
        here = _run.GLOBAL_RUN_CONTEXT.__dict__
        before, hooks = dict(here), sys.get_asyncgen_hooks()
        here.clear()
        here.update(self._context)
        if self._hooks is not None:
            sys.set_asyncgen_hooks(*self._hooks)
        try:
            with self._ordering.in_force():
                yield
        finally:
            self._context, self._hooks = dict(here), sys.get_asyncgen_hooks()
            here.clear()
            here.update(before)
            sys.set_asyncgen_hooks(*hooks)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._clock.current_time()

    @property
    def idle(self) -> bool:
        """Whether nothing happens before time passes."""
        return not self._runner.runq and not self._runner.waiting_for_idle

    @property
    def due(self) -> float:
        """The second at which the next sleeper wakes, or infinity."""
        return self._runner.deadlines.next_deadline()

    def pass_to(self, second: float) -> None:
        """Let it be this second. Time only moves forward."""
        self._clock._virtual_base = max(self._clock._virtual_base, second)  # noqa: SLF001 - a jump adds, and rounds

    def turn(self) -> None:
        """Let every task that is ready run to where it waits again. Inside `in_force`. Raises what the run raises."""
        try:
            self._loop.send(self._runner.io_manager.get_events(0))
        except StopIteration:
            self._over = True
            assert self._runner.main_task_outcome is not None  # noqa: S101 - the loop has ended
            self._runner.main_task_outcome.unwrap()

    def close(self) -> None:
        """End all tasks, and the run. Time stands still meanwhile, unless they wait for it to pass."""
        with self.in_force():
            self._ended.set()
            for _ in range(_PATIENCE):
                if self.idle and self.due < inf:
                    self.pass_to(self.due)
                self.turn()
                if self._over:
                    return
            raise RuntimeError(f"what runs in a world has not ended after {_PATIENCE} turns")
