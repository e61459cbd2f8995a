"""Two ends of a NoiseSocket for the fuzz targets, and the carrier between them, which does what a script says."""

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noise import NoiseError, Protocol
from p2pnoise.noisesocket import (
    NEED_DATA,
    P2PNOISE,
    EndOfStream,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NoiseSocketConnection,
    Profile,
    RetryRequested,
    SwitchRequested,
    Truncated,
)
from tests.fuzz import world
from tests.fuzz.script import Script

PROLOGUE = b"fuzz"
NEGOTIATION_DATA = {"XX": bytes.fromhex("000101010109"), "IK": bytes.fromhex("00010101010e")}
PATTERNS = tuple(NEGOTIATION_DATA)
XX, IK, FALLBACK = (Protocol.parse(f"Noise_{name}_25519_ChaChaPoly_BLAKE2s") for name in (*PATTERNS, "XXfallback"))
KEYS = 2_048
"""Bytes that a connection keeps besides what it has received: keys, hashes, names, ours to write again."""
OPENINGS = 1_000
"""And, while it may be answered by another protocol, the first packet that it wrote."""


class End:
    """One connection and its owner, who notes what it is told and what it keeps, and does what the peer asks for.

    A first message that cannot be read is answered by `instead`, "switch" or "retry", or not at all.
    """

    def __init__(
        self,
        name: str,
        *,
        initiator: bool,
        pattern: str,
        key: str = "bob",
        padded: bool = False,
        instead: str = "",
        profile: Profile = P2PNOISE,
    ) -> None:
        self.connection = NoiseSocketConnection(
            initiator=initiator,
            s=world.STATICS[name],
            rs=world.STATICS[key].public if initiator and pattern == "IK" else None,
            accepts=(FALLBACK, XX) if initiator else (XX, IK),
            application_prologue=PROLOGUE,
            entropy=world.stream(name),
            padding=(lambda body_len: -(-body_len // 32) * 32) if padded else (lambda body_len: body_len),
            profile=profile,
        )
        self.events: list[object] = []
        self.to_write = b""  # a request to retry
        self.received = 0  # bytes
        self.failed = False
        self._instead = instead

    def feed(self, data: bytes) -> None:
        """What the carrier brought, and whatever comes of it."""
        if self.failed or Truncated() in self.events:
            return
        self.received += len(data)
        try:
            self.connection.receive_data(data)
            while self._next():
                pass
        except RemoteProtocolError as error:
            self.failed = True
            self._expect_again(type(error))
        kept = world.held_bytes(self.connection)
        assert kept <= KEYS + OPENINGS + self.received, f"{kept} bytes kept after {self.received}"

    def _next(self) -> bool:
        try:
            event = self.connection.next_event()
        except NoiseError:
            if not self._instead or not self.connection.may_switch:
                raise
            if self._instead == "switch":
                self.connection.switch(FALLBACK)
            else:
                self.to_write = self.connection.request_retry(XX)
            return True
        if event is NEED_DATA:
            return False
        self.events.append(event)
        if isinstance(event, SwitchRequested | RetryRequested):
            self.connection.follow()
        return True

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
        if self.speaker.to_write:
            packet, self.speaker.to_write = self.speaker.to_write, b""
            return packet
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
        for payload in self.hearer.payloads:
            assert payload.body in self.shaken or not (payload.encrypted or self.hearer.completed)
