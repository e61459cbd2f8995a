"""Dask: tasks on the workers of a Dask.distributed scheduler, which may be on other machines.

Whoever reaches the scheduler's port has the workers run what they like: keep it on the loopback interface or a network
of your own, or give all three parties TLS certificates (`tls://` addresses, Dask's `distributed.comm.tls` settings).
For more than one machine, with the same software on each:

    dask scheduler --host 10.0.0.1
    dask worker tcp://10.0.0.1:8786 --nworkers 8 --nthreads 1          (on each machine)
    p2pnoise simulate sweep --all --engine dask --scheduler tcp://10.0.0.1:8786

Without a scheduler to go to, one is started here, with its workers, on the loopback interface, and ends with the sweep.
"""

import concurrent.futures
import logging
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any

from p2pnoise.folder.fault import Fault

from .processes import cores
from .software import code
from .task import RETRIES, Answer, Task, Work, attempt

__all__ = ["Dask", "OtherSoftware"]

_PATIENCE = 30.0  # seconds that our own cluster has to start, and to end; it takes 3 to 5 on one core


class OtherSoftware(Exception):  # noqa: N818 - told to the one who asked, who makes a Fault of it
    """The worker has other code than whoever hands out the tasks."""


class Dask:
    """So many workers of one's own, or those of a running `scheduler`, waited for `wait` seconds at most."""

    def __init__(self, workers: int | None = None, *, scheduler: str | None = None, wait: float = 60.0) -> None:
        self.workers = workers or (cores() if scheduler is None else 1)
        self.scheduler = scheduler
        self.wait = wait

    def run(self, tasks: Mapping[int, Task], work: Work) -> Generator[Answer, None, None]:
        try:
            import distributed  # noqa: PLC0415 - an extra
        except ImportError:
            raise Fault("Dask is not installed", 'pip install "p2pnoise[dist]", or --engine processes') from None
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what matters comes as answers
        with ExitStack() as held:
            address = self.scheduler or held.enter_context(_own_cluster(self.workers))
            try:
                client: Any = held.enter_context(distributed.Client(address, timeout=self.wait))  # type: ignore[no-untyped-call]
                client.wait_for_workers(self.workers, timeout=self.wait)  # without, it waits for ever
            except (OSError, TimeoutError, ValueError) as error:
                raise _unreachable(address, error) from None
            yield from self._run(distributed, client, tasks, work)

    def _run(
        self, distributed: Any, client: Any, tasks: Mapping[int, Task], work: Work
    ) -> Generator[Answer, None, None]:
        """Hand out no more tasks than there are workers: who dies has one of them, and is blamed for no other."""
        waiting = iter(tasks.items())
        running: dict[Any, int] = {}
        for _ in range(len(tasks)):
            threads = client.nthreads()
            if any(count != 1 for count in threads.values()):
                raise Fault("a worker runs several tasks at a time", "start it as: dask worker ... --nthreads 1")
            for number, task in islice(waiting, max(0, max(1, len(threads)) - len(running))):
                running[client.submit(_attempt, code(), work, number, task, pure=False)] = number
            future = self._first(distributed, client, list(running))
            yield _answer(distributed, future, running.pop(future))

    def _first(self, distributed: Any, client: Any, running: list[Any]) -> Any:
        """The first of these that is done. Raises `Fault` where nobody is left to do any."""
        while True:
            try:
                return distributed.wait(running, timeout=self.wait, return_when="FIRST_COMPLETED").done.pop()
            except TimeoutError:
                pass  # a long one, or one that nobody does
            except concurrent.futures.CancelledError:  # as Dask ends what it waits for when it has lost the scheduler
                raise _scheduler_gone() from None
            if not client.nthreads():
                raise Fault("no worker is left", "start one; the same command goes on where this one stopped")


def _attempt(expected: str, work: Work, number: int, task: Task) -> Answer:
    """What runs on a worker."""
    import gc  # noqa: PLC0415

    if code() != expected:
        raise OtherSoftware
    try:
        return attempt(work, number, task)
    finally:
        gc.collect()


def _answer(distributed: Any, future: Any, number: int) -> Answer:
    if future.status == "finished":
        answer: Answer = future.result()
        return answer
    error = future.exception() if future.status == "error" else None
    if isinstance(error, distributed.KilledWorker):
        return Answer(task=number, failure="each worker that had it died; perhaps there is too little memory")
    if isinstance(error, OtherSoftware):
        raise Fault("a worker has other software than this", "install the same on each machine, and start it again")
    if error is None:
        raise _scheduler_gone()
    raise Fault(f"a worker cannot run it: {type(error).__name__}: {error}", "install the same software on each machine")


def _scheduler_gone() -> Fault:
    return Fault("the scheduler is gone", "start it again; the same command goes on where this one stopped")


def _unreachable(address: str, error: Exception) -> Fault:
    if isinstance(error, TimeoutError):
        return Fault(f"too few workers have come to {address}", f"start one: dask worker {address} --nthreads 1")
    return Fault(f"no scheduler answers at {address}", "start one: dask scheduler --host 127.0.0.1")


@contextmanager
def _own_cluster(workers: int) -> Iterator[str]:
    """A scheduler and its workers, processes of their own, on the loopback interface; the address of the scheduler."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603
            (sys.executable, "-P", "-m", "simulations.sweep.dask_cluster", str(workers), str(RETRIES)),
            stdin=subprocess.PIPE,  # it ends with it, and so with us
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # Ctrl-C is for us, who tell it
            text=True,
        )
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        try:
            address = process.stdout.readline().strip()
            if not address:
                process.wait(_PATIENCE)
                said.seek(0)
                why = (said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
                raise Fault(f"Dask did not start: {why}", "try --engine processes")
            yield address
        finally:
            with suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
