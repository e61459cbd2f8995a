"""What the driver tests share: real nodes on 127.0.0.1 with databases of their own, and peers that mean harm."""

import hashlib
import os
import random
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from cards import Address, Entry, IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card, make_list
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import Heads
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import open_node
from p2pnoise.node.frames import Hello, Kind, encode_frame
from p2pnoise.node.link import CardPresented, Greeted, Link, Stage
from p2pnoise.noise import KeyPair
from tests.patience import PATIENCE

NETWORK = "example-net"
HOUR = 3600
# Where those who mean harm come from: they share no limit with the good ones, where the system has such addresses.
HOSTILE = "127.0.0.66" if sys.platform == "linux" else "127.0.0.1"


def stream(name):
    return random.Random(hashlib.sha256(name.encode()).digest()).randbytes


async def until(condition, seconds=PATIENCE):
    """Wait for a condition; the test fails when it does not come true."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - most conditions are states of a core, which tell nobody
            await trio.sleep(0.01)


@dataclass
class Running:
    """A node in its block, with everything that it has told."""

    name: str
    node: Node
    events: list
    path: Path

    @property
    def address(self):
        return self.node.addresses[0]

    @property
    def node_id(self):
        return self.node.core.node_id

    @property
    def table(self):
        return self.node.core.table

    @property
    def carriers(self):
        return self.node._driver.carriers

    def told(self, kind, **fields):
        """The events of one kind with these fields."""
        return [
            event
            for event in self.events
            if event.kind == kind and all(getattr(event, name) == value for name, value in fields.items())
        ]

    async def tells(self, kind, **fields):
        """Wait for such an event, and give it."""
        await until(lambda: self.told(kind, **fields))
        return self.told(kind, **fields)[0]

    def linked(self, other):
        return any(
            link.stage is Stage.UP and link.node_id == other.node_id for link in self.node.core.links.all.values()
        )

    @property
    def bootstrap(self):
        return Bootstrap(self.address, self.node_id)


@dataclass
class Net:
    """An issuer, its policy, and nodes by name. Cards are made now, since these nodes read the real clock."""

    path: Path
    issuer: IssuerKey = field(default_factory=lambda: IssuerKey(hashlib.sha256(b"issuer").digest()))
    now: int = field(default_factory=lambda: int(time.time()) - 60)

    HOSTILE, until = HOSTILE, staticmethod(until)

    def __post_init__(self):
        self.policy = Policy(network=NETWORK, issuers={"ops": self.issuer.public})
        self.lists = (self.list(1),)

    def keys(self, name):
        return NodeKey.generate(stream(f"{name} node")), IdentityKey.generate(stream(f"{name} identity"))

    def card(self, name, *, sequence=1, issuer=None):
        key, identity = self.keys(name)
        card = make_card(identity, key, network=NETWORK, now=self.now, name=name, sequence=sequence)
        return grant(issuer or self.issuer, card, serial=1, now=self.now, entropy=bytes)

    def list(self, sequence, *revoked):
        entries = [
            Entry(bytes(self.card(name).identity), self.now, "lost", self.now + 400 * 86_400) for name in revoked
        ]
        return make_list(self.issuer, network=NETWORK, sequence=sequence, now=self.now, entries=entries)

    @asynccontextmanager
    async def node(
        self, name, *, card=None, listen=None, on_event=lambda _event: None, bootstrap=(), handlers=None, **config
    ):
        """A running node of this name; the same name again is a restart on the same database."""
        events = []

        def tell(event):
            events.append(event)
            on_event(event)

        key, _ = self.keys(name)
        path = self.path / f"{name}.db"
        async with open_node(
            key=key,
            card=card or self.card(name),
            policy=self.policy,
            database=path,
            listen=[Address("127.0.0.1", 0)] if listen is None else listen,
            facts=self.lists,
            config=NodeConfig(bootstrap=tuple(bootstrap), **config),
            handlers=handlers,
            on_event=tell,
        ) as node:
            yield Running(name, node, events, path)

    async def connect(self, victim, *, small=False, host=HOSTILE):
        """A bare connection to a node, with a small receive buffer if wanted."""
        there = trio.socket.socket()
        try:
            if small:
                there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await there.bind((host, 0))
            await there.connect(tuple(victim.address))
        except BaseException:
            there.close()
            raise
        return trio.SocketStream(there)

    async def puppet(self, victim, name, *, small=False):
        """A peer with a good card that is linked with `victim` and from then on does what it is told."""
        puppet = Puppet(self, victim, name, await self.connect(victim, small=small))
        await puppet.come_up()
        await until(lambda: victim.linked(puppet))
        return puppet


class Puppet:
    """One link moved by hand."""

    def __init__(self, net, victim, name, stream):
        key, _ = net.keys(name)
        self.node_id, self.stream, self.victim = key.public, stream, victim
        self.link = Link(
            initiator=True,
            address=victim.address,
            static=KeyPair.from_private(key.static),
            own_card=net.card(name).raw,
            entropy=os.urandom,
            now=0,
            rs=victim.node_id,
        )
        self.link.start()

    async def flush(self):
        await self.stream.send_all(self.link.take_output()[0])

    def frame(self, kind, payload=b""):
        self.link._send(encode_frame(kind, payload))

    async def come_up(self):
        await self.flush()
        while self.link.hello is None:
            for event in self.link.receive(await self.stream.receive_some(65_536), 0):
                match event:
                    case CardPresented():
                        self.link.accept(Hello(os.urandom(16), b""), 0)
                    case Greeted():
                        pass
            await self.flush()
        self.frame(Kind.GOSSIP, encode(Heads(self.victim.table.revocations.heads)))
        await self.flush()

    async def ask_without_reading(self, pings=200):
        """Questions whose answers are never read, until the connection is cut."""
        with suppress(trio.BrokenResourceError):
            while True:
                for _ in range(pings):
                    self.frame(Kind.PING, bytes(32))
                await self.flush()
        await trio.aclose_forcefully(self.stream)


@pytest.fixture
def net(tmp_path):
    return Net(tmp_path)


@pytest.fixture
def sockets():
    """How many sockets this process has open."""

    def count():
        descriptors = Path("/proc/self/fd")
        if not descriptors.exists():
            pytest.skip("no /proc here")
        links = []
        for descriptor in descriptors.iterdir():
            try:
                links.append(str(descriptor.readlink()))
            except OSError:
                continue
        return sum(link.startswith("socket:") for link in links)

    return count
