"""A network in a folder: an issuer and nodes, driven in this process or as real commands."""

import json
import os
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cards import Card, IdentityKey, NodeKey, Policy, verify_card
from cards.text import from_armor
from cli import documents
from cli.main import root
from cli.trust_state import believe
from p2pnoise.store import PeerStore
from p2pnoise.store.peer_store import PeerChange
from tests.cli.processes import COMMAND, Daemon
from tests.patience import PATIENCE


@dataclass
class Place:
    """A temporary folder with an issuer in `issuer` and nodes in folders of their own."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=lambda: COMMAND)  # for what is a process of its own

    def __post_init__(self):
        self.env = {"P2PNOISE_HOME": str(self.path / "node"), "P2PNOISE_ISSUER_HOME": str(self.path / "issuer")}

    def __truediv__(self, name) -> Path:
        return self.path / name

    @property
    def node(self) -> Path:
        return self.path / "node"

    @property
    def issuer(self) -> Path:
        return self.path / "issuer"

    def run(self, *args, input=None) -> Result:  # noqa: A002 - CliRunner's word
        """In this process; whatever happens, no traceback reaches a person."""
        result = CliRunner().invoke(root, [str(arg) for arg in args], env=self.env, input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "unexpected:" not in result.stderr
        return result

    def ok(self, *args, input=None) -> Result:  # noqa: A002
        result = self.run(*args, input=input)
        assert result.exit_code == 0, result.output
        return result

    def refuses(self, *args, says, code) -> None:
        """One sentence that says this, and the next step, on stderr; nothing else, nothing raw, nothing secret."""
        result = self.run(*args)
        assert result.exit_code == code, result.output
        assert says in result.stderr.splitlines()[0]
        assert "fix: " in result.stderr
        assert "Traceback" not in result.output
        assert all(character.isprintable() or character == "\n" for character in result.output)
        assert "c2VjcmV0" not in result.output  # the secret of the private keys that tests put in wrong places
        assert result.stdout == ""

    def snapshot(self, folder) -> dict[str, bytes]:
        """Every file in a folder with its bytes."""
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def json(self, *args) -> dict:
        result = self.run(*args, "--json")
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    def shell(self, *args, input=None) -> subprocess.CompletedProcess:  # noqa: A002
        """As a process of its own, run in this folder."""
        return subprocess.run(
            [*self.command, *map(str, args)],
            cwd=self.path,
            env={**os.environ, **self.env},
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def start(self, *args, **options) -> subprocess.Popen:
        command = [*self.command, *map(str, args)]
        return subprocess.Popen(command, cwd=self.path, env={**os.environ, **self.env}, **options)

    def daemon(self, home, *options, **more) -> Daemon:
        """A node that runs in this folder."""
        return Daemon(self / home, *options, command=self.command, env={**os.environ, **self.env}, **more)

    def card(self, path) -> Card:
        """The card in an armored file."""
        return next(Card.parse(raw) for label, raw in from_armor(path.read_text()) if label == "CARD")

    def keys(self, folder) -> tuple[IdentityKey, NodeKey]:
        """The keys of a node folder, so that a test can sign at a time of its choosing."""
        return (
            IdentityKey.from_pem((folder / "identity.key").read_bytes()),
            NodeKey.from_pem((folder / "node.key").read_bytes()),
        )

    def remember(self, **known) -> None:
        """Put cards into the node's table, as a node that met them does: `ada="live"` for the card in ada.card."""
        policy = Policy.from_toml((self.node / "policy.toml").read_text())
        lists = documents.read(self.node / "revocations.pem").lists
        now = int(time.time())
        facts, _ = believe(policy, lists, now)
        own = self.card(self.node / "card.pem")
        with closing(PeerStore(self.node / "node.db", network=policy.network, node_id=own.node_id)) as store:
            for name, provenance in known.items():
                card = self.card(self.path / f"{name}.card")
                verdict = verify_card(card, policy=policy, now=now, facts=facts)
                row = {"record": None, "standing": "verified", "learned_from": bytes(32)}
                times = {"first_seen": now, "changed": now}
                store.commit([PeerChange(verified=verdict.card, provenance=provenance, **row, **times)])

    # Steps that many tests begin with.

    def make_issuer(self) -> str:
        return self.json("issuer", "new", "ops", "--network", "example-net")["issuer"]

    def make_request(self, name="db-03", home="node") -> Path:
        """A new node `home` with a request for `name`; the file that holds it."""
        target = self.path / f"{home}.request"
        folder = self.path / home
        if not (folder / "identity.key").exists():
            self.ok("id", "new", "--home", folder)
        self.ok(
            "card", "request", "--name", name, "--network", "example-net", "--home", folder, "-o", target, "--force"
        )
        return target

    def make_card(self, name="db-03", home="node") -> Path:
        """The same, granted."""
        target = self.path / f"{home}.card"
        self.ok("card", "issue", self.make_request(name, home), "-o", target, "--force")
        return target

    def install(self, card, issuer, home="node") -> Result:
        return self.ok("card", "install", card, "--issuer", f"ops={issuer}", "--home", self / home)

    def member(self, name, issuer) -> Path:
        """A folder of this name with a card installed."""
        self.install(self.make_card(name, name), issuer, name)
        return self / name


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def issuer(place) -> str:
    """The key of a new issuer `ops` of example-net."""
    return place.make_issuer()


@pytest.fixture
def installed(place, issuer) -> Path:
    """The file of a card that is installed in the node folder."""
    card = place.make_card()
    place.install(card, issuer)
    return card


@pytest.fixture
def member(place, issuer):
    """Make a folder of this name with a card installed."""
    return partial(place.member, issuer=issuer)


@pytest.fixture
def ready(place, issuer, monkeypatch):
    """An issuer with one grant, and a request beside it."""
    place.make_card()
    monkeypatch.chdir(place.path)
    return issuer


@pytest.fixture
def run(place):
    """Start nodes; none outlives the test."""
    running = []

    def start(home, *options, **more):
        process = place.daemon(home, *options, **more)
        running.append(process)
        return process

    yield start
    for process in running:
        process.close()
