"""Fuzz target of a whole node: strangers and members, in any order, with any bytes, frames and gossip."""

import random
from collections.abc import Iterator
from contextlib import suppress

from cards import Address, Card, SignatureCache
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.gossip.effects import StorePeer
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import Heads
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore
from p2pnoise.node.frames import Hello, Kind, encode_card, encode_frame
from p2pnoise.node.link import APPLICATION_PROLOGUE
from p2pnoise.noise import DecryptError
from p2pnoise.noisesocket import NEED_DATA, NoiseSocketConnection, SwitchRequested
from tests.fuzz import world
from tests.fuzz.message_targets import gossip_messages
from tests.fuzz.noisesocket_ends import FALLBACK
from tests.fuzz.script import Script
from tests.fuzz.target import Target

ADDRESS = Address("10.0.0.1", 7060)
BOOTSTRAP = Bootstrap(Address("10.0.0.2", 7060), world.NODES["bob"].public)
CONFIG = NodeConfig(bootstrap=(BOOTSTRAP,), max_links=8)
PEERS = ("bob", "carl")
GOSSIP = tuple(gossip_messages())
HEADS = encode(Heads(world.REVOCATIONS.heads))
SIGNATURES = SignatureCache()  # facts, so one serves every story
MOST_SAID = 300_000
"""Bytes that a node may say to one input. A story is short, so that its table fills few messages."""
MOST_KEPT = 20_000
"""Bytes that a node may keep besides what it was told: cards, indexes and at most eight links; 4 kB measured."""


class Puppet:
    """Somebody at the other end of one connection. It speaks as the script says, and listens to keep up."""

    def __init__(self, number: int, name: str, *, pattern: str | None, payload: bytes) -> None:
        """`pattern` is the initiator's; a responder has none. A stale IK is meant for a key that ada has not."""
        self.number, self.payload = number, payload
        self.conn = NoiseSocketConnection(
            initiator=pattern is not None,
            s=world.STATICS[name],
            rs={"IK": world.NODES["ada"].public, "stale IK": world.NODES["carl"].public}.get(pattern or ""),
            accepts=(FALLBACK,) if pattern is not None else None,
            application_prologue=APPLICATION_PROLOGUE,
            entropy=world.stream(f"{name} {number}"),
        )

    def hear(self, data: bytes) -> bytes:
        """Takes what the node said; the answer, while the handshake lasts."""
        answer = b""
        with suppress(RemoteProtocolError, LocalProtocolError):
            self.conn.receive_data(data)
            while (event := self._next_event()) is not NEED_DATA:
                if isinstance(event, SwitchRequested):
                    self.conn.follow()
                if self.conn.my_turn:
                    answer += self.conn.send_handshake(self.payload)
        return answer

    def _next_event(self) -> object:
        try:
            return self.conn.next_event()
        except DecryptError:
            if not self.conn.may_switch:
                raise
            self.conn.switch(FALLBACK)
            return None

    def say(self, *frames: bytes) -> bytes:
        """One transport message; nothing where there can be none."""
        with suppress(RemoteProtocolError, LocalProtocolError):
            return self.conn.send_message(b"".join(frames))
        return b""


class Stage:
    """One node called ada, those who talk to it, and the clock."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.core = NodeCore(
            CONFIG,
            key=world.NODES["ada"],
            card=world.CARDS["ada"],
            policy=world.POLICY,
            random=random.Random(1),
            entropy=world.stream("ada"),
            signatures=SIGNATURES,
        )
        self.puppets: list[Puppet] = []
        self.dials: list[int] = []
        self.told = 0  # bytes
        self.stored: set[bytes] = set()
        self.give(io.TrustRestored((world.EMPTY_LIST,), {}))
        self.give(io.ListeningOn((ADDRESS,), (ADDRESS,)))

    def give(self, given: io.Input) -> None:
        """One input, and the answers of those who are still shaking hands."""
        said = 0
        effects = self.core.handle(given, Instant(self.now, world.NOW + self.now // SECOND - 1_000))
        due = self.core.deadline()
        assert not isinstance(given, io.Tick) or due is None or due > self.now, "a node that is never at rest"
        for effect in effects:
            match effect:
                case io.SendBytes(connection, data):
                    said += len(data)
                    for puppet in self.puppets:
                        if puppet.number == connection:
                            self.tell(puppet, puppet.hear(data))
                case io.Disconnect(connection):
                    self.puppets = [puppet for puppet in self.puppets if puppet.number != connection]
                case io.Dial(connection):
                    self.dials.append(connection)
                case StorePeer(peer):
                    assert peer.card.body in world.SIGNED, "a card is stored that nobody signed"
                    self.stored.add(bytes(peer.node_id))
        assert said <= MOST_SAID, f"{said} bytes said to one input"
        assert len(self.core.links.all) <= CONFIG.max_links

    def tell(self, puppet: Puppet, data: bytes) -> None:
        if data and puppet in self.puppets:
            self.told += len(data)
            self.give(io.BytesReceived(puppet.number, data))

    def accept(self, name: str, *, pattern: str, payload: bytes) -> Puppet:
        """Somebody connects and begins."""
        puppet = Puppet(self.core.new_connection(), name, pattern=pattern, payload=payload)
        self.puppets.append(puppet)
        self.give(io.Accepted(puppet.number, Address("192.0.2.9", 4_000 + puppet.number)))
        return puppet

    def wait(self, end: int) -> None:
        """Time passes; the node is ticked when it asks for it."""
        for _ in range(1_000):
            due = self.core.deadline()
            if due is None or due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            self.give(io.Tick())
        raise AssertionError("more than 1000 ticks between two inputs")


def node(data: bytes) -> bool:
    script, stage = Script(data), Stage()
    while script:
        act = script.choose((raw, frames, frames, arrive, come_up, answer_dial, pass_time, hang_up))
        act(script, stage)
    kept = world.held_bytes(stage.core)
    assert kept <= MOST_KEPT + stage.told, f"{kept} bytes kept after {stage.told}"
    stage.give(io.Stop())
    stage.wait(stage.now + int(max(CONFIG.close_timeout, CONFIG.handshake_timeout) * SECOND) + 1)
    assert not stage.core.links.all, "a link outlives the node"
    return len(stage.stored) > 1


def someone(script: Script, stage: Stage) -> Puppet | None:
    return script.choose(stage.puppets) if stage.puppets else None


def card_payload(script: Script) -> bytes:
    """What stands in a handshake payload: some card of this world, or anything."""
    known: list[Card] = [*world.CARDS.values(), world.RENEWED, *world.REQUESTS.values()]
    number = script.byte() % (len(known) + 1)
    return encode_card(known[number].raw) if number < len(known) else script.chunk()


def raw(script: Script, stage: Stage) -> None:
    puppet = someone(script, stage)
    if puppet is not None:
        stage.tell(puppet, script.chunk())


def frames(script: Script, stage: Stage) -> None:
    """Frames from somebody who holds the session's keys: gossip as it should be or mutated, or anything."""
    puppet = someone(script, stage)
    said = []
    for _ in range(1 + script.byte() % 3):
        kind = script.byte() % 16
        match kind, script.byte() % 4:
            case Kind.GOSSIP, 0 | 1 as mutate:
                payload = script.choose(GOSSIP)
                if mutate:
                    place, instead = script.byte() % (len(payload) + 1), script.chunk()
                    payload = payload[:place] + instead + payload[place + len(instead) :]
            case Kind.HELLO, 0:
                payload = Hello(script.take(1).ljust(16), b"").encode()
            case _:
                payload = script.chunk()
        said.append(encode_frame(kind, payload))
    if puppet is not None:
        stage.tell(puppet, puppet.say(*said))


def arrive(script: Script, stage: Stage) -> None:
    """A connection, with a handshake or with nothing yet."""
    name, pattern, payload = script.choose(PEERS), script.choose(("XX", "IK", "", "stale IK")), card_payload(script)
    puppet = stage.accept(name, pattern=pattern or "XX", payload=payload)
    if pattern:
        stage.tell(puppet, puppet.conn.send_handshake(payload if "IK" in pattern else b""))


def come_up(script: Script, stage: Stage) -> None:
    """A member links as it should."""
    name = script.choose(PEERS)
    payload = encode_card(world.CARDS[name].raw)
    puppet = stage.accept(name, pattern="IK", payload=payload)
    stage.tell(puppet, puppet.conn.send_handshake(payload))
    hello = Hello(script.take(1).ljust(16), b"").encode()
    stage.tell(puppet, puppet.say(encode_frame(Kind.HELLO, hello), encode_frame(Kind.GOSSIP, HEADS)))


def answer_dial(script: Script, stage: Stage) -> None:
    """Somebody or nobody is where the node dialled."""
    name, reached, payload = script.choose(PEERS), script.byte() % 4, card_payload(script)
    if not stage.dials:
        return
    connection = stage.dials.pop(0)
    if reached:
        stage.puppets.append(Puppet(connection, name, pattern=None, payload=payload))
        stage.give(io.Connected(connection))
    else:
        stage.give(io.ConnectFailed(connection, "connection refused"))


def pass_time(script: Script, stage: Stage) -> None:
    stage.wait(stage.now + script.byte() * SECOND // 8)


def hang_up(script: Script, stage: Stage) -> None:
    puppet = someone(script, stage)
    if puppet is not None:
        stage.puppets.remove(puppet)
        stage.give(io.BytesReceived(puppet.number, b""))


def node_seeds() -> Iterator[bytes]:
    raw_, frames_, arrive_, up, dialled, time_, end = (bytes([act]) for act in (0, 1, 3, 4, 5, 6, 7))
    bob, carl = b"\x00", b"\x01"
    for number in range(len(GOSSIP)):
        yield up + bob + b"b" + frames_ + b"\x00\x00\x04\x00" + bytes([number]) + time_ + b"\x60"
        yield up + carl + b"c" + frames_ + b"\x00\x00\x04\x01" + bytes([number, 20]) + b"\x01x"
    named, given = (bytes([len(GOSSIP) - back]) for back in (3, 1))
    ended = b"".join(frames_ + b"\x00\x00\x04\x00" + number for number in (named, given))
    yield up + bob + b"b" + up + carl + b"c" + ended + time_ + b"\x60"
    yield up + bob + b"b" + ended + up + carl + b"c" + time_ + b"\x60"
    yield up + bob + b"b" + up + carl + b"c" + time_ + b"\xf0" + end + b"\x00" + time_ + b"\x40"
    yield up + bob + b"b" + up + bob + b"q" + time_ + b"\x20"
    greet = frames_ + b"\x00\x01" + b"\x01\x00g" + b"\x04\x00\x00"  # HELLO and heads
    yield dialled + bob + b"\x01\x01" + greet + time_ + b"\xff"
    yield dialled + bob + b"\x00\x00" + time_ + b"\xff" + dialled + carl + b"\x01\x02"
    yield arrive_ + carl + b"\x00\x02" + greet + frames_ + b"\x00\x02" + b"\x02\x02\x00" + b"\x05\x02\x01\x00"
    yield arrive_ + bob + b"\x03\x01" + greet  # IK for a key that ada has not
    yield dialled + carl + b"\x01\x02" + time_ + b"\xff"  # who answers has another key
    yield arrive_ + bob + b"\x02\x00" + raw_ + b"\x00\x0a" + bytes.fromhex("00060001010101090000")
    yield arrive_ + bob + b"\x01\x07\x05abcde" + raw_ + b"\x00\x03abc"


TARGETS = {"node": Target(node, node_seeds, 600)}
