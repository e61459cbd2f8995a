"""cli/CEREMONY.md, line by line: keys on a machine without a network, files carried by hand, no secret on the way."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

TEXT = (Path(__file__).parents[2] / "cli" / "CEREMONY.md").read_text()
COMMAND = re.compile(r"^(safe|node)\$ (.+)\n((?:(?!safe\$|node\$).*\n)*)", re.MULTILINE)
STEPS = [step for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL) for step in COMMAND.findall(block)]


class Ceremony:
    """Two machines with nothing in common but a stick, and the public keys that a person copies between them."""

    def __init__(self, path):
        self.path = path
        self.copied = {}
        (path / "stick").mkdir()
        for name in ("safe", "node"):
            (path / name).mkdir()
            (path / name / "stick").symlink_to(path / "stick")

    def run(self, machine, words):
        folder = self.path / machine
        passphrase = {"P2PNOISE_PASSPHRASE": "correct horse"} if machine == "safe" else {}  # in place of the prompt
        done = subprocess.run(
            ["sh", "-c", re.sub("^p2pnoise", f'exec "{sys.executable}" -m cli', words)],
            cwd=folder,
            env={**os.environ, **self.copied, **passphrase, "XDG_DATA_HOME": str(folder / "data"), "HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        for name, key in re.findall(r"^(issuer|identity) +((?:issuer|id)1\S+)$", done.stdout, re.MULTILINE):
            self.copied.setdefault(name.upper(), key)
        return done


@pytest.fixture(scope="module")
def ceremony(tmp_path_factory):
    return Ceremony(tmp_path_factory.mktemp("ceremony"))


@pytest.fixture(scope="module")
def played(ceremony):
    """Every step as it went."""
    return [(words, expected, ceremony.run(machine, words)) for machine, words, expected in STEPS]


def pattern(expected):
    """`…` stands for anything within a line, and alone on a line for any lines; columns are as wide as they must be."""
    lines = []
    for line in expected.strip().splitlines():
        words = [re.escape(word).replace("…", "[^\n]*?") for word in line.split()]
        lines.append(r"(?:[^\n]*\n)*?" if line == "…" else " *" + " +".join(words) + " *\n")
    return re.compile("".join(lines))


def test_every_command_answers_as_it_is_written(played):
    assert len(played) > 15
    for words, expected, done in played:
        assert done.returncode == (7 if "NOT TRUSTED" in expected else 0), (words, done.stderr)
        assert pattern(expected).fullmatch(done.stdout), f"{words}\n-- expected\n{expected}\n-- printed\n{done.stdout}"


def test_no_secret_key_leaves_the_machine_that_made_it(played, ceremony):
    names = {machine: {path.name for path in (ceremony.path / machine).rglob("*.key*")} for machine in ("safe", "node")}
    assert names == {"safe": {"issuer.key", "identity.key", "identity.key.next"}, "node": {"node.key"}}
    assert not [path for path in (ceremony.path / "stick").iterdir() if b"PRIVATE KEY" in path.read_bytes()]


def test_the_keys_on_the_offline_machine_are_locked(played, ceremony):
    keys = list((ceremony.path / "safe").rglob("*.key*"))
    assert all(path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") for path in keys)


@pytest.mark.parametrize(("name", "code"), [("identity-end.pem", 7), ("issuer-end.pem", 5)])
def test_the_ends_that_were_signed_in_advance_do_their_work(played, ceremony, name, code):
    (ceremony.path / "stick" / name).write_bytes((ceremony.path / "safe" / name).read_bytes())
    judged = "p2pnoise card verify stick/db-03.card --issuer ops=$ISSUER"
    assert ceremony.run("node", judged).returncode == 0
    assert ceremony.run("node", f"{judged} --statements stick/{name}").returncode == code
