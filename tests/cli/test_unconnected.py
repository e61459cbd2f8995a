"""Why is this peer not connected? One command finds the cause in each of the situations that were prepared for it."""

import json
import subprocess

import pytest

from tests.cli.daemons import COMMAND, PATIENCE, Daemons
from tests.cli.unconnected import SITUATIONS


@pytest.mark.parametrize("name", SITUATIONS)
def test_one_command_finds_the_cause(tmp_path, name):
    with Daemons(tmp_path) as daemons:
        situation = SITUATIONS[name](daemons)
        asked = subprocess.run(
            [*COMMAND, "explain", situation.peer, "--home", situation.home, "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        said = json.loads(asked.stdout)
        assert (said["cause"], asked.returncode) == (situation.cause, said["exit"])
        assert said["fix"]
