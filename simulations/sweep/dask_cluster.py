"""A Dask scheduler and its workers on the loopback interface: `python -m simulations.sweep.dask_cluster WORKERS TRIES`.

The workers are processes of their own, and are started again when they die. It says the scheduler's address in one line
on stdout, and ends with its stdin, so that none outlives the process that asked for it.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import dask
from distributed import Nanny, Scheduler

_HOST = "127.0.0.1"  # whoever reaches the port may run code here


async def _main(workers: int, tries: int) -> None:
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": tries,
            "distributed.scheduler.worker-saturation": 1.0,  # none has a task in its queue that it could be blamed for
            "distributed.scheduler.dashboard.status.task-stream-length": 0,
            "distributed.admin.low-level-log-length": 100,
        }
    )
    async with AsyncExitStack() as held:
        scheduler = await held.enter_async_context(Scheduler(host=_HOST, port=0, dashboard=False))
        for _ in range(workers):
            # A world needs what it needs; a limit would kill it at a share of the memory that is free elsewhere.
            await held.enter_async_context(Nanny(scheduler.address, host=_HOST, nthreads=1, memory_limit=0))
        print(scheduler.address, flush=True)  # noqa: T201 - what its parent waits for
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(*map(int, sys.argv[1:])))
