"""Determinism: the same scenario, size and seed are the same bits; however often, in whatever process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulations import all_scenarios, find, run
from simulations.running import begin
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
TOLD = """
from simulations import run
for name, how in {cases}:
    print(run(name, nodes=8, seed=5, fidelity=how).trace_hash)
"""
FIDELITIES = sorted({fidelity for one in all_scenarios() for fidelity in one.with_parameters({}).fidelities})


def _repeated(fidelity, times):
    return {run("cold-start", nodes=8, seed=5, fidelity=fidelity).line() for _ in range(times)}


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_a_run_is_the_same_however_often(fidelity):
    assert len(_repeated(fidelity, 4)) == 1


@pytest.mark.long
@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_a_hundred_runs_are_the_same(fidelity):
    assert len(_repeated(fidelity, 100)) == 1


def test_runs_are_the_same_in_processes_that_hash_differently():
    cases = [
        *(("partition", one) for one in find("partition").with_parameters({}).fidelities),
        *(("cold-start", one) for one in FIDELITIES),
        ("random-faults", "bytes"),
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOLD.format(cases=cases)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, other = (process.communicate(timeout=PATIENCE)[0].split() for process in processes)
    assert dict(zip(cases, one, strict=True)) == dict(zip(cases, other, strict=True))
    assert all(len(told) == 32 for told in one)


def test_looking_at_a_run_does_not_change_it():
    with begin("partition", nodes=8, seed=2) as looked_at:
        while not looked_at.over:
            looked_at.advance(looked_at.now + 700_000_000)
            looked_at.overview()
            looked_at.inspect(3)
        trace = looked_at.world.trace_hash
    with begin("partition", nodes=8, seed=2) as other:
        other.advance(looked_at.now)
    assert other.world.trace_hash == trace
