"""`p2pnoise simulate`: the same seed gives the same bits, in whatever process."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import root


def _simulate(*options, hash_seed="0"):
    done = subprocess.run(
        [sys.executable, "-m", "cli", "simulate", *map(str, options)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_same_seed_gives_the_same_report_in_processes_that_hash_differently():
    one, two = (_simulate("--nodes", 8, "--seed", 7, "--json", hash_seed=seed) for seed in ("1", "2"))
    assert one.returncode == 0
    assert one.stdout == two.stdout
    assert len(json.loads(one.stdout)["trace_hash"]) >= 32


def test_another_seed_gives_another_trace():
    reports = [json.loads(_simulate("--nodes", 4, "--seed", seed, "--json").stdout) for seed in (1, 2)]
    assert reports[0]["trace_hash"] != reports[1]["trace_hash"]


def test_the_report_for_people_says_what_the_one_for_machines_does():
    text, facts = (_simulate("--nodes", 4, "--seed", 3, *more) for more in ((), ("--json",)))
    facts = json.loads(facts.stdout)
    assert text.returncode == 0
    assert text.stdout.startswith("4 nodes, seed 3\n")
    assert facts["trace_hash"] in text.stdout
    assert f"{facts['deliveries']:,}" in text.stdout


def test_one_node_alone_is_a_network():
    assert _simulate("--nodes", 1, "--json").returncode == 0


def test_a_network_that_has_no_time_to_converge_is_told_so():
    done = _simulate("--nodes", 30, "--limit", 1)
    assert done.returncode == 1
    assert "fix: raise --limit" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--nodes", "0"),
        ("--nodes", "many"),
        ("--nodes", "2001"),
        ("--seed", "-1"),
        ("--limit", "0"),
        ("--limit", "nan"),
        ("--limit", "inf"),
        ("--speed", "1"),
        ("7",),
    ],
)
def test_options_that_are_none_are_usage_errors(options):
    result = CliRunner().invoke(root, ["simulate", *options])
    assert result.exit_code == 2
    assert "fix: " in result.stderr
    assert "Traceback" not in result.output


def test_help_gives_examples():
    text = CliRunner().invoke(root, ["simulate", "--help"]).output
    assert "p2pnoise simulate --nodes 100 --seed 7" in text
