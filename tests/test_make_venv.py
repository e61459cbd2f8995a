"""What the set-up says where a machine cannot serve: one sentence with the next step, and nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OLD = "case $* in *version_info\\[*) echo 3.9.2;; *) exit 1;; esac"  # says its version, is not new enough
NO_VENV = f"""case $* in *__import__*) echo venv; echo ensurepip;; *) exec "{sys.executable}" "$@";; esac"""
HALF = (
    f"""case $* in *-m\\ venv*) mkdir -p "$3"; touch "$3/pyvenv.cfg"; exit 1;; *) exec "{sys.executable}" "$@";; esac"""
)


def run(python, venv, path=None):
    return subprocess.run(
        ["sh", str(ROOT / "tests" / "make_venv.sh"), str(python), str(venv)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **({"PATH": f"{path}:/usr/bin:/bin"} if path else {})},
    )


@pytest.fixture
def interpreter(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name, script):
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return make


@pytest.fixture
def venv(tmp_path):
    return tmp_path / "venv"


def test_a_python_that_is_not_there_gives_one_sentence(venv):
    result = run("python3.99", venv)
    assert result.returncode == 1
    assert result.stderr == (
        "python3.99 is not to be found, and p2pnoise needs Python 3.11 or newer: "
        "install one and name it, as in `make PYTHON=python3.12 test`\n"
    )
    assert not venv.exists()


def test_a_python_too_old_is_named_with_its_version(interpreter, venv):
    old = interpreter("python3.9", OLD)
    result = run(old, venv)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{old} is Python 3.9.2, and p2pnoise needs Python 3.11 or newer: ")
    assert len(result.stderr.splitlines()) == 1
    assert not venv.exists()


def test_a_newer_python_on_path_is_taken_where_python3_is_too_old(interpreter, venv):
    interpreter("python3", OLD)
    for name in ("python3.13", "python3.11", "python3.14"):
        interpreter(name, "exit 127")
    taken = interpreter("python3.12", NO_VENV)  # goes no further than the choice
    result = run("python3", venv, path=taken.parent)
    first, second = result.stderr.splitlines()
    assert first.startswith("python3 is Python 3.9.2, and p2pnoise needs Python 3.11 or newer: taking python3.12, ")
    assert second.startswith("python3.12 cannot make virtual environments")


def test_a_python_without_ensurepip_names_the_package_to_install(interpreter, venv):
    result = run(interpreter("python3", NO_VENV), venv)
    minor = "{}.{}".format(*sys.version_info)
    assert result.returncode == 1
    assert f"`apt install python{minor}-venv`" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not venv.exists()


def test_a_failed_run_leaves_no_half_environment(interpreter, venv):
    result = run(interpreter("python3", HALF), venv)
    assert result.returncode == 1
    assert "could not make" in result.stderr.splitlines()[-1]
    assert not venv.exists()


def test_an_environment_without_stamp_is_made_anew(interpreter, venv):
    venv.mkdir()
    (venv / "pyvenv.cfg").touch()
    (venv / "leftover").touch()
    run(interpreter("python3", HALF), venv)
    assert not venv.exists()


def test_a_folder_that_is_no_environment_is_left_alone(interpreter, venv):
    venv.mkdir()
    (venv / "thesis.tex").touch()
    result = run(interpreter("python3", HALF), venv)
    assert result.returncode == 1
    assert result.stderr == f"{venv} is there and is no virtual environment: move it away first\n"
    assert (venv / "thesis.tex").exists()
