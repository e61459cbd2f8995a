"""Engines: the same answers on each of them, and a worker that dies costs its own task."""

import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnoise.folder.fault import Fault
from simulations.outcome import Outcome
from simulations.sweep import Processes, Serial, sweep
from simulations.sweep.dask import Dask
from tests.simulations.sweep.stand_in import tasks, work

ROOT = str(Path(__file__).parents[3])
dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="DASK IS NOT INSTALLED, so its engine is not tested: pip install 'p2pnoise[dist]'",
)


@pytest.fixture(autouse=True)
def findable(monkeypatch):
    """Other processes find the stand-in where this one does."""
    monkeypatch.setenv("PYTHONPATH", ROOT)


def answers(engine, some):
    return {answer.task: answer for answer in engine.run(dict(enumerate(some)), work)}


@pytest.mark.parametrize("engine", [Processes(2), pytest.param(Dask(2), marks=dask)], ids=["processes", "dask"])
def test_an_engine_finds_what_the_serial_one_does_and_a_killed_worker_costs_only_its_own_task(engine, tmp_path):
    once, always = str(tmp_path / "killed"), str(tmp_path / "no such folder" / "killed")
    rest = [*tasks(12), *tasks(1, kill=once), *tasks(1, raises="on purpose")]
    found = sweep([*rest, *tasks(1, kill=always)], engine=engine, folder=tmp_path / "ours", work=work)
    whole, killed, raised, lost = found.summaries
    assert (whole.seeds, whole.held, whole.failed) == (12, 6, [])
    assert (killed.held, killed.failed) == (1, [])
    assert "died" in lost.failed[0][1] or "SIGKILL, 3 times" in lost.failed[0][1]
    assert raised.failed == [(1, "ValueError: on purpose")]
    serial = sweep(rest, engine=Serial(), folder=tmp_path / "serial", work=work)  # it has been killed once by now
    assert found.result_hash == serial.result_hash


@pytest.mark.parametrize("engine", [Serial(), Processes(1)], ids=["serial", "processes"])
def test_what_a_task_raises_is_its_answer_and_says_where(engine):
    some = [*tasks(1, raises="on purpose"), *tasks(1)]
    found = answers(engine, some)
    assert found[0].failure == "ValueError: on purpose"
    assert "in work" in found[0].trace
    assert Outcome.from_json(json.loads(found[1].line)) == work(some[1])


def test_an_answer_does_not_wait_for_the_one_before_it(tmp_path):
    slow, quick = replace(tasks(1)[0], parameters={"until": str(tmp_path / "answered")}), tasks(1)[0]
    order = []
    for one in Processes(2).run({0: slow, 1: quick}, work):
        order.append(one.task)
        (tmp_path / "answered").touch()
    assert order == [1, 0]


def test_a_closed_engine_leaves_no_worker_behind():
    running = Processes(2).run(dict(enumerate([*tasks(3), *tasks(2, sleep=600)])), work)
    next(running)
    workers = multiprocessing.active_children()
    assert workers
    running.close()
    assert not multiprocessing.active_children()


def test_workers_that_cannot_even_start_are_a_fault_and_no_endless_loop(capfd):
    def local(task):  # no function of a module: no process finds it
        return work(task)

    with pytest.raises((Fault, AttributeError)):
        list(Processes(1).run(dict(enumerate(tasks(2))), local))
    capfd.readouterr()


@dask
def test_a_scheduler_that_does_not_answer_is_told_within_the_time_given():
    with pytest.raises(Fault, match=r"no scheduler answers|too few workers"):
        list(Dask(scheduler="tcp://127.0.0.1:9", wait=1.0).run(dict(enumerate(tasks(1))), work))


@pytest.fixture
def scheduler():
    """A scheduler as a person starts it, without a worker; its address."""
    with subprocess.Popen(
        (
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
        ),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        address = next(line.split()[-1] for line in process.stderr if "Scheduler at:" in line)
        yield address
        process.terminate()
        process.stderr.read()


def worker(address, *options):
    return subprocess.Popen(
        (sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", "--no-nanny", *options),
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ROOT},
    )


@dask
def test_a_running_scheduler_is_used_where_its_workers_are_fit_for_it(scheduler, tmp_path):
    with pytest.raises(Fault, match="too few workers") as fault:
        list(Dask(scheduler=scheduler, wait=3.0).run(dict(enumerate(tasks(1))), work))
    assert f"dask worker {scheduler} --nthreads 1" in fault.value.hint
    with worker(scheduler, "--nthreads", "1") as process:
        found = sweep(tasks(5), engine=Dask(scheduler=scheduler), folder=tmp_path / "one", work=work)
        assert found.result_hash == sweep(tasks(5), engine=Serial(), folder=tmp_path / "two", work=work).result_hash
        with worker(scheduler, "--nthreads", "2") as second:
            with pytest.raises(Fault, match="several tasks at a time"):
                list(Dask(2, scheduler=scheduler).run(dict(enumerate(tasks(1))), work))
            second.terminate()
        process.terminate()
