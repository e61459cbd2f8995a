"""`p2pnoise simulate`: the questions, one run of one, and what is refused."""

import json
import os
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import root
from cli.simulate.options import as_command
from simulations import ScenarioError
from tests.patience import PATIENCE

MINE = """
question = "Does a network of eight survive the loss of two?"
nodes = 8
seconds = 60

[[faults]]
kind = "crash"
at = 5
share = 0.25

[[expects]]
kind = "converged"
within = 40
"""


def _simulate(*options, hash_seed="0"):
    done = subprocess.run(
        [sys.executable, "-m", "cli", "simulate", *map(str, options)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_same_seed_gives_the_same_outcome_in_processes_that_hash_differently():
    run = ("run", "cold-start", "--nodes", 8, "--seed", 7, "--json")
    one, two = (_simulate(*run, hash_seed=seed) for seed in ("1", "2"))
    assert one.returncode == 0
    assert one.stdout == two.stdout
    assert len(json.loads(one.stdout)["trace_hash"]) >= 32


def test_another_seed_gives_another_trace():
    runs = [_simulate("run", "cold-start", "--nodes", 4, "--seed", seed, "--json") for seed in (1, 2)]
    one, other = (json.loads(run.stdout)["trace_hash"] for run in runs)
    assert one != other


def test_the_answer_for_people_says_what_the_one_for_machines_does():
    run = ("run", "cold-start", "--nodes", 4, "--seed", 3)
    text, facts = (_simulate(*run, *more) for more in ((), ("--json",)))
    facts = json.loads(facts.stdout)
    assert text.returncode == 0
    assert text.stdout.startswith("cold-start: 4 nodes, seed 3, bytes, ")
    assert facts["trace_hash"] in text.stdout
    assert f"{facts['metrics']['deliveries']:,}" in text.stdout


def test_what_was_not_simulated_is_said_before_any_figure():
    run = CliRunner().invoke(root, ["simulate", "run", "cold-start", "--nodes", "8", "--fidelity", "messages"])
    head = run.stdout[: run.stdout.index("S1 ")]
    assert "BY REFERENCE: " in head
    assert "LINKS DRAWN: whom each node knows when it begins is a ring and random pairs, 8 a node." in head
    bytes_head = CliRunner().invoke(root, ["simulate", "run", "cold-start", "--nodes", "4"]).stdout.splitlines()[:2]
    assert bytes_head[1].strip().startswith("S1 ")


def test_a_scenario_in_a_file_of_ones_own_runs_like_those_that_ship(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    done = _simulate("run", file, "--json", "--out", tmp_path / "outcome.json")
    assert done.returncode == 0
    outcome = json.loads(done.stdout)
    assert outcome["question"] == "Does a network of eight survive the loss of two?"
    assert outcome["schedule"][0]["kind"] == "crash"
    assert len(outcome["schedule"][0]["nodes"]) == 2
    assert json.loads((tmp_path / "outcome.json").read_text()) == outcome


def test_what_does_not_hold_is_said_and_counts(tmp_path):
    file = tmp_path / "never.toml"
    fault = MINE[MINE.index("[[faults]]") : MINE.index("[[expects]]")]
    file.write_text(MINE.replace(fault, "").replace("within = 40", "within = 0.001"))
    done = _simulate("run", file)
    assert done.returncode == 1
    assert "BROKEN at" in done.stdout
    assert f"p2pnoise simulate replay --until SECONDS {file} --nodes 8 --seed 1" in done.stderr


def test_what_the_run_was_too_short_for_is_not_called_broken(tmp_path):
    file = tmp_path / "short.toml"
    fault = MINE[MINE.index("[[faults]]") : MINE.index("[[expects]]")]
    file.write_text(MINE.replace(fault, "start = 0.1\n").replace("seconds = 60", "seconds = 0.2"))
    result = CliRunner().invoke(root, ["simulate", "run", str(file)])
    assert result.exit_code == 1
    assert "NOT DECIDED: the run was over at 0.2 s, before anybody could say" in result.stdout
    assert "BROKEN" not in result.stdout
    assert "checks are not decided" in result.stderr
    assert "do not hold" not in result.stderr


def test_a_program_reads_one_answer_also_of_what_does_not_hold():
    done = _simulate("run", "cold-start", "--nodes", 4, "--set", "within=0.001", "--set", "per_doubling=0", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False
    assert done.stderr == ""


def test_the_command_that_repeats_a_run_can_be_given_to_a_shell():
    told = as_command("my own.py", nodes=3, seed=1, fidelity="bytes", parameters={"what": "a; b", "loud": True})
    assert shlex.split(told)[3] == "my own.py"
    assert shlex.split(told)[-4:] == ["--set", "what=a; b", "--set", "loud=true"]


def test_a_file_that_imports_run_is_run_as_all_are(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text('''"""Do four nodes find each other?"""

from simulations import Converged, Scenario, run


def scenario() -> Scenario:
    return Scenario(nodes=4, expects=[Converged(within=30)])
''')
    done = _simulate("run", file, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["question"] == "Do four nodes find each other?"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("question = ]", "line 1"),
        ("nodes = 3", "question"),
        (MINE.replace("crash", "flood"), "flood"),
        (MINE.replace("at = 5", 'at = "soon"'), "soon"),
        (MINE.replace("at = 5", "at = nan"), "nan"),
        (MINE.replace("at = 5", ""), "at is missing"),
        (MINE.replace("share = 0.25", "share = 7"), "share"),
        (MINE.replace("share = 0.25", "speed = 7"), "speed"),
        (MINE.replace("nodes = 8", "nodes = true"), "nodes"),
        (MINE.replace("nodes = 8", "knots = 8"), "knots"),
        (MINE.replace('kind = "converged"', 'kind = "wise"'), "wise"),
        (MINE.replace("within = 40", "within = 40\nslowly = true"), "slowly"),
        (MINE.partition("[[expects]]")[0], "expects"),
        ("#" * 100_000, "bytes"),
    ],
)
def test_a_file_that_says_nonsense_is_named_with_what_is_wrong(tmp_path, text, word):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    done = CliRunner().invoke(root, ["simulate", "run", str(file)])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert str(file) in done.stderr
    assert word in done.stderr
    assert "fix: " in done.stderr


def test_a_python_file_that_fails_is_named(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text('"""Why?"""\nimport nothing_of_this_name\n')
    done = _simulate("run", file)
    assert done.returncode == 2
    assert "nothing_of_this_name" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("nothing-of-the-kind",),
        ("./missing.toml",),
        ("./missing.py",),
        ("cold-start", "--nodes", "0"),
        ("cold-start", "--nodes", "many"),
        ("cold-start", "--nodes", "200001"),
        ("cold-start", "--seed", "-1"),
        ("cold-start", "--speed", "1"),
        ("cold-start", "--fidelity", "dreams"),
        ("cold-start", "--set", "nothing"),
        ("cold-start", "--set", "nothing=1"),
        ("partition", "--set", "seconds=long"),
        (),
    ],
)
def test_options_that_are_none_are_usage_errors(options):
    result = CliRunner().invoke(root, ["simulate", "run", *options])
    assert result.exit_code == 2
    assert "fix: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "options",
    [
        ("partition", "--nodes", "1"),
        ("one-way-partition", "--nodes", "1"),
        ("cloned-key", "--nodes", "2"),
        ("flapping-partition", "--set", "period=0"),
        ("expiry", "--set", "lifetime=0"),
        ("partition", "--set", "seconds=-5"),
        ("partition", "--set", "seconds=1e30"),
        ("duplicate-connections", "--set", "resets=1000000000"),
        ("random-faults", "--set", "faults=1000000000"),
        ("loss", "--set", "share=7"),
        ("replay", "--nodes", "4", "--set", "replayers=-1"),
        ("replay", "--nodes", "4", "--set", "replayers=4"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "replay"])
def test_numbers_with_which_there_is_no_such_world_are_usage_errors(verb, options):
    result = CliRunner().invoke(root, ["simulate", verb, *options])
    assert result.exit_code == 2
    assert f"{options[0]} cannot be asked" in result.stderr
    assert "fix: " in result.stderr


def test_a_saved_run_whose_faults_name_nodes_that_there_are_not_is_refused(tmp_path):
    file = tmp_path / "run.json"
    run = ["simulate", "run", "partition", "--nodes", "4", "--out", str(file)]
    assert CliRunner().invoke(root, run).exit_code == 0
    saved = json.loads(file.read_text())
    saved["schedule"].append({"kind": "crash", "at": 1, "nodes": [9]})
    file.write_text(json.dumps(saved))
    result = CliRunner().invoke(root, ["simulate", "replay", str(file)])
    assert result.exit_code == 2
    assert "there is no node 9: there are 4" in result.stderr


@pytest.mark.parametrize(("scenario", "way"), [("cold-start", "--fidelity messages"), ("cloned-key", "choose fewer")])
def test_more_nodes_than_fit_in_bytes_are_refused_before_any_is_made(scenario, way):
    result = CliRunner().invoke(root, ["simulate", "run", scenario, "--nodes", "5001"])
    assert result.exit_code == 2
    assert "at most 5,000" in result.stderr
    assert way in result.stderr


def test_a_run_that_may_take_long_says_so_before_it_begins(monkeypatch):
    def run(*_given, **_more):
        raise ScenarioError("stopped", "go on")

    monkeypatch.setattr("simulations.run", run)
    large = ("run", "cold-start", "--nodes", "100000", "--fidelity", "messages")
    result = CliRunner().invoke(root, ["simulate", *large])
    assert result.stderr.startswith("this run may take 10 h and 147 GiB of memory: a guess")
    assert result.stderr.index("a guess") < result.stderr.index("stopped")
    small = CliRunner().invoke(root, ["simulate", "run", "cold-start", "--nodes", "200"])
    assert "a guess" not in small.stderr


def test_the_list_names_every_scenario_with_its_question():
    listed = json.loads(CliRunner().invoke(root, ["simulate", "list", "--json"]).stdout)["scenarios"]
    text = CliRunner().invoke(root, ["simulate", "list"]).stdout
    assert listed
    for one in listed:
        assert one["name"] in text
        assert one["question"].endswith("?")
        shown = CliRunner().invoke(root, ["simulate", "show", one["name"]])
        assert shown.exit_code == 0
        assert one["question"] in shown.stdout


def test_help_gives_examples():
    text = CliRunner().invoke(root, ["simulate", "--help"]).output
    assert "p2pnoise simulate run cold-start --nodes 100 --seed 7" in text
