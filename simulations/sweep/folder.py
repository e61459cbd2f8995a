"""SweepFolder: a sweep on the disk, in three files that survive whatever ends the process that writes them.

manifest.json    what the sweep is: its tasks, and the software that answers them; written once, before all else
outcomes.jsonl   a line for each task that has an outcome, in the order in which they came
failures.jsonl   a line for each task that has none, and why; they are tried again when the sweep goes on

A line of outcomes.jsonl is that of the outcome with one member before it: `task`, its number in the manifest. A process
may be killed in the middle of a line, so a last line without its end was never written, and is cut off.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from cards.findings import CONFLICT, MALFORMED
from p2pnoise.folder.fault import Fault, os_fault
from p2pnoise.folder.reading import only_one
from p2pnoise.folder.writing import write
from simulations.outcome import Outcome

from .software import commit, digest, made, result_hash, software
from .task import Answer, Task

__all__ = ["SweepFolder"]

_FORMAT = "p2pnoise sweep 1"


class SweepFolder:
    """The folder of one sweep, held for one process while it is entered. Entering raises `Fault`."""

    def __init__(self, path: Path, tasks: Sequence[Task]) -> None:
        self.path = path
        self.tasks = tasks
        self._digests: dict[int, bytes] = {}
        self._manifest: Mapping[str, Any] = {}
        self._held = ExitStack()
        self._outcomes: BinaryIO
        self._failures: BinaryIO

    def __enter__(self) -> "SweepFolder":
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise os_fault(error, self.path) from None
            held.enter_context(only_one(self.path, "sweep"))
            self._make_manifest()
            try:
                self._outcomes = held.enter_context((self.path / "outcomes.jsonl").open("ab+", buffering=0))
                self._failures = held.enter_context((self.path / "failures.jsonl").open("wb", buffering=0))
            except OSError as error:
                raise os_fault(error, self.path) from None
            self._take_up()
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def left(self) -> dict[int, Task]:
        """The tasks without an outcome, by their number."""
        return {number: task for number, task in enumerate(self.tasks) if number not in self._digests}

    @property
    def result_hash(self) -> str:
        """BLAKE2b over the outcomes in the order of the tasks; the same whoever ran them, and in whatever order."""
        return result_hash(digest for _, digest in sorted(self._digests.items()))

    @property
    def made(self) -> dict[str, str]:
        """With what it was begun, and what it holds."""
        return made(self._manifest["software"], self._manifest["commit"], self.result_hash)

    def record(self, answer: Answer) -> None:
        """Write an answer down. Raises `Fault` where the disk refuses; the next process cuts off what is half there."""
        if answer.failure:
            task = self.tasks[answer.task].to_json()
            line = json.dumps({"task": answer.task, **task, "failure": answer.failure, "trace": answer.trace})
            self._append(self._failures, line)
        elif answer.task not in self._digests:
            self._append(self._outcomes, f'{{"task":{answer.task},{answer.line[1:]}')
            self._digests[answer.task] = digest(answer.line)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """What there is, one after another: a large sweep has more than fits in memory."""
        with (self.path / "outcomes.jsonl").open("rb") as file:
            for line in file:
                value = json.loads(line)
                yield value["task"], Outcome.from_json(value)

    def _append(self, file: BinaryIO, line: str) -> None:
        rest = memoryview(line.encode() + b"\n")
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise os_fault(error, self.path) from None

    def _make_manifest(self) -> None:
        path = self.path / "manifest.json"
        wanted = {
            "format": _FORMAT,
            "software": software(task.scenario for task in self.tasks if task.scenario.endswith((".py", ".toml"))),
            "commit": commit(),
            "tasks": [task.to_json() for task in self.tasks],
        }
        if path.exists():
            self._manifest = self._compare(path, wanted)
            return
        if any(not file.name.startswith(".") for file in self.path.iterdir()):
            raise Fault(f"{self.path} holds something else than a sweep", "name a folder that is new", code=CONFLICT)
        write(path, json.dumps(wanted, indent=1).encode() + b"\n")
        self._manifest = wanted

    def _compare(self, path: Path, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """The manifest that is there. Raises `Fault` unless it is of this very sweep; its commit is told to people."""
        try:
            found = json.loads(path.read_bytes())
            known = found["format"] == _FORMAT
            theirs, tasks = dict(found["software"]), [Task(**task) for task in found["tasks"]]
        except OSError as error:
            raise os_fault(error, path) from None
        except (ValueError, KeyError, TypeError):
            known = False
        if not known or not tasks:
            raise Fault(f"{path} is no manifest of a sweep", "name a folder that is new", code=MALFORMED)
        if tasks != list(self.tasks):
            raise Fault(
                f"{self.path} is of another sweep: {_told(tasks)} there, {_told(self.tasks)} here",
                "name a folder that is new, or give the options that this one was begun with",
                code=CONFLICT,
            )
        other = [name for name, value in wanted["software"].items() if theirs.get(name) != value]
        if other:
            raise Fault(
                f"{self.path} was begun with other software: not the same {', '.join(other)}",
                "name a folder that is new, or go on with what it was begun with",
                code=CONFLICT,
            )
        return {"commit": None, **found}

    def _take_up(self) -> None:
        """Cut off a last line that has no end, and see which tasks are answered. Raises `Fault`."""
        self._outcomes.seek(0)
        whole = 0
        for number, line in enumerate(self._lines(), 1):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            head, _, rest = line.partition(b",")
            try:
                task = int(head.removeprefix(b'{"task":'))
                if not 0 <= task < len(self.tasks):
                    raise ValueError("no such task")  # noqa: TRY301 - the same sentence for all that is wrong
                Outcome.from_json(json.loads(line))
            except (ValueError, RecursionError):
                where = f"{self.path / 'outcomes.jsonl'}: line {number}"
                raise Fault(f"{where} is no outcome", "delete that line; its task runs again", code=MALFORMED) from None
            self._digests[task] = digest("{" + rest.decode().rstrip("\n"))
        self._outcomes.truncate(whole)

    def _lines(self) -> Iterator[bytes]:
        with (self.path / "outcomes.jsonl").open("rb") as file:
            yield from file


def _told(tasks: Sequence[Task]) -> str:
    """What tells one sweep from another, in a few words."""
    names = sorted({task.scenario for task in tasks})
    seeds, nodes = {task.seed for task in tasks}, {task.nodes for task in tasks}
    few = names[0] if len(names) == 1 else f"{len(names)} scenarios"
    sizes = f"{min(nodes)} nodes" if len(nodes) == 1 else f"{min(nodes)} to {max(nodes)} nodes"
    told = sorted({f"{name} {value}" for task in tasks for name, value in task.parameters.items()})
    return ", ".join((few, sizes, f"seeds {min(seeds)} to {max(seeds)}", *told))
