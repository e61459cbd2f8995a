"""What the node tests share: cores joined by memory carriers under hand-driven time, and puppets that can lie."""

import hashlib
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from cards import (
    Address,
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    Retirement,
    SelfRevocation,
    Succession,
    grant,
    make_card,
    make_list,
    make_record,
)
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.agenda import NEVER
from p2pnoise.node.core import NodeCore
from p2pnoise.node.frames import Code, Hello, Kind, encode_card, encode_frame, split_frames
from p2pnoise.node.link import APPLICATION_PROLOGUE, Stage
from p2pnoise.node.stream_events import StreamReceived
from p2pnoise.noise import KeyPair
from p2pnoise.noisesocket import (
    NEED_DATA,
    EndOfStream,
    HandshakePayload,
    MessageReceived,
    NoiseSocketConnection,
    Truncated,
)

START = 1_800_000_000  # seconds since 1970
NETWORK = "example-net"
DAY = 86_400


def stream(name):
    """Repeatable bytes of this name: `entropy` for keys and handshakes."""
    return random.Random(hashlib.sha256(name.encode()).digest()).randbytes


@dataclass
class Member:
    """One core of the net, with all that it did."""

    name: str
    core: NodeCore
    address: Address
    key: NodeKey
    identity: IdentityKey
    online: bool = True
    effects: list = field(default_factory=list)
    batches: list = field(default_factory=list)
    wires: dict = field(default_factory=dict)  # connection -> (other member or puppet, its connection)
    sent: dict = field(default_factory=dict)  # connection -> bytes

    @property
    def events(self):
        return [effect.event for effect in self.effects if isinstance(effect, io.Emit)]

    def told(self, kind):
        """The events of one kind."""
        return [event for event in self.events if event.kind == kind]

    def on_stream(self, kind, stream=None):
        """What was told of streams, of one kind and perhaps of one stream."""
        news = [effect.event for effect in self.effects if isinstance(effect, io.OnStream)]
        return [one for one in news if isinstance(one, kind) and stream in (None, one.stream)]

    def received(self, stream):
        """The bytes that came on a stream."""
        return b"".join(news.data for news in self.on_stream(StreamReceived, stream))

    @property
    def streams_lost(self):
        return [effect for effect in self.effects if isinstance(effect, io.StreamsLost)]

    def answer(self, ticket):
        """What became of a stream that was wanted: opened, refused, or None yet."""
        answers = [one for one in self.effects if isinstance(one, io.StreamOpened | io.StreamRefused)]
        found = [one for one in answers if one.ticket == ticket]
        assert len(found) <= 1
        return found[0] if found else None

    def refusal(self, ticket):
        """Why a stream that was wanted was refused."""
        answer = self.answer(ticket)
        assert isinstance(answer, io.StreamRefused), answer
        return answer.refusal

    @property
    def dialled(self):
        """Every dial: where, and why there."""
        return [(event.address, event.source) for event in self.told("dialling")]

    @property
    def links(self):
        return self.core.links.all

    def links_to(self, other):
        return [link for link in self.links.values() if link.node_id == other.core.node_id]

    def up(self, other):
        return any(link.stage is Stage.UP for link in self.links_to(other))

    def link_number(self, other):
        """The one connection to `other`."""
        (number,) = [number for number, link in self.links.items() if link.node_id == other.core.node_id]
        return number

    @property
    def state(self):
        """Everything that P10 forbids a replay to touch."""
        table = self.core.table
        return (
            sorted(peer.card.raw for peer in table),
            [table.mark(peer.card.identity) for peer in table],
            sorted(self.core.table.items),
            dict(self.core.links.admission._last_hash),
            sorted(number for number, link in self.links.items() if link.stage is Stage.UP),
        )


class Net:
    """Members in one place. Bytes arrive at once and in order; time passes by `wait` alone."""

    NETWORK, START, DAY = NETWORK, START, DAY

    def __init__(self, *, step=None):
        self.now = 1_000 * SECOND
        self.shift = 0  # seconds by which the wall clock is wrong
        self.step = step  # bytes handed over at once
        self.members = []
        self.queue = deque()
        self.tickets = 0
        self.inspects = True  # whether all links are looked at after each input, as the cores do not
        self.tamper = None  # (from, to, data) -> data
        self.issuer = IssuerKey(hashlib.sha256(b"issuer").digest())
        self.second = IssuerKey(hashlib.sha256(b"second issuer").digest())
        self.stranger = IssuerKey(hashlib.sha256(b"a stranger's issuer").digest())
        self.policy = Policy(network=NETWORK, issuers={"ops": self.issuer.public})
        self.both = Policy(network=NETWORK, issuers={"ops": self.issuer.public, "lab": self.second.public})
        self.first_list = self.make_list(1)

    # Making

    @property
    def unix(self):
        return START + self.shift + (self.now // SECOND - 1_000)

    @property
    def instant(self):
        return Instant(self.now, self.unix)

    def keys(self, name):
        return NodeKey.generate(stream(f"{name} node")), IdentityKey.generate(stream(f"{name} identity"))

    def card(self, name, *, issuer=None, network=NETWORK, keys=None, sequence=1, serial=1, grant_lifetime=None, **more):
        key, identity = keys or self.keys(name)
        options = {"now": START - 100, "network": network, "name": name, "sequence": sequence} | more
        card = make_card(identity, key, **options)
        return self.grant(card, issuer=issuer, serial=serial, lifetime=grant_lifetime)

    def grant(self, card, *, issuer=None, serial=1, lifetime=None, **options):
        if lifetime is not None:
            options["lifetime"] = lifetime
        return grant(issuer or self.issuer, card, serial=serial, now=START - 100, entropy=bytes, **options)

    def make_list(self, sequence, *, revoked=(), issuer=None, now=None, **options):
        entries = [Entry(bytes(subject), START, "lost", START + 400 * DAY) for subject in revoked]
        now = START - 100 if now is None else now
        return make_list(issuer or self.issuer, network=NETWORK, sequence=sequence, now=now, entries=entries, **options)

    def sign(self, kind, *signers, **values):
        """A statement of this kind, made a little before the nodes start."""
        return kind.make({"net": NETWORK, "iat": START - 50, **values}, *signers)

    def self_revocation(self, identity):
        return self.sign(SelfRevocation, identity, key=identity.public, reason="lost")

    def retirement(self, issuer):
        return self.sign(Retirement, issuer, iss=issuer.public, reason="left")

    def succession(self, old, new):
        return self.sign(Succession, old, new, old=old.public, new=new.public)

    def member(self, name, *, keys=None, card=None, policy=None, lists=None, listening=True, boot="", **config):
        """A node of this name; a second one of the same name has its key, but starts anew."""
        key, identity = keys or self.keys(name)
        number = len(self.members) + 1
        address = Address(f"10.0.0.{number}", 7060)
        core = NodeCore(
            NodeConfig(**config),
            key=key,
            card=card or self.card(name, keys=(key, identity)),
            policy=policy or self.policy,
            random=random.Random(number),
            entropy=stream(f"{name} {number} {boot}"),
        )
        member = Member(name, core, address, key, identity)
        self.members.append(member)
        self.give(member, io.TrustRestored((self.first_list,) if lists is None else lists, {}))
        if listening:
            self.listen(member)
        return member

    def listen(self, member):
        self.give(member, io.ListeningOn((member.address,), (member.address,)))

    def pair(self, **config):
        """`low` and `high` by Node ID, linked: high dialled low."""
        low, high = self.two(**config)
        self.link(high, low)
        assert low.up(high)
        assert high.up(low)
        return low, high

    @staticmethod
    def estrange(*members):
        """Have these gossip on none of their links, as on one that an application keeps."""
        for member in members:
            member.core.links._overlay.views.active.clear()
            member.core.links.agenda.touch_all()

    def two(self, **config):
        """Two members that do not dial by themselves, the lower Node ID first."""
        config = {"target_links": 0} | config
        pair = [self.member(name, **config) for name in ("ada", "bob")]
        return sorted(pair, key=lambda member: bytes(member.core.node_id))

    # Driving

    def give(self, member, given):
        """One input, and whatever follows at once. Returns the effects of this input alone."""
        effects = self.hand(member, given)
        self.pump()
        return effects

    def hand(self, member, given):
        """One input; what it leads to stays queued."""
        effects = member.core.handle(given, self.instant)
        member.batches.append(effects)
        member.effects += effects
        for effect in effects:
            match effect:
                case io.SendBytes(connection, data, more):
                    member.sent[connection] = member.sent.get(connection, b"") + data
                    self.carry(member, connection, data)
                    if more:
                        self.queue.append((self.hand, member, io.BytesSent(connection)))
                case io.Disconnect(connection):
                    self.carry(member, connection, b"")
                    member.wires.pop(connection, None)
                case io.Dial(connection, address):
                    self.queue.append((self.connect, member, connection, address))
        due = member.core.deadline()
        for number, link in (
            member.links.items() if self.inspects else ()
        ):  # of which the core looks at few for each input
            assert not link.unsent, "bytes that nobody sends"
            assert (NEVER if due is None else due) <= member.core.links.upkeep.deadline(number), (
                "a link that is forgotten"
            )
        assert not isinstance(given, io.Tick) or due is None or due > self.now, "a node that is never at rest"
        return effects

    def carry(self, member, connection, data):
        there = member.wires.get(connection)
        if there is not None:
            self.queue.append((self.arrive, member, *there, data))

    def arrive(self, source, target, connection, data):
        if self.tamper is not None:
            data = self.tamper(source, target, data)
            if data is None:
                return
        if isinstance(target, Puppet):
            target.receive(data)
            return
        if not target.online:
            return
        for start in range(0, len(data) or 1, self.step or len(data) or 1):
            piece = data[start : start + (self.step or len(data) or 1)]
            if connection in target.wires:
                self.hand(target, io.BytesReceived(connection, piece))

    def connect(self, member, connection, address):
        there = next((other for other in self.members if other.address == address), None)
        if there is None or not there.online:
            self.hand(member, io.ConnectFailed(connection, "connection refused"))
            return
        self.join(member, connection, there)

    def join(self, member, connection, there):
        other = there.core.new_connection()
        member.wires[connection] = (there, other)
        there.wires[other] = (member, connection)
        self.hand(there, io.Accepted(other, member.address))
        if connection in member.wires:
            self.hand(member, io.Connected(connection))

    def dial(self, member, address, node_id=None):
        """As the dialler would, whatever it thinks; the connection."""
        connection = self.target(member, address, node_id)
        self.queue.append((self.connect, member, connection, address))
        return connection

    def target(self, member, address, node_id=None, *, source="bootstrap"):
        from p2pnoise.node.dials import Target  # noqa: PLC0415 - the one place that reaches this far in

        connection = member.core.new_connection()
        member.core._dialler.open[connection] = Target(address, node_id, None, source)
        return connection

    def teach(self, member, other, *addresses):
        """`member` has read the card of `other` and that it is at these addresses, as of some gossip."""
        where = [str(address) for address in addresses]
        record = make_record(other.key, network=NETWORK, addresses=where, sequence=2**50, now=START)
        member.core.table.offer_card(other.core.card, self.unix, source=b"")
        member.core.table.offer_record(record, self.unix)
        member.core._dialler.stale = True

    def want(self, member, other, *, address=None, protocol="echo"):
        """`member`'s application wants a stream to `other`, a member or a Node ID; its ticket."""
        self.tickets += 1
        node_id = other.core.node_id if isinstance(other, Member) else other
        self.give(member, io.StreamWanted(self.tickets, node_id, protocol, address))
        return self.tickets

    def open_stream(self, member, other, **options):
        """The same where it can be opened at once; its connection and number, as the effect says them."""
        opened = member.answer(self.want(member, other, **options))
        assert isinstance(opened, io.StreamOpened)
        return opened

    def link(self, member, other, *, pattern="IK"):
        """`member` dials `other`; all that follows at once has happened."""
        connection = self.dial(member, other.address, other.core.node_id if pattern == "IK" else None)
        self.pump()
        return connection

    def pump(self, limit=100_000):
        for _ in range(limit):
            if not self.queue:
                return
            action, *arguments = self.queue.popleft()
            action(*arguments)
        raise AssertionError("the net never comes to rest")

    def wait(self, seconds, *, limit=10_000):
        """Time passes; every node is ticked when it asks for it."""
        end = self.now + int(seconds * SECOND)
        for _ in range(limit):
            dues = [(member.core.deadline(), number) for number, member in enumerate(self.members) if member.online]
            due = min(((due, number) for due, number in dues if due is not None and due <= end), default=None)
            if due is None:
                self.now = end
                return
            self.now = max(self.now, due[0])
            self.give(self.members[due[1]], io.Tick())
        raise AssertionError(f"more than {limit} ticks in {seconds} s")

    def cut(self, member, other):
        """The carrier between two members breaks, and only `member` notices."""
        number = member.link_number(other)
        _, there = member.wires.pop(number)
        other.wires.pop(there, None)
        self.give(member, io.BytesReceived(number, b""))

    def puppet(self, victim, name, **options):
        return Puppet(self, victim, name, **options)


class Puppet:
    """A peer moved by hand, that can say what no NodeCore would. It connects when made."""

    def __init__(self, net, victim, name, *, keys=None, card=None, pattern="IK", address="192.0.2.9"):
        self.net, self.victim = net, victim
        self.key, self.identity = keys or net.keys(name)
        self.card = net.card(name, keys=(self.key, self.identity)) if card is None else card
        self.heard, self.said, self.ended = b"", b"", False
        self.inbox, self.payloads = [], []
        self.conn = NoiseSocketConnection(
            initiator=True,
            s=KeyPair.from_private(self.key.static),
            rs=victim.core.node_id if pattern == "IK" else None,
            application_prologue=APPLICATION_PROLOGUE,
            entropy=stream(f"puppet {name} {victim.core._connections}"),
        )
        self.pattern = pattern
        self.number = victim.core.new_connection()
        victim.wires[self.number] = (self, 0)
        net.give(victim, io.Accepted(self.number, Address(address, 4000 + self.number)))

    def say(self, data):
        """Bytes on the wire, any bytes."""
        self.said += data
        self.net.arrive(self, self.victim, self.number, data)
        self.net.pump()
        return self

    def receive(self, data):
        if not data:
            self.ended = True
        self.heard += data
        try:
            self.conn.receive_data(data)
            while (event := self.conn.next_event()) is not NEED_DATA:
                match event:
                    case HandshakePayload(body=body):
                        self.payloads.append(body)
                    case MessageReceived(body):
                        self.inbox += split_frames(body)
                    case EndOfStream():
                        self.inbox.append("end")
                    case Truncated():
                        pass
        except Exception as error:  # noqa: BLE001 - a puppet's own opinion is never what is asked
            self.inbox.append(error)

    def handshake(self, payload=None):
        """The whole handshake, with our card or another payload, up to the first transport message."""
        payload = encode_card(self.card.raw) if payload is None else payload
        if self.pattern == "IK":
            return self.say(self.conn.send_handshake(payload))
        self.say(self.conn.send_handshake(b""))
        return self.say(self.conn.send_handshake(payload))

    def message(self, *frames):
        return self.say(self.conn.send_message(b"".join(frames)))

    def frame(self, kind, payload=b""):
        return self.message(encode_frame(kind, payload))

    def hello(self, boot_id=b"p" * 16, replaces=b"", features=()):
        return self.frame(Kind.HELLO, Hello(boot_id, replaces, features).encode())

    def heads(self):
        """Says that it holds the first list, which makes it a peer like any other."""
        from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
        from p2pnoise.gossip.messages import Heads  # noqa: PLC0415

        held = self.victim.core.table.revocations.heads
        return self.frame(Kind.GOSSIP, encode(Heads(held)))

    def come_up(self):
        self.handshake().hello().heads()
        assert self.link.stage is Stage.UP
        return self

    def ready(self):
        """Says that it takes streams, and may open some from here on."""
        return self.frame(Kind.READY)

    @property
    def link(self):
        return self.victim.links.get(self.number)

    @property
    def told(self):
        """The code of the CLOSE that it heard, or None."""
        codes = [frame[1][0] for frame in self.inbox if isinstance(frame, tuple) and frame[0] == Kind.CLOSE]
        return Code(codes[0]) if codes else None


@pytest.fixture
def net():
    return Net()


@pytest.fixture(params=[None, 1], ids=["whole", "byte-by-byte"])
def any_net(request):
    """The same, with bytes handed over whole and one by one."""
    return Net(step=request.param)


@pytest.fixture
def make_net():
    return Net


def bootstrap(member, *, known=True):
    return Bootstrap(member.address, member.core.node_id if known else None)
