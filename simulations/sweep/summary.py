"""Summary: what the seeds of one scenario found together, as medians with the band that nine in ten of them lie in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from simulations.outcome import Outcome

from .task import Answer, Task

__all__ = ["Band", "Summary", "summarise"]


@dataclass(frozen=True, slots=True)
class Band:
    """A median, and the 5th and the 95th percentile around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Band":
        """That of at least one figure; of a few, the lowest and the highest are the band."""
        if len(figures) < 2:
            return cls(figures[0], figures[0], figures[0])
        cuts = quantiles(figures, n=20, method="inclusive")
        return cls(cuts[0], median(figures), cuts[-1])


@dataclass(slots=True, kw_only=True)
class Summary:
    """The answer to one question over all its seeds. `task` is one of the runs, for all but the seed."""

    task: Task
    seeds: int = 0
    """Runs that were to be done."""
    held: int = 0
    broken: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Seeds of which a check did not hold, with the names of those checks."""
    failed: list[tuple[int, str]] = field(default_factory=list)
    """Seeds without an outcome, and why."""
    metrics: dict[str, Band] = field(default_factory=dict)
    """Of the runs that have this figure."""

    def to_json(self) -> dict[str, Any]:
        task = self.task.to_json()
        del task["seed"]
        return {
            **task,
            "seeds": self.seeds,
            "held": self.held,
            "broken": [{"seed": seed, "checks": list(checks)} for seed, checks in self.broken],
            "failed": [{"seed": seed, "failure": failure} for seed, failure in self.failed],
            "metrics": {name: [band.low, band.median, band.high] for name, band in self.metrics.items()},
        }


def summarise(
    tasks: Sequence[Task], outcomes: Iterable[tuple[int, Outcome]], failures: Mapping[int, Answer]
) -> tuple[Summary, ...]:
    """One summary for each scenario, size, fidelity and choice of parameters, in the order of `tasks`."""
    summaries: dict[object, Summary] = {}
    for task in tasks:
        summaries.setdefault(_question(task), Summary(task=task)).seeds += 1
    figures: dict[object, dict[str, list[float]]] = {question: {} for question in summaries}
    for number, outcome in outcomes:
        question, seed = _question(tasks[number]), tasks[number].seed
        if outcome.ok:
            summaries[question].held += 1
        else:
            summaries[question].broken.append((seed, tuple(check.name for check in outcome.broken)))
        for name, value in outcome.metrics.items():
            if value is not None:
                figures[question].setdefault(name, []).append(value)
    for number, answer in failures.items():
        summaries[_question(tasks[number])].failed.append((tasks[number].seed, answer.failure))
    for question, summary in summaries.items():
        summary.broken.sort()
        summary.failed.sort()
        summary.metrics = {name: Band.of(values) for name, values in figures[question].items()}
    return tuple(summaries.values())


def _question(task: Task) -> object:
    return task.scenario, task.nodes, task.fidelity, tuple(sorted(task.parameters.items()))
