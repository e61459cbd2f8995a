"""`p2pnoise simulate sweep`: many seeds of many scenarios, what they break, and how each is repeated."""

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import root
from simulations import all_scenarios

NEVER = """
question = "Does a network converge in no time?"
nodes = 4
smoke = 4
seconds = 2

[[expects]]
kind = "converged"
within = 0.001
"""


def _sweep(*words):
    result = CliRunner().invoke(root, ["simulate", "sweep", *map(str, words)])
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def never(tmp_path):
    file = tmp_path / "never.toml"
    file.write_text(NEVER)
    return file


def test_the_outcomes_of_a_sweep_are_those_of_its_runs_and_the_same_on_every_engine(tmp_path):
    words = ("cold-start", "revocation", "--seeds", "3-4", "--nodes", 4)
    processes, serial = (
        json.loads(_sweep(*words, "--json", "--engine", engine, "--out", tmp_path / engine).stdout)
        for engine in ("processes", "serial")
    )
    assert processes == serial
    assert processes["ok"]
    assert [(one["scenario"], one["seeds"], one["held"]) for one in serial["scenarios"]] == [
        ("cold-start", 2, 2),
        ("revocation", 2, 2),
    ]
    lines = [json.loads(line) for line in (tmp_path / "serial" / "outcomes.jsonl").read_text().splitlines()]
    run = CliRunner().invoke(root, ["simulate", "run", "revocation", "--nodes", "4", "--seed", "4", "--json"])
    assert json.loads(run.stdout) == {name: value for name, value in lines[3].items() if name != "task"}


def test_a_seed_that_breaks_something_is_named_with_the_command_that_repeats_it(never):
    found = _sweep(never, "--seeds", 2, "--engine", "serial", "--json")
    assert found.exit_code == 1
    facts = json.loads(found.stdout)
    assert not facts["ok"]
    (scenario,) = facts["scenarios"]
    assert [one["seed"] for one in scenario["broken"]] == [1, 2]
    command = scenario["broken"][1]["command"]
    assert command == f"p2pnoise simulate run {never} --nodes 4 --seed 2 --fidelity bytes"
    repeated = CliRunner().invoke(root, command.split()[1:])
    assert repeated.exit_code == 1
    assert scenario["broken"][1]["checks"][0] in repeated.stdout


def test_people_see_a_line_for_each_scenario_and_the_first_seeds_that_broke(never):
    found = _sweep("cold-start", never, "--seeds", 12, "--nodes", 2, "--engine", "serial")
    assert found.exit_code == 1
    titles, good, bad = found.stdout.splitlines()[:3]
    assert titles.split()[:6] == ["SCENARIO", "NODES", "SEEDS", "HELD", "BROKEN", "FAILED"]
    assert good.split()[:6] == ["cold-start", "2", "12", "12", "0", "0"]
    assert "converged after" in good
    assert bad.split()[1:6] == ["2", "12", "0", "12", "0"]
    assert found.stdout.count("p2pnoise simulate run") == 10
    assert "and 2 more; --json names them all" in found.stdout
    assert "result hash" in found.stdout


def test_what_is_there_is_not_run_again(tmp_path):
    words = ("cold-start", "--seeds", 2, "--nodes", 2, "--engine", "serial", "--out", tmp_path / "swept")
    first, second = _sweep(*words), _sweep(*words)
    assert first.stdout == second.stdout
    assert "2 of 2 runs were there already" in second.stderr


def test_a_scenario_of_ones_own_that_has_changed_is_another_sweep(tmp_path, never):
    words = (never, "--seeds", 1, "--engine", "serial", "--out", tmp_path / "swept")
    _sweep(*words)
    never.write_text(NEVER.replace("0.001", "0.002"))
    found = _sweep(*words)
    assert found.exit_code == 8
    assert "begun with other software: not the same scenarios" in found.stderr


def test_all_is_every_scenario_that_ships(monkeypatch):
    seen = []
    monkeypatch.setattr("simulations.sweep.sweep", lambda tasks, **_how: seen.extend(tasks) or sys.exit(0))
    _sweep("--all", "--seeds", 1)
    listed = json.loads(CliRunner().invoke(root, ["simulate", "list", "--json"]).stdout)["scenarios"]
    names = [task.scenario for task in seen]
    assert names == [one["name"] for one in listed]


def test_ctrl_c_says_what_is_done_and_how_to_go_on(tmp_path):
    words = ("simulate", "sweep", "cold-start", "--seeds", "5000", "--nodes", "2", "--workers", "1")
    out = tmp_path / "swept"
    with subprocess.Popen(
        (sys.executable, "-m", "cli", *words, "--out", out), stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        while not ((out / "outcomes.jsonl").exists() and (out / "outcomes.jsonl").stat().st_size):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "of 5,000 runs are done; the same command goes on from there" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name scenarios, or --all"),
        (("cold-start", "--all"), "name scenarios, or --all"),
        (("nothing-of-the-kind",), "there is no scenario nothing-of-the-kind"),
        (("cold-start", "--seeds", "0"), "neither a number of seeds nor a range"),
        (("cold-start", "--seeds", "9-7"), "neither a number of seeds nor a range"),
        (("cold-start", "--seeds", "many"), "neither a number of seeds nor a range"),
        (("cold-start", "--seeds", "9999999"), "neither a number of seeds nor a range"),
        (("cold-start", "--nodes", "0"), "neither smoke nor a number"),
        (("cold-start", "--nodes", "few"), "neither smoke nor a number"),
        (("cold-start", "--engine", "steam"), "--engine"),
        (("cold-start", "--workers", "0"), "--workers"),
        (("cold-start", "--scheduler", "tcp://127.0.0.1:1"), "--scheduler is of Dask alone"),
        (("cold-start", "--set", "nothing=1"), "has no parameter nothing"),
        (("few-publishers", "--fidelity", "bytes"), "does not run at fidelity bytes"),
    ],
)
def test_what_cannot_be_swept_is_a_sentence_and_the_next_step(words, says):
    found = _sweep(*words)
    assert found.exit_code == 2
    sentence, fix = found.stderr.splitlines()
    assert says in sentence
    assert fix.startswith("fix: ")


def test_help_gives_examples():
    assert "p2pnoise simulate sweep --all --seeds 20" in _sweep("--help").output


def test_of_all_scenarios_those_are_swept_that_run_at_a_fidelity_and_the_others_are_named(monkeypatch):
    swept = []

    def sweep(tasks, **_more):
        swept.extend(task.scenario for task in tasks)
        raise KeyboardInterrupt

    monkeypatch.setattr("simulations.sweep.sweep", sweep)
    done = _sweep("--all", "--fidelity", "messages", "--seeds", 1)
    assert "cold-start" in swept
    assert "cloned-key" not in swept
    (line,) = [line for line in done.stderr.splitlines() if "left out" in line]
    assert {*line.partition(": ")[2].split(", ")} == {one.name for one in all_scenarios()} - {*swept}


def test_a_named_scenario_that_does_not_run_at_a_fidelity_is_refused():
    done = _sweep("cold-start", "cloned-key", "--fidelity", "messages")
    assert done.exit_code == 2
    assert "cloned-key does not run at fidelity messages" in done.stderr


def test_a_sweep_whose_runs_may_take_long_says_so(monkeypatch):
    def sweep(*_given, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("simulations.sweep.sweep", sweep)
    done = _sweep("cold-start", "news", "--nodes", 10_000, "--fidelity", "messages")
    assert "each run of cold-start may take 8 min and 2.3 GiB of memory: a guess" in done.stderr
