"""What `make bench-peers` says where py-libp2p cannot be installed: why, in a sentence, and the next step."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def make(tmp_path):
    """Run the script with an interpreter whose pip says this and ends so."""

    def run(said, code):
        pip = tmp_path / "pip"
        pip.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n")
        pip.chmod(0o755)
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nmkdir -p "$3/bin" && cp "{pip}" "$3/bin/python"\n')
        python.chmod(0o755)
        return subprocess.run(
            ["sh", str(ROOT / "tests" / "make_peers.sh"), str(python), str(tmp_path / "peers")],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ,
        )

    return run


@pytest.mark.parametrize(
    ("said", "says", "step"),
    [
        ("src/curve.h:4:10: fatal error: gmp.h: No such file or directory", "found no gmp.h", "libgmp-dev"),
        ("fatal error: Python.h: No such file or directory", "found no Python.h", "python3-dev"),
        ("error: command 'gcc' failed: No such file or directory", "found no C compiler", "apt install gcc"),
        ("error: [Errno 2] No such file or directory: '/usr/bin/cc'", "found no C compiler", "apt install gcc"),
        (
            "ERROR: No matching distribution found for coincurve==21.0.0",
            "has no coincurve==21.0.0",
            "PEERS_PYTHON=python3.12 bench-peers",
        ),
        ("ERROR: Could not install packages: disk full", "Could not install packages: disk full", "bench node"),
    ],
)
def test_what_hinders_is_a_sentence_with_the_next_step(make, tmp_path, said, says, step):
    done = make(said, 1)
    assert done.returncode == 1
    assert done.stdout == ""
    _, sentence = done.stderr.splitlines()
    assert sentence.startswith("py-libp2p was not installed: ")
    assert says in sentence
    assert step in sentence
    assert not (tmp_path / "peers").exists()
    assert said in (tmp_path / "peers.log").read_text()


def test_what_succeeds_leaves_no_log(make, tmp_path):
    assert make("Successfully installed", 0).returncode == 0
    assert (tmp_path / "peers" / "bin" / "python").exists()
    assert not (tmp_path / "peers.log").exists()


def test_every_version_is_pinned_that_the_bench_runs_beside():
    lines = [line for line in (ROOT / "tests" / "peers.txt").read_text().splitlines() if not line.startswith("#")]
    assert all("==" in line for line in lines)
    assert [line for line in lines if line.startswith("libp2p==")]
