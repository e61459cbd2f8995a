"""`p2pnoise simulate replay`, `shrink` and `mutants`: what was run once is looked into, made small, and tested."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import root

BROKEN = """
question = "Is a list everywhere within a twentieth of a second?"
nodes = 6
seconds = 20

[[faults]]
kind = "reset"
at = 3
nodes = [1]

[[faults]]
kind = "revoke"
at = 6
nodes = [4]

[[expects]]
kind = "cut"
within = 0.001
"""


def simulate(*words):
    result = CliRunner().invoke(root, ["simulate", *map(str, words)])
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run that went well, and one that did not."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "broken.toml").write_text(BROKEN)
    assert simulate("run", "revocation", "--nodes", 6, "--seed", 3, "--out", folder / "run.json").exit_code == 0
    assert simulate("run", folder / "broken.toml", "--out", folder / "broken.json").exit_code == 1
    return folder


def test_a_run_is_held_at_a_moment_and_shows_every_node(kept):
    held = json.loads(simulate("replay", kept / "run.json", "--until", "12.345s", "--json").stdout)
    assert held["at"] == 12.345
    assert [node["known"] for node in held["nodes"]] == [6] * 6


@pytest.mark.parametrize(("name", "value"), [("nodes", "x"), ("seed", "a"), ("seed", None)])
@pytest.mark.parametrize("verb", ["replay", "shrink"])
def test_a_saved_run_that_was_damaged_is_refused(kept, tmp_path, verb, name, value):
    told = json.loads((kept / "broken.json").read_text())
    (tmp_path / "damaged.json").write_text(json.dumps(told | {name: value}))
    done = simulate(verb, tmp_path / "damaged.json")
    assert "no outcome of a simulation" in done.stderr
    assert f"its {name} is not what belongs there" in done.stderr
    assert "fix: " in done.stderr


def test_the_faults_of_a_scenario_are_shown(kept):
    shown = simulate("show", kept / "broken.toml")
    assert "faults at seed 1  3 s: reset of nodes 1 chance=1\n" in shown.stdout
    assert "6 s: revoke of nodes 4 by=0\n" in shown.stdout
    told = json.loads(simulate("show", kept / "broken.toml", "--json").stdout)
    assert [fault["kind"] for fault in told["faults_of_seed_1"]] == ["reset", "revoke"]


def test_a_node_shows_its_links_its_peers_and_what_it_asks(kept):
    inside = json.loads(simulate("replay", kept / "run.json", "--until", "12", "--node", 2, "--json").stdout)
    assert {link["stage"] for link in inside["links"]} == {"up"}
    assert len(inside["peers"]) == 6
    assert {"asked", "to_ask", "unsent"} <= set(inside["links"][0])
    text = simulate("replay", kept / "run.json", "--until", "12", "--node", 2).stdout
    assert text.startswith("node 2 at 12 s")
    assert "PEER" in text


def test_a_replay_by_name_and_seed_shows_the_same(kept):
    by_name = simulate("replay", "revocation", "--nodes", 6, "--seed", 3, "--until", "12", "--json")
    assert by_name.stdout == simulate("replay", kept / "run.json", "--until", "12", "--json").stdout


def test_a_replay_to_the_end_comes_out_the_same(kept):
    assert simulate("replay", kept / "run.json").exit_code == 0


@pytest.mark.parametrize("fidelity", ["bytes", "virtual", "messages"])
def test_a_run_is_replayed_to_its_end_at_each_fidelity(tmp_path, fidelity):
    file = tmp_path / "run.json"
    run = ("run", "cold-start", "--nodes", 8, "--set", "within=20", "--fidelity", fidelity)
    assert simulate(*run, "--out", file).exit_code == 0
    assert json.loads(file.read_text())["parameters"] == {"within": 20}
    assert simulate("replay", file).exit_code == 0


@pytest.mark.parametrize(
    "run",
    [("spread", "--nodes", 30, "--set", "things=1"), ("verification-cache", "--nodes", 6), ("flooder", "--nodes", 6)],
)
def test_what_is_run_in_a_way_of_its_own_is_replayed_to_the_same_outcome(tmp_path, run):
    file = tmp_path / "run.json"
    assert simulate("run", *run, "--out", file).exit_code == 0
    assert simulate("replay", file).exit_code == 0
    held = json.loads(simulate("replay", file, "--until", "1", "--node", 1, "--json").stdout)
    assert (held["at"], held["node"]) == (1, 1)


def test_a_run_at_fidelity_messages_that_went_wrong_is_made_small(tmp_path):
    file = tmp_path / "broken.json"
    run = (
        "run",
        "cold-start",
        "--nodes",
        8,
        "--set",
        "within=0.001",
        "--set",
        "per_doubling=0",
        "--fidelity",
        "messages",
    )
    assert simulate(*run, "--out", file).exit_code == 1
    small = tmp_path / "small.json"
    assert simulate("shrink", file, "--most", 3, "--out", small).exit_code == 0
    assert json.loads(small.read_text())["ok"] is False
    assert simulate("replay", small).exit_code == 0  # it comes out the same


@pytest.mark.parametrize(
    "words", [("--seed", 3), ("--nodes", 6), ("--fidelity", "bytes"), ("--set", "within=3"), ("--seed", 1)]
)
def test_what_a_saved_run_says_is_not_said_again(kept, words):
    done = simulate("replay", kept / "run.json", *words)
    assert done.exit_code == 2
    assert words[0] in done.stderr
    assert "fix: " in done.stderr


def test_a_replay_that_comes_out_otherwise_says_so(kept):
    outcome = json.loads((kept / "run.json").read_text())
    outcome["trace_hash"] = "0" * 32
    (kept / "other.json").write_text(json.dumps(outcome))
    done = simulate("replay", kept / "other.json")
    assert done.exit_code == 1
    assert "did not come out the same" in done.stderr


def test_a_replay_with_the_same_trace_and_other_checks_says_so(kept):
    outcome = json.loads((kept / "run.json").read_text())
    outcome["checks"][0]["name"] = "S0 peace"
    (kept / "other.json").write_text(json.dumps(outcome))
    done = simulate("replay", kept / "other.json")
    assert done.exit_code == 1
    assert "did not come out the same: the trace is, but not its checks" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("missing.json",),
        ("run.json", "--until", "soon"),
        ("run.json", "--until", "-1"),
        ("run.json", "--until", "nan"),
        ("run.json", "--node", "6"),
        ("broken.toml", "--node", "many"),
        ("nonsense.json",),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_next_step(kept, words):
    (kept / "nonsense.json").write_text('{"ok": true}')
    done = simulate("replay", kept / words[0], *words[1:])
    assert done.exit_code in (1, 2)
    assert "fix: " in done.stderr


def test_what_is_worse_than_without_adversaries_is_made_small(tmp_path):
    (tmp_path / "worse.py").write_text(
        '"""Is a flooder no cost at all?"""\n\nfrom simulations import Converged, NoWorse, Scenario\n\n\n'
        "def scenario():\n    return Scenario(\n        nodes=5,\n        seconds=20,\n"
        '        adversaries={"flooder": 1},\n        expects=[Converged(within=20)],\n'
        '        compares=[NoWorse(metric="bytes_per_node_median", factor=0.1)],\n    )\n'
    )
    assert simulate("run", tmp_path / "worse.py", "--out", tmp_path / "worse.json").exit_code == 1
    done = simulate("shrink", tmp_path / "worse.json", "--most", 8, "--json")
    assert done.exit_code == 0
    small = json.loads(done.stdout)
    assert small["check"] == "bytes_per_node_median at most 0.1 times that without adversaries"
    assert small["nodes"] < 5


def test_what_broke_is_made_small_and_becomes_a_test(kept):
    done = simulate("shrink", kept / "broken.json", "--most", 40, "--test", kept / "test_small.py", "--json")
    assert done.exit_code == 0
    small = json.loads(done.stdout)
    assert [fault["kind"] for fault in small["schedule"]] == ["revoke"]
    assert small["nodes"] <= 6
    names = {"__file__": str(kept / "test_small.py")}
    exec((kept / "test_small.py").read_text(), names)
    (test,) = (one for name, one in names.items() if name.startswith("test_"))
    with pytest.raises(AssertionError):
        test()


def test_what_was_kept_finds_the_scenario_beside_it_from_anywhere(kept, monkeypatch):
    monkeypatch.chdir(kept)
    for file in ("apart.json", "small.json", "test_apart.py"):
        Path(file).unlink(missing_ok=True)
    assert simulate("run", "broken.toml", "--out", "apart.json").exit_code == 1
    small = ("--most", 1, "--out", "small.json", "--test", "test_apart.py")
    assert simulate("shrink", "apart.json", *small).exit_code == 0
    monkeypatch.chdir("/")
    for file in ("apart.json", "small.json"):
        assert simulate("replay", kept / file, "--until", "1").exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(kept / "test_apart.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "assert [Check(" in done.stdout
    assert done.returncode == 1


def test_a_replay_says_what_it_did_not_look_at(kept):
    assert "was not looked at" in simulate("replay", kept / "run.json", "--until", "1").stderr
    assert "it was over at" in simulate("replay", kept / "run.json", "--until", "9999").stderr


def test_no_regression_test_is_written_over_a_file_unless_asked(kept):
    (kept / "test_mine.py").write_text("mine")
    shrunk = ("shrink", kept / "broken.json", "--most", 1, "--test")
    done = simulate(*shrunk, kept / "test_mine.py")
    assert done.exit_code != 0
    assert "--force" in done.stderr
    assert (kept / "test_mine.py").read_text() == "mine"
    assert simulate(*shrunk, kept / "test_mine.py", "--force").exit_code == 0
    assert "SCHEDULE" in (kept / "test_mine.py").read_text()


def test_the_folder_of_a_regression_test_is_looked_for_before_any_run(kept, monkeypatch):
    monkeypatch.setattr("simulations.shrinking.run", lambda *_given, **_more: pytest.fail("it ran"))
    done = simulate("shrink", kept / "broken.json", "--test", kept / "nowhere" / "test_small.py")
    assert done.exit_code != 0
    assert "is no folder" in done.stderr


@pytest.mark.parametrize("words", [("run.json",), ("broken.json", "--check", "peace"), ("missing.json",)])
def test_what_did_not_break_is_not_made_small(kept, words):
    done = simulate("shrink", kept / words[0], *words[1:])
    assert done.exit_code in (1, 2)
    assert "fix: " in done.stderr


def test_what_nobody_could_say_is_not_made_small(kept, tmp_path):
    """It would end as a run that is over at once."""
    outcome = json.loads((kept / "broken.json").read_text())
    for check in outcome["checks"]:
        check["decided"] = False
    (tmp_path / "short.json").write_text(json.dumps(outcome))
    done = simulate("shrink", tmp_path / "short.json")
    assert done.exit_code == 2
    assert "over before anybody could say" in done.stderr


def test_a_node_that_is_down_shows_what_its_database_holds(tmp_path):
    file = tmp_path / "down.toml"
    file.write_text(BROKEN.replace('kind = "reset"\nat = 3', 'kind = "crash"\nat = 10'))
    held = ("replay", file, "--until", "15", "--node")
    down = json.loads(simulate(*held, 1, "--json").stdout)
    assert not down["online"]
    up = json.loads(simulate(*held, 2, "--json").stdout)
    assert {one["peer"] for one in down["database"]} == {0, 1, 2, 3, 4, 5}
    assert "database" not in up
    assert "database:" in simulate(*held, 1).stdout


@pytest.mark.parametrize("verb", ["replay", "shrink"])
def test_of_a_model_the_command_is_named_that_draws_it_again(tmp_path, verb):
    drawn = ("model", "--nodes", 500, "--seed", 4, "--loss", 0.2, "--graph", "neighbours", "--period", 2, "--rounds", 5)
    simulate(*drawn, "--out", tmp_path / "model.json")
    done = simulate(verb, tmp_path / "model.json")
    assert done.exit_code == 2
    assert "in which no node ran" in done.stderr
    again = shlex.split(done.stderr[done.stderr.index("p2pnoise simulate model") :])
    simulate(*again[2:], "--rounds", 5, "--out", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.json").read_bytes()


@pytest.mark.parametrize("name", ["mine.py", "mine.toml", "mine"])
@pytest.mark.parametrize("verb", ["run", "replay", "show", "sweep"])
def test_a_folder_is_called_one(tmp_path, name, verb):
    (tmp_path / name).mkdir()
    done = simulate(verb, tmp_path / name)
    assert done.exit_code == 2
    assert f"{tmp_path / name} is a folder" in done.stderr


def test_a_mutant_is_named_with_the_seed_and_the_check_that_caught_it():
    done = simulate("mutants", "keep-sessions", "--seeds", 3, "--json")
    assert done.exit_code == 0
    (line,) = json.loads(done.stdout)["mutants"]
    assert (line["scenario"], line["seed"], line["healthy_without"]) == ("revocation", 1, True)


def test_a_mutant_that_got_away_is_one_answer_all_the_same(monkeypatch):
    monkeypatch.setattr("simulations.mutations.keep_sessions.__code__", (lambda _patch: None).__code__)
    done = simulate("mutants", "keep-sessions", "--seeds", 1, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["ok"] is False


def test_a_mutant_that_there_is_not_is_a_usage_error():
    done = simulate("mutants", "fly")
    assert done.exit_code == 2
    assert "keep-sessions" in done.stderr
    assert done.stderr.count("forget-numbers") == 1  # although it is tried in two scenarios
