"""What the NoiseSocket tests share: two connections and the carrier between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket import NEED_DATA, HandshakeCompleted, NoiseSocketConnection

INITIATOR_S, RESPONDER_S = KeyPair.from_private(b"\x01" * 32), KeyPair.from_private(b"\x02" * 32)
PROLOGUE = b"tests of p2pnoise"


def counting_entropy(start: int) -> Callable[[int], bytes]:
    """Distinct, repeatable keys: 32 times `start`, then 32 times start + 1, and so on."""
    numbers: Iterator[int] = iter(range(start, 256))
    return lambda length: bytes([next(numbers)]) * length


def new_connection(*, initiator: bool, pattern: str = "XX", **options: object) -> NoiseSocketConnection:
    options = {"application_prologue": PROLOGUE, "entropy": counting_entropy(16 if initiator else 128)} | options
    if initiator and pattern == "IK":
        options = {"rs": RESPONDER_S.public} | options
    return NoiseSocketConnection(initiator=initiator, s=INITIATOR_S if initiator else RESPONDER_S, **options)


def drain(connection: NoiseSocketConnection) -> list[object]:
    """All events that are there."""
    return list(iter(connection.next_event, NEED_DATA))


def feed(connection: NoiseSocketConnection, data: bytes, *, step: int | None = None) -> list[object]:
    """Feeds the data whole or in steps; returns the events."""
    events = []
    for start in range(0, len(data), step or len(data) or 1):
        connection.receive_data(data[start : start + (step or len(data))])
        events += drain(connection)
    return events


def feed_and_end(connection: NoiseSocketConnection, data: bytes) -> list[object]:
    """Feeds the data, then the carrier's end."""
    events = feed(connection, data)
    connection.receive_data(b"")
    return events + drain(connection)


@dataclass
class ConnectionPair:
    """Both ends of one connection and what they told."""

    initiator: NoiseSocketConnection
    responder: NoiseSocketConnection
    initiator_events: list[object]
    responder_events: list[object]
    packets: list[bytes]

    def exchange(self, bodies: Iterator[bytes] | None = None, *, messages: int = 9, step: int | None = None) -> None:
        """Plays handshake messages until this many are written or none is left, with these bodies or empty ones."""
        for _ in range(messages):
            body = next(bodies, b"") if bodies else b""
            if self.initiator.my_turn:
                packet = self.initiator.send_handshake(body)
                self.initiator_events += drain(self.initiator)
                self.responder_events += feed(self.responder, packet, step=step)
            elif self.responder.my_turn:
                packet = self.responder.send_handshake(body)
                self.responder_events += drain(self.responder)
                self.initiator_events += feed(self.initiator, packet, step=step)
            else:
                return
            self.packets.append(packet)


@pytest.fixture
def make_pair() -> Callable[..., ConnectionPair]:
    """Builds two connections that have said nothing yet. Options go to both; `initiator` and `responder` to one."""

    def make(pattern: str = "XX", *, initiator=None, responder=None, **both: object) -> ConnectionPair:
        return ConnectionPair(
            new_connection(initiator=True, pattern=pattern, **both | (initiator or {})),
            new_connection(initiator=False, **both | (responder or {})),
            [],
            [],
            [],
        )

    return make


@pytest.fixture
def make_open_pair(make_pair) -> Callable[..., ConnectionPair]:
    """Builds two connections whose handshake is finished."""

    def make(pattern: str = "XX", **options: object) -> ConnectionPair:
        pair = make_pair(pattern, **options)
        pair.exchange()
        assert isinstance(pair.initiator_events[-1], HandshakeCompleted)
        return pair

    return make


class Play:
    """The helpers above, for tests, which cannot import a conftest."""

    initiator_s = INITIATOR_S
    responder_s = RESPONDER_S
    initiator_e = KeyPair.from_private(bytes([16]) * 32).public
    prologue = PROLOGUE
    connection = staticmethod(new_connection)
    drain = staticmethod(drain)
    feed = staticmethod(feed)
    feed_and_end = staticmethod(feed_and_end)
    xx = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
    ik = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")


@pytest.fixture(scope="session")
def play() -> type[Play]:
    return Play
