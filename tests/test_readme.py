"""The README is true: every console transcript and every Python example in it is run as it stands.

How is in transcripts.py. `$ISSUER` is the issuer that was made, and `$GAMMA` the Node ID in the folder gamma.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.transcripts import FILE, blocks, play

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CONSOLE, PYTHON = blocks(README, "console"), blocks(README, "python")
WORDS = {"ISSUER": r"^issuer +(issuer1\S+)$", "GAMMA": r"^node +(node1\S+)\nfolder +gamma$"}


def test_the_transcripts_are_what_a_newcomer_sees(tmp_path):
    play(README, tmp_path, WORDS, leave_out=["p2pnoise demo"])  # which is compared where a demo is run


@pytest.mark.parametrize("example", [body for body in PYTHON if not FILE.match(body)])
def test_the_python_examples_run(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_names_only_verbs_that_exist():
    named = set(re.findall(r"p2pnoise ([a-z]+)", " ".join(CONSOLE)))
    from cli.main import VERBS  # noqa: PLC0415 - the one import of ours that this file needs

    assert named <= set(VERBS)
