"""Folders: where a node and where an issuer keep their files, and what those must look like.

node     identity.key  node.key  request.pem  card.pem  policy.toml  revocations.pem  statements.pem  pins.toml
issuer   issuer.key  issuer.toml  registry.db  revocations.pem  statements.pem

A key that is to take over waits beside its file as .next; one that was taken over from stays as .old.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cards import Card, IdentityKey, IssuerId, IssuerKey, NodeKey, Policy, RevocationList, Succession
from cards.facts import Statement
from cards.fields import name as name_field
from cards.findings import BINDING, MALFORMED
from cards.keyfile import is_locked
from cards.policy import MAX_POLICY

from . import documents, files, passphrase
from .output import Fault, naming
from .registry import Registry
from .signer import RemoteSigner

_Key = TypeVar("_Key", IdentityKey, NodeKey, IssuerKey)

_MAX_KEY = 4096  # bytes; an Ed25519 key in PEM form has 119, a locked one 290
_RESTORE = "restore it from your backup of this folder"


def _read_key(path: Path, kind: type[_Key], fix: str) -> _Key:
    pem = files.read_secret(path, limit=_MAX_KEY, what="key file")
    locked = kind is not NodeKey and is_locked(pem)  # a node starts unattended
    with naming(path, "" if locked else fix):
        return kind.from_pem(pem, passphrase.to_open(path) if locked else None)


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """A node's folder. Reading raises `Fault` with the next step."""

    path: Path

    @property
    def identity_key(self) -> Path:
        return self.path / "identity.key"

    @property
    def node_key(self) -> Path:
        return self.path / "node.key"

    @property
    def next_identity_key(self) -> Path:
        """The identity key that is to take over, or that the card commits to."""
        return self.path / "identity.key.next"

    @property
    def next_node_key(self) -> Path:
        """The node key that is to take over, once a card that names it is installed."""
        return self.path / "node.key.next"

    @property
    def request(self) -> Path:
        """The last card signed here: its sequence number is spent, whatever became of it."""
        return self.path / "request.pem"

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

    def read_identity(self) -> IdentityKey:
        self._check_present(self.identity_key)
        return _read_key(self.identity_key, IdentityKey, f"{_RESTORE}, or begin anew: p2pnoise id new --force")

    def read_node(self) -> NodeKey:
        self._check_present(self.node_key)
        return _read_key(self.node_key, NodeKey, f"{_RESTORE}, or begin anew: p2pnoise id new --force")

    def read_next_identity(self) -> IdentityKey | None:
        """The identity key that is to take over, if there is one."""
        path = self.next_identity_key
        return _read_key(path, IdentityKey, _RESTORE) if path.exists() else None

    def read_next_node(self) -> NodeKey | None:
        """The node key that is to take over, if there is one."""
        return _read_key(self.next_node_key, NodeKey, _RESTORE) if self.next_node_key.exists() else None

    def read_request(self) -> Card | None:
        """The last card signed here, if there was one."""
        # Without it the next card might get a number that is spent, which others take for a clone.
        return documents.read(self.request, fix=_RESTORE).card if self.request.exists() else None

    def read_handover(self, card: Card) -> tuple[Succession, ...]:
        """What the identity before signed when the one of `card` took over, as long as the last request is of that."""
        if not self.request.exists():
            return ()
        statements = documents.read(self.request, fix=_RESTORE).statements
        return tuple(one for one in statements if isinstance(one, Succession) and one.new == card.identity)

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
        return _read_statements(self.statements)

    def _check_present(self, key: Path) -> None:
        if not key.exists():
            raise Fault(f"no {key.name} in {self.path}", "p2pnoise id new, or name the folder with --home")


def _read_statements(path: Path) -> tuple[Statement, ...]:
    return documents.read(path, fix=_RESTORE).statements if path.exists() else ()


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises `Fault` that names it."""
    data = files.read(path, limit=MAX_POLICY, what="policy file")
    with naming(path):
        return Policy.from_toml(_utf8(data, path))


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer at work: its names, its key, its registry."""

    name: str
    network: str
    key: IssuerKey | RemoteSigner
    registry: Registry


@dataclass(frozen=True, slots=True)
class IssuerFolder:
    """An issuer's folder. Reading raises `Fault` with the next step."""

    path: Path
    signer: Path | None = None
    """The socket of whoever has the key in its place."""

    @property
    def key(self) -> Path:
        return self.path / "issuer.key"

    @property
    def about(self) -> Path:
        return self.path / "issuer.toml"

    @property
    def registry(self) -> Path:
        return self.path / "registry.db"

    @property
    def revocations(self) -> Path:
        """The list as last published."""
        return self.path / "revocations.pem"

    @property
    def statements(self) -> Path:
        """What this issuer delegated, what was delegated to it with the lists that go with it, and its own end."""
        return self.path / "statements.pem"

    @contextmanager
    def open(self) -> Iterator[Issuer]:
        """The issuer, its files checked against each other and its registry open."""
        name, network, public = self._read_about()
        signer = nullcontext(self.read_key()) if self.signer is None else RemoteSigner.connect(self.signer, public)
        with signer as key, Registry.open(self.registry, public, network) as registry:
            yield Issuer(name, network, key, registry)

    @contextmanager
    def open_registry(self) -> Iterator[Registry]:
        """The registry alone, for what needs no key."""
        _, network, public = self._read_about()
        with Registry.open(self.registry, public, network) as registry:
            yield registry

    def read_key(self) -> IssuerKey:
        """The secret, which must be the one that issuer.toml names."""
        _, _, public = self._read_about()
        key = _read_key(self.key, IssuerKey, _RESTORE)
        if key.public != public:
            raise Fault(f"{self.key} is not the key that {self.about} names", _RESTORE, code=BINDING)
        return key

    @property
    def network(self) -> str:
        return self._read_about()[1]

    @property
    def public(self) -> IssuerId:
        return self._read_about()[2]

    def read_revocations(self, issuer: Issuer) -> RevocationList:
        """The list as last published by `issuer`, its signature checked."""
        fix = "write it anew: p2pnoise revoke publish"
        if not self.revocations.exists():
            raise Fault(f"no revocations.pem in {self.path}", fix)
        lists = documents.read(self.revocations, fix=fix).lists
        if len(lists) != 1:
            raise Fault(f"{self.revocations} holds {len(lists)} lists, one expected", fix, code=MALFORMED)
        if lists[0].issuer != issuer.key.public:
            raise Fault(f"{self.revocations} is the list of another issuer", fix, code=BINDING)
        finding = lists[0].check(network=issuer.network, now=lists[0].issued_at, leeway=0)
        if finding is not None:
            raise Fault(f"{self.revocations}: {finding.message}", fix, code=finding.exit, findings=(finding,))
        return lists[0]

    def _read_about(self) -> tuple[str, str, IssuerId]:
        if not self.about.exists() and not self.key.exists():
            fix = "p2pnoise issuer new NAME --network NET, or name the folder with --issuer-home"
            raise Fault(f"no issuer in {self.path}", fix)
        text = _utf8(files.read(self.about, limit=MAX_POLICY, what="issuer file"), self.about)
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # as Policy.from_toml, which says why
            raise Fault(f"{self.about}: not TOML: {error}", _RESTORE, code=MALFORMED) from None
        if set(table) != {"name", "network", "key"} or not all(isinstance(value, str) for value in table.values()):
            raise Fault(f"{self.about} does not give name, network and key as text", _RESTORE, code=MALFORMED)
        with naming(self.about, _RESTORE):
            return (
                name_field(64)(table["name"], "name"),
                name_field(32)(table["network"], "network"),
                IssuerId.parse(table["key"]),
            )


def _utf8(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Fault(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8", code=MALFORMED) from None
