"""NodeFolder: where a node keeps its files, and what those must look like.

    node.key  card.pem  policy.toml  revocations.pem  statements.pem  pins.toml  bans.toml  node.db

What else may lie there (the identity key, requests) is of no concern to a node that runs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cards import Card, NodeKey, Policy, RevocationList
from cards.facts import Statement
from cards.policy import MAX_POLICY

from . import documents, reading
from . import pins as pin_files
from .fault import Fault, naming

if TYPE_CHECKING:
    from p2pnoise.node.bans import Ban

__all__ = ["RESTORE", "NodeFolder", "read_policy"]

MAX_KEY = 4096  # bytes; an Ed25519 key in PEM form has 119, a locked one 290
RESTORE = "restore it from your backup of this folder"


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """A node's folder. Reading raises `Fault` with the next step."""

    path: Path

    @property
    def node_key(self) -> Path:
        return self.path / "node.key"

    @property
    def old_node_key(self) -> Path:
        """The node key before, where this one took its place."""
        return self.path / "node.key.old"

    @property
    def card(self) -> Path:
        """The installed card."""
        return self.path / "card.pem"

    @property
    def policy(self) -> Path:
        return self.path / "policy.toml"

    @property
    def revocations(self) -> Path:
        """The revocation lists handed to this node; a running one watches the file."""
        return self.path / "revocations.pem"

    @property
    def statements(self) -> Path:
        """The statements handed to this node, or made here; a running one watches the file."""
        return self.path / "statements.pem"

    @property
    def pins(self) -> Path:
        """Which identity each name belongs to; a running node watches the file."""
        return self.path / "pins.toml"

    @property
    def bans(self) -> Path:
        """Whom the operator refuses; a running node watches the file."""
        return self.path / "bans.toml"

    @property
    def database(self) -> Path:
        """What a node has learned."""
        return self.path / "node.db"

    def read_node(self) -> NodeKey:
        """The node key."""
        self.check_present(self.node_key)
        return _read_key(self.node_key, f"{RESTORE}, or begin anew: p2pnoise id new --force")

    def read_old_node(self) -> NodeKey | None:
        """The node key before, if there is one."""
        return _read_key(self.old_node_key, "remove it") if self.old_node_key.exists() else None

    def read_card(self) -> Card | None:
        """The installed card, if there is one."""
        fix = "remove it and install the card again: p2pnoise card install FILE"
        return documents.read(self.card, fix=fix).card if self.card.exists() else None

    def read_policy(self) -> Policy | None:
        """The policy, if there is one."""
        return read_policy(self.policy) if self.policy.exists() else None

    def read_revocations(self) -> tuple[RevocationList, ...]:
        """The lists handed to this node, unverified."""
        fix = "remove it and install the card again, whose file brings the list"
        return documents.read(self.revocations, fix=fix).lists if self.revocations.exists() else ()

    def read_statements(self) -> tuple[Statement, ...]:
        """The statements handed to this node, unverified."""
        return documents.read(self.statements, fix=RESTORE).statements if self.statements.exists() else ()

    def read_pins(self) -> pin_files.Pins:
        """The pins made by hand, none where there is no file."""
        return pin_files.read(self.pins)

    def read_bans(self) -> "tuple[Ban, ...]":
        """The bans, also those that have ended; none where there is no file."""
        from . import bans  # noqa: PLC0415 - it stands on the node, which whoever looks at one card need not load

        return bans.read(self.bans)

    def check_present(self, key: Path) -> None:
        """Raises `Fault` where a key is not there."""
        if not key.exists():
            raise Fault(f"no {key.name} in {self.path}", "p2pnoise id new, or name the folder with --home")


def _read_key(path: Path, fix: str) -> NodeKey:
    pem = reading.read(path, limit=MAX_KEY, what="key file")
    with naming(path, fix):
        return NodeKey.from_pem(pem)


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises `Fault` that names it."""
    data = reading.read(path, limit=MAX_POLICY, what="policy file")
    with naming(path):
        return Policy.from_toml(reading.utf8(data, path))
