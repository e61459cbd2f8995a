"""Every scenario that ships holds what it promises: a few seeds at smoke size every day, 200 of each in campaigns."""

import json
import subprocess
import sys

import pytest

from simulations import all_scenarios, run
from simulations.scenario import find

EVERY_DAY = (1, 2)  # a minute of one core, all scenarios together
ONCE_A_DAY = ("sybil", "healed-split", "churn", "table-filling", "nat", "renewal-storm")  # 3 to 9 s each
SIMULATED = [one.name for one in all_scenarios()]


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.long if name in ONCE_A_DAY and seed > 1 else ())
        for name in SIMULATED
        for seed in EVERY_DAY
    ],
)
def test_a_scenario_holds(name, seed):
    assert run(name, nodes=find(name).with_parameters({}).smoke, seed=seed).broken == ()


def test_every_scenario_asks_a_question_and_has_an_answer():
    for one in all_scenarios():
        assert one.question.endswith("?"), one.name
        assert one.recorded, one.name
        assert one.with_parameters({}).expects or one.experiment is not None, one.name


@pytest.mark.long
def test_two_hundred_seeds_of_every_scenario_hold(tmp_path):
    sweep = [
        sys.executable,
        "-m",
        "cli",
        "simulate",
        "sweep",
        "--all",
        "--seeds",
        "200",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run([*sweep, "--json"], capture_output=True, text=True, check=False)
    swept = json.loads(done.stdout)
    assert [one for one in swept["scenarios"] if one["broken"] or one["failed"]] == []
    assert done.returncode == 0
