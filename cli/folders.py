"""Folders: where a node and where an issuer keep their files, and what those must look like.

node     identity.key  node.key  request.pem  card.pem  policy.toml  revocations.pem  statements.pem
         pins.toml  bans.toml  node.toml
issuer   issuer.key  issuer.toml  registry.db  revocations.pem  statements.pem

A key that is to take over waits beside its file as .next; one that was taken over from stays as .old.
"""

import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cards import Card, IdentityKey, IssuerId, IssuerKey, NodeKey, RevocationList, Succession
from cards.fields import name as name_field
from cards.findings import BINDING, MALFORMED
from cards.keyfile import is_locked
from cards.policy import MAX_POLICY
from p2pnoise.folder import node_folder
from p2pnoise.folder.node_folder import MAX_KEY, RESTORE, read_policy
from p2pnoise.folder.reading import utf8

from . import documents, files, passphrase
from .output import Fault, naming
from .registry import Registry
from .signer import NoSigner, RemoteSigner

__all__ = ["Issuer", "IssuerFolder", "NodeFolder", "read_policy"]

_Key = TypeVar("_Key", IdentityKey, NodeKey, IssuerKey)


def _read_key(path: Path, kind: type[_Key], fix: str) -> _Key:
    pem = files.read_secret(path, limit=MAX_KEY, what="key file")
    locked = kind is not NodeKey and is_locked(pem)  # a node starts unattended
    with naming(path, "" if locked else fix):
        return kind.from_pem(pem, passphrase.to_open(path) if locked else None)


@dataclass(frozen=True, slots=True)
class NodeFolder(node_folder.NodeFolder):
    """A node's folder, with what its owner keeps beside what a running node needs."""

    @property
    def identity_key(self) -> Path:
        return self.path / "identity.key"

    @property
    def next_identity_key(self) -> Path:
        """The identity key that is to take over, or that the card commits to."""
        return self.path / "identity.key.next"

    @property
    def next_node_key(self) -> Path:
        """The node key that is to take over, once a card that names it is installed."""
        return self.path / "node.key.next"

    @property
    def config(self) -> Path:
        """How the node runs, as far as its operator says so; a running one watches the file."""
        return self.path / "node.toml"

    @property
    def request(self) -> Path:
        """The last card signed here: its sequence number is spent, whatever became of it."""
        return self.path / "request.pem"

    def read_identity(self) -> IdentityKey:
        self.check_present(self.identity_key)
        return _read_key(self.identity_key, IdentityKey, f"{RESTORE}, or begin anew: p2pnoise id new --force")

    def read_node(self) -> NodeKey:
        self.check_present(self.node_key)
        return _read_key(self.node_key, NodeKey, f"{RESTORE}, or begin anew: p2pnoise id new --force")

    def read_next_identity(self) -> IdentityKey | None:
        """The identity key that is to take over, if there is one."""
        path = self.next_identity_key
        return _read_key(path, IdentityKey, RESTORE) if path.exists() else None

    def read_next_node(self) -> NodeKey | None:
        """The node key that is to take over, if there is one."""
        return _read_key(self.next_node_key, NodeKey, RESTORE) if self.next_node_key.exists() else None

    def read_request(self) -> Card | None:
        """The last card signed here, if there was one."""
        # Without it the next card might get a number that is spent, which others take for a clone.
        return documents.read(self.request, fix=RESTORE).card if self.request.exists() else None

    def read_handover(self, card: Card) -> tuple[Succession, ...]:
        """What the identity before signed when the one of `card` took over, as long as the last request is of that."""
        if not self.request.exists():
            return ()
        statements = documents.read(self.request, fix=RESTORE).statements
        return tuple(one for one in statements if isinstance(one, Succession) and one.new == card.identity)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer at work: its names, its key, its registry."""

    name: str
    network: str
    key: IssuerKey | RemoteSigner | NoSigner
    registry: Registry


@dataclass(frozen=True, slots=True)
class IssuerFolder:
    """An issuer's folder. Reading raises `Fault` with the next step."""

    path: Path
    signer: Path | None = None
    """The socket of whoever has the key in its place."""
    checked: bool = False
    """Whether this process has read the whole registry and found no damage, which takes 13 ms for 30,000 grants."""

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
    def open(self, held: IssuerKey | None = None) -> Iterator[Issuer]:
        """The issuer, its files checked against each other and its registry open.

        `held` is its key where that was read before; a locked one is opened once.
        """
        name, network, public = self._read_about()
        if self.signer is None:
            signer: AbstractContextManager[IssuerKey | RemoteSigner] = nullcontext(held or self.read_key())
        else:
            signer = RemoteSigner.connect(self.signer, public)
        with signer as key, self._open_registry(public, network) as registry:
            yield Issuer(name, network, key, registry)

    @contextmanager
    def look(self) -> Iterator[Issuer]:
        """The issuer without its key, for what signs nothing."""
        name, network, public = self._read_about()
        with self._open_registry(public, network) as registry:
            yield Issuer(name, network, NoSigner(public), registry)

    @contextmanager
    def open_registry(self) -> Iterator[Registry]:
        """The registry alone, for what needs no key."""
        _, network, public = self._read_about()
        with self._open_registry(public, network) as registry:
            yield registry

    def _open_registry(self, public: IssuerId, network: str) -> AbstractContextManager[Registry]:
        return Registry.open(self.registry, public, network, checked=self.checked)

    def read_key(self) -> IssuerKey:
        """The secret, which must be the one that issuer.toml names."""
        _, _, public = self._read_about()
        key = _read_key(self.key, IssuerKey, RESTORE)
        if key.public != public:
            raise Fault(f"{self.key} is not the key that {self.about} names", RESTORE, code=BINDING)
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
        text = utf8(files.read(self.about, limit=MAX_POLICY, what="issuer file"), self.about)
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # as Policy.from_toml, which says why
            raise Fault(f"{self.about}: not TOML: {error}", RESTORE, code=MALFORMED) from None
        if set(table) != {"name", "network", "key"} or not all(isinstance(value, str) for value in table.values()):
            raise Fault(f"{self.about} does not give name, network and key as text", RESTORE, code=MALFORMED)
        with naming(self.about, RESTORE):
            return (
                name_field(64)(table["name"], "name"),
                name_field(32)(table["network"], "network"),
                IssuerId.parse(table["key"]),
            )
