"""Fuzz targets of NoiseSocket: a carrier that lies, and a peer that holds the keys and lies in them.

The peer is not ours but a second reading of the spec, a HandshakeState behind lengths, so that it can say what a
NoiseSocketConnection never would.
"""

from collections.abc import Iterator

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noise import HandshakeState, Protocol
from p2pnoise.noisesocket import (
    NEED_DATA,
    EndOfStream,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NoiseSocketConnection,
    Rejected,
    Truncated,
)
from tests.fuzz import world
from tests.fuzz.script import Script
from tests.fuzz.target import Target

PROLOGUE = b"fuzz"
NEGOTIATION_DATA = {"XX": bytes.fromhex("000101010109"), "IK": bytes.fromhex("00010101010e")}
PATTERNS = tuple(NEGOTIATION_DATA)
KEYS = 2_048
"""Bytes that a connection keeps besides what it has received: keys, hashes, names, ours to write again."""


class End:
    """One connection and its owner, who notes what it is told and what it keeps."""

    def __init__(self, name: str, *, initiator: bool, pattern: str, padded: bool = False) -> None:
        self.connection = NoiseSocketConnection(
            initiator=initiator,
            s=world.STATICS[name],
            rs=world.STATICS["bob"].public if initiator and pattern == "IK" else None,
            application_prologue=PROLOGUE,
            entropy=world.stream(name),
            padding=(lambda body_len: -(-body_len // 32) * 32) if padded else (lambda body_len: body_len),
        )
        self.events: list[object] = []
        self.received = 0  # bytes
        self.failed = False

    def feed(self, data: bytes) -> None:
        """What the carrier brought, and whatever comes of it."""
        if self.failed or Truncated() in self.events:
            return
        self.received += len(data)
        try:
            self.connection.receive_data(data)
            self.events += iter(self.connection.next_event, NEED_DATA)
        except RemoteProtocolError as error:
            self.failed = True
            self._expect_again(type(error))
        kept = world.held_bytes(self.connection)
        assert kept <= KEYS + self.received, f"{kept} bytes kept after {self.received}"

    def _expect_again(self, kind: type[RemoteProtocolError]) -> None:
        try:
            self.connection.next_event()
        except kind:
            return
        raise AssertionError("a failed connection goes on")

    @property
    def may_shake(self) -> bool:
        return not self.failed and self.connection.my_turn

    @property
    def may_talk(self) -> bool:
        return not self.failed and self.connection.finished

    @property
    def completed(self) -> HandshakeCompleted | None:
        return next((event for event in self.events if isinstance(event, HandshakeCompleted)), None)

    @property
    def payloads(self) -> list[HandshakePayload]:
        return [event for event in self.events if isinstance(event, HandshakePayload)]

    @property
    def bodies(self) -> list[bytes]:
        return [event.body for event in self.events if isinstance(event, MessageReceived)]


class Direction:
    """What one end said, and a carrier that does with it what the script says."""

    def __init__(self, speaker: End, hearer: End) -> None:
        self.speaker, self.hearer = speaker, hearer
        self.shaken: list[bytes] = []
        self.said: list[bytes] = []
        self.ended = False
        self._held_back = b""

    def speak(self, script: Script) -> bytes:
        """The next packet that the speaker may write, or nothing."""
        connection = self.speaker.connection
        if self.speaker.may_shake:
            self.shaken.append(script.chunk())
            packet = connection.send_handshake(self.shaken[-1])
            self.speaker.events += iter(connection.next_event, NEED_DATA)
            return packet
        if not self.speaker.may_talk or self.ended:
            return b""
        body = script.chunk()
        if not body:
            self.ended = True
            return connection.send_end()
        self.said.append(body)
        return connection.send_message(body)

    def carry(self, packet: bytes, script: Script) -> None:
        """Brings the packet, most often whole; or does to it what wires and strangers do."""
        place = script.byte() % (len(packet) + 1)
        match script.byte() % 12:
            case 0:  # cut
                packet = packet[:place]
            case 1:  # corrupt
                packet = packet[:place] + bytes([script.byte()]) + packet[place + 1 :]
            case 2:  # duplicate
                packet = packet + packet
            case 3:  # insert
                packet = packet[:place] + script.chunk() + packet[place:]
            case 4:  # replace
                packet = script.chunk()
            case 5:  # reorder
                packet, self._held_back = self._held_back, packet
            case 6:  # drop
                packet = b""
        step = script.byte() or len(packet) or 1
        for start in range(0, len(packet), step):
            self.hearer.feed(packet[start : start + step])

    def check(self) -> None:
        """What was heard is the beginning of what was said."""
        heard = self.hearer.bodies
        assert heard == self.said[: len(heard)], "a wrong byte is delivered"
        assert EndOfStream() not in self.hearer.events or (self.ended and heard == self.said)
        for said, payload in zip(self.shaken, self.hearer.payloads, strict=False):
            assert payload.body == said or not (payload.encrypted or self.hearer.completed)
        assert len(self.hearer.payloads) <= len(self.shaken) or not self.hearer.completed


def connection(data: bytes) -> bool:
    script = Script(data)
    pattern = script.choose(PATTERNS)
    options = script.byte()
    alice = End("ada", initiator=True, pattern=pattern, padded=bool(options & 1))
    bob = End("bob", initiator=False, pattern=pattern, padded=bool(options & 2))
    ways = Direction(alice, bob), Direction(bob, alice)
    while script:
        way = script.choose(ways)
        way.carry(way.speak(script), script)
    for end in (alice, bob):
        end.feed(b"")
    for way in ways:
        way.check()
    if alice.completed and bob.completed:
        assert alice.completed.handshake_hash == bob.completed.handshake_hash
    return all(EndOfStream() in end.events for end in (alice, bob))


def connection_seeds() -> Iterator[bytes]:
    whole = bytes((0, 7, 0))  # no place, nothing done, in one piece
    for pattern, shakes in ((0, (0, 1, 0)), (1, (0, 1))):
        for options in (0, 3):
            story = bytes([pattern, options])
            for way in (*shakes, 0, 1, 1, 0):
                story += bytes([way, 3]) + b"abc" + whole
            yield story + bytes([0, 0]) + whole + bytes([1, 0]) + bytes((0, 7, 1))
    yield bytes([0, 0, 0, 0, 5, 1, 1, 0])
    yield bytes([1, 0, 0, 0, 0, 2, 9])


def peer(data: bytes) -> bool:
    """A peer with keys of its own, whose payloads and negotiation data are the script's."""
    script = Script(data)
    pattern = script.choose(PATTERNS)
    initiator = bool(script.byte() % 2)  # the peer
    victim = End("bob" if initiator else "ada", initiator=not initiator, pattern=pattern)
    name = "ada" if initiator else "bob"
    noise = HandshakeState(
        Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"),
        initiator=initiator,
        prologue=b"NoiseSocketInit1" + field(NEGOTIATION_DATA[pattern]) + PROLOGUE,
        s=world.STATICS[name],
        rs=world.STATICS["bob"].public if initiator and pattern == "IK" else None,
        entropy=world.stream(name),
    )
    first = True
    while not noise.finished:
        if noise.my_turn:
            negotiation_data = NEGOTIATION_DATA[pattern] if first and initiator else b""
            if script.byte() % 16 == 15:
                negotiation_data = script.chunk()
            payload = said(script) if noise.payload_encrypted else script.chunk()
            victim.feed(field(negotiation_data) + field(noise.write_message(payload)))
            first = False
        elif victim.may_shake:
            packet = victim.connection.send_handshake(script.chunk())
            victim.events += iter(victim.connection.next_event, NEED_DATA)
            noise.read_message(fields(packet)[1])
        else:
            break
    if not (noise.finished and victim.may_talk):
        assert not victim.bodies
        return any(isinstance(event, Rejected) for event in victim.events)
    send, _ = noise.split()
    expected: list[object] = []
    while script:
        payload = said(script)
        wrong = len(payload) < 2 or int.from_bytes(payload[:2], "big") > len(payload) - 2
        ended = EndOfStream() in expected
        before = len(victim.bodies) + (EndOfStream() in victim.events)
        victim.feed(field(send.encrypt_with_ad(b"", payload)))
        after = len(victim.bodies) + (EndOfStream() in victim.events)
        if wrong or ended:
            assert victim.failed
            assert before == after
            return False
        body = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
        expected.append(MessageReceived(body) if body else EndOfStream())
        assert victim.events[-1] == expected[-1]
    return True


def said(script: Script) -> bytes:
    """The plaintext of a payload: a body, sometimes with padding, or whatever the script says."""
    content = script.chunk()
    match script.byte() % 4:
        case 0:
            return content
        case 1:
            return len(content).to_bytes(2, "big") + content + bytes(script.byte())
        case _:
            return len(content).to_bytes(2, "big") + content


def field(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def fields(packet: bytes) -> list[bytes]:
    found = []
    while packet:
        end = 2 + int.from_bytes(packet[:2], "big")
        found.append(packet[2:end])
        packet = packet[end:]
    return found


def peer_seeds() -> Iterator[bytes]:
    clear, sealed, theirs = b"\x00\x03abc", b"\x00\x03abc\x02", b"\x03def"
    talk = b"\x04body\x02" + b"\x04body\x01\x20" + b"\x00\x02"
    yield b"\x00\x01" + clear + theirs + sealed + talk
    yield b"\x00\x00" + theirs + sealed + theirs + talk
    yield b"\x01\x01" + sealed + theirs + talk
    yield b"\x01\x00" + theirs + sealed + talk
    yield b"\x00\x00" + theirs + b"\x0f\x07" + bytes.fromhex("0001ff01010109")
    yield b"\x01\x01" + sealed + theirs + b"\x03\x00\x05a\x00"


def stranger(data: bytes) -> bool:
    """Raw bytes for a connection that has come so far: role, pattern and messages by the first byte."""
    script = Script(data)
    choice = script.byte()
    pattern, role, messages = PATTERNS[choice & 1], choice >> 1 & 1, choice >> 2 & 3
    ends = [End(name, initiator=name == "ada", pattern=pattern) for name in ("ada", "bob")]
    for _ in range(messages):
        for speaker, hearer in (ends, ends[::-1]):
            if speaker.may_shake:
                hearer.feed(speaker.connection.send_handshake(b"body"))
                speaker.events += iter(speaker.connection.next_event, NEED_DATA)
                break
    victim = ends[role]
    before = len(victim.events)
    step = script.byte() or 1_000
    while script:
        victim.feed(script.take(step))
    victim.feed(b"")
    assert not victim.bodies
    assert EndOfStream() not in victim.events
    return any(not isinstance(event, Truncated) for event in victim.events[before:])


def stranger_seeds() -> Iterator[bytes]:
    for number, pattern in enumerate(PATTERNS):
        end = End("ada", initiator=True, pattern=pattern)
        yield bytes([number | 2, 0]) + end.connection.send_handshake(b"body")
    yield bytes([4, 7]) + field(bytes.fromhex("0001ff0101010e")) + field(b"")
    yield bytes([4, 0]) + field(bytes.fromhex("0001ff"))
    yield bytes([4, 0]) + field(b"") + field(bytes(96))


TARGETS = {
    "connection": Target(connection, connection_seeds, 600),
    "noisesocket-peer": Target(peer, peer_seeds, 400),
    "noisesocket-stranger": Target(stranger, stranger_seeds, 400),
}
