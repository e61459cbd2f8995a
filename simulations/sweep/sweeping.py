"""sweep: all tasks on an engine, and every answer in a folder before the next is taken."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from simulations.outcome import Outcome, Value
from simulations.running import begin, run
from simulations.scenario import Fidelity, ScenarioError, ScenarioFile

from .engine import Engine
from .folder import SweepFolder
from .summary import Summary, summarise
from .task import Answer, Task, Work

__all__ = ["Swept", "perform", "sweep", "tasks_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found."""

    summaries: tuple[Summary, ...]
    """One for each scenario, size, fidelity and choice of parameters, in the order of the tasks."""
    result_hash: str
    resumed: int
    """How many of the tasks an earlier process had answered."""
    made: Mapping[str, str]
    """With what it was begun, and its result hash, for a report."""

    @property
    def ok(self) -> bool:
        return all(not one.broken and not one.failed for one in self.summaries)


def tasks_of(
    files: Iterable[ScenarioFile],
    seeds: Iterable[int],
    *,
    nodes: int | None = None,
    fidelity: Fidelity | None = None,
    parameters: Mapping[str, Value] | None = None,
) -> list[Task]:
    """Each scenario with each seed; at its smoke size and its first fidelity unless others are named.

    Raises `ScenarioError` for what a scenario does not have, and for one of somebody's own of which there is no world.
    """
    seeds, tasks = list(seeds), []
    for file in files:
        scenario = file.with_parameters(parameters or {})
        if fidelity is not None and fidelity not in scenario.fidelities:
            raise ScenarioError(
                f"{file.name} does not run at fidelity {fidelity}", f"it runs at: {', '.join(scenario.fidelities)}"
            )
        size = scenario.smoke if nodes is None else nodes
        if file.name.endswith((".py", ".toml")) and seeds:  # those that ship are known to be possible
            with begin(file, nodes=size, seed=seeds[0], fidelity=fidelity, parameters=parameters):
                pass
        tasks += [
            Task(
                scenario=file.name,
                nodes=size,
                seed=seed,
                fidelity=fidelity or scenario.fidelities[0],
                parameters=dict(parameters or {}),
            )
            for seed in seeds
        ]
    return tasks


def perform(task: Task) -> Outcome:
    """Run a task as `run` does."""
    return run(
        task.scenario,
        nodes=task.nodes,
        seed=task.seed,
        fidelity=task.fidelity,
        parameters=task.parameters,
    )


def sweep(
    tasks: Sequence[Task],
    *,
    engine: Engine,
    folder: Path,
    work: Work = perform,
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
            made=kept.made,
        )
