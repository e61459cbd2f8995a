"""Daemons: folders of nodes that a test fills without the command line, and the nodes that run in them."""

import os
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cards import Card, Entry, Grant, IdentityKey, IssuerKey, NodeKey, codec, grant, make_card, make_list
from cards.statements import CARD_APP, CARD_KEY, frame
from cli import documents
from tests.cli.processes import Daemon, shifted

DAY = 86_400  # seconds


@dataclass
class Issuer:
    """Whose signature lets nodes into a network, by the name that policies give it."""

    name: str = "ops"
    network: str = "example-net"
    key: IssuerKey = field(default_factory=lambda: IssuerKey.generate(os.urandom))
    serial: int = 0

    @property
    def policy(self) -> str:
        return f'network = "{self.network}"\n\n[issuer.{self.name}]\nkey = "{self.key.public}"\n'

    def revocations(self, *cards, sequence=1, made=0) -> str:
        """Its list that takes these back, made so many seconds from now."""
        now = int(time.time()) + made
        entries = [Entry(bytes(card.identity), now, "lost", now + 400 * DAY) for card in cards]
        made = make_list(self.key, network=self.network, sequence=sequence, now=now, entries=entries)
        return documents.list_blocks([made])

    def card(self, home, name, *, made=0, lifetime=30 * DAY, groups=(), sequence=1) -> Card:
        """A card for the keys of this folder, made and granted so many seconds from now."""
        identity = IdentityKey.from_pem((home / "identity.key").read_bytes())
        node = NodeKey.from_pem((home / "node.key").read_bytes())
        now = int(time.time()) + made
        card = make_card(identity, node, network=self.network, now=now, name=name, lifetime=lifetime, sequence=sequence)
        return self.regrant(card, made=made, lifetime=lifetime, groups=groups)

    def card_of_later(self, home, name, *, begins) -> Card:
        """A card made and granted now, which begins so many seconds from now."""
        card = self.card(home, name)
        body = codec.encode({**codec.decode(card.body, limit=1024), "nbf": card.not_before + begins})
        attrs = codec.encode(
            {"sn": 1, "iat": card.issued_at, "nbf": card.issued_at, "exp": card.not_after, "pos": bytes(16)}
        )
        granted = Grant.parse(self.key.public.hint, attrs, self.key.sign(frame(CARD_APP, body, attrs)))
        identity = IdentityKey.from_pem((home / "identity.key").read_bytes())
        return Card.from_body(body, identity.sign(frame(CARD_KEY, body)), card.node_signature).with_grants([granted])

    def regrant(self, card, *, made=0, lifetime=30 * DAY, groups=()) -> Card:
        """The card with a grant of these."""
        self.serial += 1
        now = int(time.time()) + made
        return grant(self.key, card, serial=self.serial, now=now, lifetime=lifetime, groups=groups, entropy=os.urandom)


class Daemons:
    """Folders of nodes below `path`, and the nodes that run in them; none outlives the block."""

    def __init__(self, path: Path):
        self.path = path
        self.issuer = Issuer()
        self.running: list[Daemon] = []
        self._ends: list[Callable[[], object]] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.running:
            one.close()
        for end in self._ends:
            end()

    def greet(self, greeting: bytes) -> int:
        """A server that says this to whoever connects, and listens for a while; its port."""

        class Greeter(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.sendall(greeting)
                with suppress(OSError):
                    self.request.recv(1000)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self._ends += [server.shutdown, thread.join, server.server_close]
        return server.server_address[1]

    def member(self, name, *, issuer=None, list_made=0, **options) -> Path:
        """A folder of this name with keys, a card of `issuer`, which it believes, and its list."""
        home, issuer = self.path / name, issuer or self.issuer
        home.mkdir(mode=0o700)
        for file, key in (("identity.key", IdentityKey), ("node.key", NodeKey)):
            (home / file).touch(mode=0o600)
            (home / file).write_bytes(key.generate(os.urandom).to_pem())
        (home / "policy.toml").write_text(issuer.policy)
        (home / "revocations.pem").write_text(issuer.revocations(made=list_made))
        self.install(home, issuer.card(home, name, **options))
        return home

    def install(self, home, card) -> None:
        new = home / "card.new"
        new.write_text(documents.card_block(card))
        new.replace(home / "card.pem")

    def card(self, name) -> Card:
        card = documents.read(self.path / name / "card.pem").card
        assert card is not None
        return card

    def run(self, name, *options, shift=0) -> Daemon:
        """Run the node of this folder by a clock that is off by `shift` seconds, and wait until it listens."""
        one = Daemon(self.path / name, *options, command=shifted(shift))
        self.running.append(one)
        one.wait("listening")
        return one

    def pair(self, **options) -> tuple[Daemon, Daemon]:
        """Ada and bob, who are linked; ada is of the groups given for her."""
        self.member("bob")
        self.member("ada", **options)
        bob = self.run("bob")
        ada = self.run("ada", "--bootstrap", bob.bootstrap)
        ada.wait("peer-verified", name="bob")
        bob.wait("peer-verified", name="ada")
        return ada, bob
