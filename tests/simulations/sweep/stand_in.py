"""A stand-in for a scenario, which worker processes find by its name: what a task tells it, it does."""

import os
import random
import signal
import time
from pathlib import Path

from simulations.outcome import Check, Outcome
from simulations.sweep import Task
from tests.patience import PATIENCE


def tasks(count, **parameters):
    return [
        Task(scenario="stand-in", nodes=3, seed=seed, fidelity="bytes", parameters=parameters)
        for seed in range(1, count + 1)
    ]


def work(task):
    """An outcome of the seed alone. `kill` has the worker killed: once, or each time where the file cannot be made."""
    told = task.parameters
    time.sleep(told.get("sleep", 0))
    waited = time.monotonic()
    while "until" in told and not Path(told["until"]).exists() and time.monotonic() < waited + PATIENCE:
        time.sleep(0.02)
    if "kill" in told and not Path(told["kill"]).exists():
        if Path(told["kill"]).parent.exists():
            Path(told["kill"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "raises" in told:
        raise ValueError(told["raises"])
    chance = random.Random(task.seed)
    return Outcome(
        scenario=task.scenario,
        question="does it stand in?",
        fidelity=task.fidelity,
        nodes=task.nodes,
        seed=task.seed,
        virtual_seconds=1.5,
        checks=(Check(name="odd seeds only", holds=task.seed % 2 == 1),),
        parameters=told,
        metrics={"converged_after": chance.random(), "process": None},
        samples={"bytes_sent": tuple(chance.random() for _ in range(50))},
        trace_hash=chance.randbytes(16).hex(),
    )
