"""Processes: tasks in worker processes of this machine, a worker for each core.

`concurrent.futures` breaks a whole pool when one of its processes dies, so the workers are looked after here: who dies
is replaced, and its task, which nobody else had, is begun again.
"""

import gc
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from p2pnoise.folder.fault import Fault

from .task import RETRIES, Answer, Task, Work, attempt

__all__ = ["Processes", "cores"]

_PATIENCE = 5.0  # seconds that a process has to end after it was told to; a guess
_SPAWN = multiprocessing.get_context("spawn")  # a fork would bring along the memory, and the threads, of whoever asks


class Processes:
    """So many workers at a time, each a new interpreter."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, tasks: Mapping[int, Task], work: Work) -> Generator[Answer, None, None]:
        crew = _Crew(tasks, work)
        try:
            for _ in range(min(self.workers, len(tasks))):
                crew.hire()
            for _ in range(len(tasks)):
                yield crew.next_answer()
        finally:
            crew.dismiss()


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    ready: bool = False
    task: int | None = None


class _Crew:
    """The workers that there are, by the connection to each, and the tasks that nobody has."""

    def __init__(self, tasks: Mapping[int, Task], work: Work) -> None:
        self._tasks = tasks
        self._work = work
        self._waiting = deque(tasks)
        self._deaths: Counter[int] = Counter()
        self._unborn = 0  # workers, one after another, that died before they had begun
        self._workers: dict[Connection, _Worker] = {}

    def hire(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()  # so that ours ends when the worker does
        self._workers[ours] = _Worker(process)

    def next_answer(self) -> Answer:
        """Wait for a worker to answer its task, or to die once too often of it. Raises `Fault`."""
        while True:
            connection = wait(list(self._workers))[0]
            assert isinstance(connection, Connection)  # noqa: S101 - wait gives back what it was given
            try:
                answer: Answer | None = connection.recv()
            except (EOFError, OSError):
                answer = self._bury(connection)
            else:
                self._unborn = 0
                self._workers[connection].ready, self._workers[connection].task = True, None
            self._hand_out()
            if answer is not None:
                return answer

    def dismiss(self) -> None:
        for connection, worker in self._workers.items():
            connection.close()
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join(_PATIENCE)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.process.close()

    def _hand_out(self) -> None:
        """A task for each worker that has none."""
        for connection, worker in self._workers.items():
            if self._waiting and worker.ready and worker.task is None:
                worker.task = self._waiting.popleft()  # before it is sent: a dead worker is buried with it
                with suppress(OSError):  # `wait` will tell of its end
                    connection.send((worker.task, self._tasks[worker.task]))

    def _bury(self, connection: Connection) -> Answer | None:
        """Have the dead worker's task begun again by another, or answer it where it has had its tries."""
        worker = self._workers.pop(connection)
        connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        worker.process.close()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        answer = None
        if not worker.ready:
            self._unborn += 1
            if self._unborn > RETRIES:
                raise Fault(f"a worker process {how} before it had begun", "see what it said, or try --engine serial")
        elif worker.task is not None:
            self._deaths[worker.task] += 1
            if self._deaths[worker.task] <= RETRIES:
                self._waiting.append(worker.task)
            else:
                failure = f"its worker {how}, {self._deaths[worker.task]} times; perhaps there is too little memory"
                answer = Answer(task=worker.task, failure=failure)
        if self._waiting:
            self.hire()
        return answer


def _serve(connection: Connection, work: Work) -> None:
    """What a worker does: say that it is there, then a task and its answer, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started the sweep, who ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()
    try:
        connection.send(None)
        while True:
            number, task = connection.recv()
            connection.send(attempt(work, number, task))
            gc.collect()
    except (EOFError, OSError):
        pass  # whoever asked has gone


def _end_with_parent() -> None:
    """However the sweep ends, nobody goes on computing for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
