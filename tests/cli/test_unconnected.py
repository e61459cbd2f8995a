"""Why is this peer not connected? One command, in each of the situations that unconnected.py prepares."""

import json

import pytest
from click.testing import CliRunner

from cli.main import root
from tests.cli.daemons import Daemons
from tests.cli.unconnected import SITUATIONS


@pytest.fixture
def daemons(tmp_path):
    with Daemons(tmp_path) as running:
        yield running


@pytest.mark.parametrize("situation", SITUATIONS)
def test_explain_names_the_cause_and_what_would_mend_it(daemons, situation):
    prepared = SITUATIONS[situation](daemons)
    command = ["explain", prepared.peer, "--home", str(prepared.home)]
    said = json.loads(CliRunner().invoke(root, [*command, "--json"]).stdout)
    assert said["cause"] == prepared.cause, said
    assert said["fix"]
    assert said["exit"] != 0
    text = CliRunner().invoke(root, command)
    assert text.exit_code == said["exit"]
    assert text.stdout.startswith(prepared.cause.upper())
    assert f"fix: {said['fix']}" in text.stdout
