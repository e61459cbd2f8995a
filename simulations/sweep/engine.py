"""Engine: where the tasks of a sweep run; and the simplest one, this very process."""

import gc
from collections.abc import Generator, Mapping
from typing import Protocol

from .task import Answer, Task, Work, attempt

__all__ = ["Engine", "Serial"]


class Engine(Protocol):
    """Somewhere to run tasks. The answers to the same tasks are the same on each; their order is not."""

    def run(self, tasks: Mapping[int, Task], work: Work) -> Generator[Answer, None, None]:
        """One answer for each task, as they come. Closing the generator ends what is still running.

        Raises `Fault` where the engine itself does not work.
        """


class Serial:
    """One task after another, here. Slow, and nothing stands between a task and a debugger."""

    def run(self, tasks: Mapping[int, Task], work: Work) -> Generator[Answer, None, None]:
        for number, task in tasks.items():
            yield attempt(work, number, task)
            gc.collect()  # a world is full of cycles, and the next one wants its memory
