"""The import rules of `pyproject.toml` hold, cover every floor, and break when somebody breaks them."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FORBIDDEN = [contract for contract in RULES["contracts"] if contract["type"] == "forbidden"]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
DRIVERS = {"p2pnoise.node.driver"}  # the modules of the node that do I/O
CORES_TO_COME = {"p2pnoise.message", "p2pnoise.envelope"}


def lint(folder):
    """import-linter on the tree in `folder`; its exit code and what it printed."""
    result = subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def file_of(module):
    path = ROOT.joinpath(*module.split("."))
    found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return found.relative_to(ROOT)


@pytest.fixture
def tree(tmp_path):
    for name in RULES["root_packages"]:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept():
    code, said = lint(ROOT)
    assert code == 0, said
    assert f"Contracts: {len(RULES['contracts'])} kept, 0 broken." in said


@pytest.mark.parametrize(
    ("file", "line", "chain"),
    [
        ("p2pnoise/gossip/overlay.py", "import trio", "p2pnoise.gossip.overlay -> trio"),
        ("cards/card.py", "import p2pnoise.noise", "cards.card -> p2pnoise.noise"),
        ("p2pnoise/noise/patterns.py", "from cards import Card", "p2pnoise.noise.patterns -> cards"),
        (
            "p2pnoise/noisesocket/framing.py",
            "import p2pnoise.gossip",
            "p2pnoise.noisesocket.framing -> p2pnoise.gossip",
        ),
        ("p2pnoise/node/core.py", "import simulations.world", "p2pnoise.node.core -> simulations.world"),
        ("simulations/world.py", "import cli.main", "simulations.world -> cli.main"),
    ],
)
def test_an_import_upwards_or_outwards_is_named(tree, file, line, chain):
    (tree / file).write_text(f"{(tree / file).read_text()}\n{line}\n")
    code, said = lint(tree)
    assert code == 1
    assert f"- {chain} (l." in said


def test_every_module_of_a_forbidden_contract_is_watched_for_every_import(tree):
    expected = []
    for contract in FORBIDDEN:
        for source in contract["source_modules"]:
            with (tree / file_of(source)).open("a") as file:
                for name in contract["forbidden_modules"]:
                    file.write(f"import {name}\n")
                    expected.append(f"- {source} -> {name} (l.")
    code, said = lint(tree)
    assert code == 1
    assert [chain for chain in expected if chain not in said] == []


def test_the_simulated_world_may_draw_from_a_seeded_random(tree):
    with (tree / "simulations" / "world.py").open("a") as file:
        file.write("import random\n")
    code, said = lint(tree)
    assert code == 0, said


def test_every_package_has_a_floor():
    floors = {name.strip("() ") for layer in RULES["contracts"][0]["layers"] for name in layer.split("|")}
    packages = {f"p2pnoise.{file.parent.name}" for file in (ROOT / "p2pnoise").glob("*/__init__.py")}
    assert packages - floors == set()


def test_what_does_no_io_is_listed_as_a_core():
    cores = {name for contract in FORBIDDEN for name in contract["source_modules"]}
    node = {f"p2pnoise.node.{file.stem}" for file in (ROOT / "p2pnoise" / "node").glob("[!_]*.py")}
    come = {name for name in CORES_TO_COME if (ROOT / file_of(name)).exists()}
    assert (node - DRIVERS | come) - cores == set()
