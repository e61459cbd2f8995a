"""sweep: all tasks on an engine, and every answer in a folder before the next is taken."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .engine import Engine
from .folder import SweepFolder
from .summary import Summary, summarise
from .task import Answer, Task, Work

__all__ = ["Swept", "sweep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found."""

    summaries: tuple[Summary, ...]
    """One for each scenario, size, fidelity and choice of parameters, in the order of the tasks."""
    result_hash: str
    resumed: int
    """How many of the tasks an earlier process had answered."""

    @property
    def ok(self) -> bool:
        return all(not one.broken and not one.failed for one in self.summaries)


def sweep(
    tasks: Sequence[Task],
    *,
    engine: Engine,
    folder: Path,
    work: Work,
    progress: Callable[[int, int], None] = lambda _done, _bad: None,
) -> Swept:
    """Run what `folder` has no outcome of yet, and sum up all of it.

    `progress` hears how many tasks are answered, and how many of these answers since the start are no good ones.
    Raises `Fault`. However it ends, each answer that came is in the folder, and the same call goes on from there.
    """
    failures: dict[int, Answer] = {}
    with SweepFolder(folder, tasks) as kept:
        left = kept.left
        resumed = done = len(tasks) - len(left)
        bad = 0
        progress(done, bad)
        if left:
            with closing(engine.run(left, work)) as answers:
                for answer in answers:
                    kept.record(answer)
                    if answer.failure:
                        failures[answer.task] = answer
                    done, bad = done + 1, bad + (not answer.ok)
                    progress(done, bad)
        return Swept(
            summaries=summarise(tasks, kept.outcomes(), failures),
            result_hash=kept.result_hash,
            resumed=resumed,
        )
