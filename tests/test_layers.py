"""The import rules of `pyproject.toml` hold, cover every floor, and break when somebody breaks them."""

import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FORBIDDEN = [contract for contract in RULES["contracts"] if contract["type"] == "forbidden"]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder):
    """import-linter on the tree in `folder`; its exit code and what it printed."""
    result = subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)
    return result.returncode, " ".join((result.stdout + result.stderr).split())


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


def test_every_core_is_watched_for_every_forbidden_import(tree):
    everything, world = FORBIDDEN[1:]
    files = [*(tree / "cards").rglob("*.py"), *(tree / "p2pnoise").rglob("*.py")]
    names = {".".join(file.relative_to(tree).with_suffix("").parts): file for file in files}
    others = [line.partition(" -> ")[0] for line in everything["ignore_imports"]]
    cores = {name: everything for name in names if not any(fnmatch(name, other) for other in others)}
    names["simulations.world"], cores["simulations.world"] = tree / "simulations" / "world.py", world
    expected = []
    for core, contract in cores.items():
        with names[core].open("a") as file:
            for name in contract["forbidden_modules"]:
                file.write(f"\nimport {name}\n")
                expected.append(f"- {core.removesuffix('.__init__')} -> {name} (l.")
    code, said = lint(tree)
    assert code == 1
    assert len(expected) > 300
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
