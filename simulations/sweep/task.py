"""Task: one run of a sweep, and what came of it, as values that travel between processes and machines."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from simulations.faults import ScheduleError
from simulations.outcome import Outcome, Value
from simulations.scenario import Fidelity, ScenarioError

__all__ = ["RETRIES", "Answer", "Task", "Work", "attempt"]

RETRIES = 2  # how often a task is begun again whose worker has died; a guess: what kills three workers kills a fourth


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One scenario at one size with one seed. `parameters` are what the scenario is told beside these."""

    scenario: str
    nodes: int
    seed: int
    fidelity: Fidelity
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        told = "".join(f", {name} {value}" for name, value in self.parameters.items())
        return f"{self.scenario} with {self.nodes} nodes, seed {self.seed}{told}"


Work = Callable[[Task], Outcome]
"""What runs a task: a function of a module, since other processes have to find it by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one task: the line of its outcome, or why there is none."""

    task: int
    """The number of the task in its sweep, from 0."""
    line: str = ""
    ok: bool = False
    """Whether all checks of the outcome held."""
    failure: str = ""
    trace: str = ""
    """Where in the code it failed; empty where the worker died."""


def attempt(work: Work, number: int, task: Task) -> Answer:
    """Run a task. Whatever it raises is an answer, since the next task has nothing to do with it."""
    try:
        outcome = work(task)
        return Answer(task=number, line=outcome.line(), ok=outcome.ok)
    except (ScenarioError, ScheduleError) as error:  # which say where somebody's own file is wrong
        return Answer(task=number, failure=str(error), trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - any bug of what is simulated
        return Answer(task=number, failure=f"{type(error).__name__}: {error}", trace=traceback.format_exc())
