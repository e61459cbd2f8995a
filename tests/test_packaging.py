"""What is built is what is installed: four names of one distribution, their data, no tests, a command that works.

The installed environment holds the wheel, the run-time dependencies and nothing else, as with pipx.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NAMES = {"p2pnoise", "cards", "cli", "simulations"}


def run(*command, cwd, env=None, code=0):
    result = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def build(kind, source, folder):
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def content(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_four_folders_whole_and_nothing_else(wheel):
    here = {
        path.relative_to(ROOT).as_posix()
        for name in NAMES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert content(wheel) == here
    assert {f"{name}/py.typed" for name in NAMES} <= here


def test_a_wheel_of_the_source_distribution_is_the_same(wheel, sdist, tmp_path):
    run(sys.executable, "-m", "tarfile", "-e", sdist, tmp_path / "source", cwd=tmp_path)
    (source,) = (tmp_path / "source").iterdir()
    assert content(build("wheel", source, tmp_path / "wheel")) == content(wheel)


def test_the_source_distribution_can_set_itself_up_and_run_its_tests(sdist):
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    }
    assert needed | {"tests/make_venv.sh", "tests/every_python.sh", "tests/test_packaging.py"} <= inside


def copy_dependencies(site_packages):
    """Every distribution that p2pnoise asks for, and what those ask for, from this environment: no index is needed."""
    here, waiting, done = Path(sysconfig.get_path("purelib")), [*PROJECT["dependencies"]], set()
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.name in done or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        done.add(wanted.name)
        found = distribution(wanted.name)
        waiting += found.requires or []
        for file in found.files:
            if ".." not in file.parts:  # scripts
                target = site_packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(here / file, target)


class Installed:
    """An environment with p2pnoise in it, a folder to work in and a home of its own."""

    def __init__(self, folder):
        self.bin = folder / "venv" / "bin"
        self.folder = folder / "desk"
        self.folder.mkdir()
        self.env = {"PATH": os.defpath, "HOME": str(self.folder)}

    def __call__(self, program, *arguments, code=0):
        return run(self.bin / program, *arguments, cwd=self.folder, env=self.env, code=code)

    def json(self, *arguments):
        return json.loads(self("p2pnoise", *arguments, "--json"))


@pytest.fixture(scope="module", params=["copied", pytest.param("fetched", marks=pytest.mark.long)])
def installed(request, wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    environment = Installed(folder)
    pip = [sys.executable, "-m", "pip", "--python", environment.bin / "python"]
    options = ["--constraint", ROOT / "constraints.txt"]
    if request.param == "copied":
        purelib = environment("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        copy_dependencies(Path(purelib.strip()))
        options = ["--no-index"]
    run(*pip, "install", "--quiet", *options, wheel, cwd=folder, env={**os.environ, "PIP_USER": "0"})
    run(*pip, "check", cwd=folder)
    return environment


def test_each_of_the_four_names_belongs_to_one_distribution(installed):
    ask = "import importlib.metadata, json; print(json.dumps(importlib.metadata.packages_distributions()))"
    owners = json.loads(installed("python", "-c", ask))
    assert {name: owners[name] for name in NAMES} == {name: ["p2pnoise"] for name in NAMES}
    assert [name for name, owner in owners.items() if "p2pnoise" in owner and name not in NAMES] == []


def test_every_installed_module_imports_and_lacks_extras_at_most(installed):
    ask = f"""
import importlib, pkgutil
for name in {sorted(NAMES)}:
    package = importlib.import_module(name)
    assert package.__file__.startswith({str(installed.bin.parent)!r}), package.__file__
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        try:
            module.name.endswith("__main__") or importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(error.name)
"""
    extras = {Requirement(text).name.replace("-", "_") for texts in EXTRAS.values() for text in texts}
    beside = {"libp2p", "dask"}  # of a module that the interpreter of `bench node --beside` runs; of distributed
    assert {name.partition(".")[0] for name in installed("python", "-c", ask).split()} <= extras | beside


@pytest.mark.parametrize("command", [["p2pnoise"], ["python", "-m", "cli"]])
def test_the_command_and_the_module_say_the_version_of_the_wheel(installed, wheel, command):
    version = wheel.name.split("-")[1]
    assert installed(*command, "--version") == f"p2pnoise {version}\n"


def test_a_card_goes_from_request_to_verified_on_an_installed_copy(installed):
    issuer = installed.json("issuer", "new", "ops", "--network", "example-net")["issuer"]
    node = installed.json("id", "new")["node_id"]
    installed("p2pnoise", "card", "request", "--name", "db-03", "--network", "example-net", "-o", "db-03.request")
    installed("p2pnoise", "card", "issue", "db-03.request", "-o", "db-03.card")
    installed("p2pnoise", "card", "install", "db-03.card", "--issuer", f"ops={issuer}")

    verdict = installed.json("card", "verify", "db-03.card")
    assert verdict["ok"]
    assert node in json.dumps(verdict)
    assert installed("python", "-m", "cli", "card", "verify", "db-03.card").startswith("OK  db-03")

    other = installed.json("issuer", "new", "strangers", "--network", "example-net", "--issuer-home", "strangers")
    untrusted = installed("p2pnoise", "card", "verify", "db-03.card", "--issuer", other["issuer"], code=5)
    assert untrusted.startswith("NOT TRUSTED  db-03")
