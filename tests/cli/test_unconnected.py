"""Why is this peer not connected? One command, in each of the situations that unconnected.py prepares."""

import json
import subprocess

import pytest

from tests.cli.daemons import COMMAND, Daemons
from tests.cli.unconnected import SITUATIONS


@pytest.fixture
def daemons(tmp_path):
    with Daemons(tmp_path) as running:
        yield running


@pytest.mark.parametrize("situation", SITUATIONS)
def test_explain_names_the_cause_and_what_would_mend_it(daemons, situation):
    prepared = SITUATIONS[situation](daemons)
    command = [*COMMAND, "explain", prepared.peer, "--home", prepared.home]
    said = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=False).stdout)
    assert said["cause"] == prepared.cause, said
    assert said["fix"]
    assert said["exit"] != 0
    text = subprocess.run(command, capture_output=True, text=True, check=False)
    assert text.returncode == said["exit"]
    assert text.stdout.startswith(prepared.cause.upper())
    assert f"fix: {said['fix']}" in text.stdout
