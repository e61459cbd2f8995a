"""Rules of the house that no linter holds: every module says what it is about, and no file names anybody's machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"cards", "cli", "p2pnoise", "simulations", "tests"}
FILES = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml"}
HIDDEN = {".ci", ".gitignore", ".pre-commit-config.yaml"}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home|Users)(?![\w-])")
SHORTEST_SUBJECT = 4  # words


def files():
    for top in (ROOT / name for name in sorted(FOLDERS | FILES | HIDDEN)):
        inside = top.rglob("*") if top.is_dir() else [top]
        yield from (path for path in inside if path.is_file() and "__pycache__" not in path.parts)


def test_the_top_level_is_the_house_and_its_papers():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.partition("/")[0] for line in listed.splitlines()}
    assert {name for name in top if not name.startswith(".")} - FOLDERS - FILES == set()


def test_every_module_opens_with_its_subject():
    mute = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix == ".py"
        and len((ast.get_docstring(ast.parse(path.read_text())) or "").split()) < SHORTEST_SUBJECT
    ]
    assert mute == []


def test_no_file_names_a_path_of_somebodys_machine():
    named = [
        f"{path.relative_to(ROOT)}:{number}: {found[0]}"
        for path in files()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if (found := MACHINE_PATH.search(line))
    ]
    assert named == []
