"""Results: outcomes read from where a run or a sweep left them, and the same as flat tables for a notebook.

    import pandas
    from simulations import results

    found = results.read("sweeps/join")            # a folder, a file of JSON lines, or the JSON of one run
    runs = pandas.DataFrame(results.rows(found))   # a line for each run, columns named as in the JSON
    runs.groupby("nodes")["metrics.converged_after"].describe()

`curves` and `samples` give the long forms, one line for each point and for each node, for plots. Nothing here needs
pandas: a row is a dict, and all rows of one call have the same columns.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from p2pnoise.folder.fault import Fault, os_fault

from .outcome import Outcome, Value

__all__ = ["LINES", "Failure", "curves", "failures", "read", "rows", "samples"]

LINES = "outcomes.jsonl"
"""The file of a sweep's folder that holds an outcome in each line."""

_FAILURES = "failures.jsonl"
_OTHER = "name the folder of a sweep, or a file of outcomes"

Row: TypeAlias = dict[str, Any]
Taken = TypeVar("Taken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run of a sweep that has no outcome, since the simulator or its process broke, and the reason."""

    scenario: str
    nodes: int
    seed: int
    fidelity: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    failure: str


def read(path: str | Path) -> list[Outcome]:
    """The outcomes of a sweep's folder, of a file with one in each line, or of the JSON of a single run.

    Those of a sweep come in the order of its tasks, whichever was done first. A last line that was cut off in the
    middle is left out: a sweep writes it again when it goes on. Raises `Fault`.
    """
    path = Path(path)
    file = path / LINES if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise Fault(f"{path} holds no {LINES}", _OTHER)
    found = list(_lines(file, _outcome))
    return [outcome for _, outcome in sorted(found, key=lambda numbered: numbered[0])]


def failures(path: str | Path) -> list[Failure]:
    """The runs of a sweep's folder that have no outcome, none for anything but a folder. Raises `Fault`."""
    file = Path(path) / _FAILURES
    return list(_lines(file, _failure)) if file.exists() else []


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """One flat line for each outcome: what it is, then `parameters.NAME`, `metrics.NAME`, `checks.NAME`,
    `events.NAME` and `versions.NAME`; None where an outcome has no such figure."""
    return _even([_row(outcome) for outcome in outcomes])


def curves(outcomes: Iterable[Outcome], *names: str) -> list[Row]:
    """One line for each point of the curves `names`, or of all: scenario, fidelity, nodes, seed, curve, t, value."""
    return [
        {**_identity(outcome), "curve": name, "t": t, "value": value}
        for outcome in outcomes
        for name, curve in outcome.curves.items()
        if not names or name in names
        for t, value in curve
    ]


def samples(outcomes: Iterable[Outcome], *names: str) -> list[Row]:
    """One line for each node of the samples `names`, or of all: scenario, fidelity, nodes, seed, sample, value."""
    return [
        {**_identity(outcome), "sample": name, "value": value}
        for outcome in outcomes
        for name, figures in outcome.samples.items()
        if not names or name in names
        for value in figures
    ]


def _outcome(value: Any) -> tuple[int, Outcome]:
    task, outcome = value.get("task", 0) if isinstance(value, dict) else 0, Outcome.from_json(value)
    if type(task) is not int:
        raise ValueError(f"its task is {task!r}")
    return task, outcome


def _failure(value: Any) -> Failure:
    return Failure(**{one.name: value[one.name] for one in fields(Failure)})


def _lines(file: Path, take: Callable[[Any], Taken]) -> Iterator[Taken]:
    """What `take` makes of each line, or of a whole file that is one object, indented for people."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise os_fault(error, file) from None
    except UnicodeDecodeError:
        raise Fault(f"{file} is no text", _OTHER) from None
    lines = text.split("\n")
    ended = not lines[-1]
    lines = [text] if lines[0].strip() == "{" else lines
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield take(json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if number == len(lines) > 1 and not ended:
                return
            said = f"{type(error).__name__}: {error}"[:200]
            hint = "name the folder of a sweep, or a file made by p2pnoise simulate run --out"
            raise Fault(f"{file}, line {number}: no outcome of a simulation ({said})", hint) from None


def _identity(outcome: Outcome) -> Row:
    return {
        "scenario": outcome.scenario,
        "fidelity": outcome.fidelity,
        "nodes": outcome.nodes,
        "seed": outcome.seed,
    }


def _row(outcome: Outcome) -> Row:
    return {
        **_identity(outcome),
        "ok": outcome.ok,
        "virtual_seconds": outcome.virtual_seconds,
        "trace_hash": outcome.trace_hash,
        **{f"parameters.{name}": value for name, value in sorted(outcome.parameters.items())},
        **{f"metrics.{name}": value for name, value in sorted(outcome.metrics.items())},
        **{f"checks.{check.name}": check.holds for check in outcome.checks},
        **{f"events.{name}": value for name, value in sorted(outcome.events.items())},
        **{f"versions.{name}": value for name, value in sorted(outcome.versions.items())},
    }


def _even(found: list[Row]) -> list[Row]:
    """The same rows, each with every column."""
    columns = dict.fromkeys(name for row in found for name in row)
    return [{name: row.get(name) for name in columns} for row in found]
