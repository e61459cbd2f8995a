"""What the Noise tests share: two sides of a handshake, and the vectors they are held against."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from p2pnoise.noise import HandshakeState, KeyPair, Protocol

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "vectors" / "noise-oracles.json"


@dataclass
class Sides:
    """Both ends of one handshake, with the keys they were made from."""

    initiator: HandshakeState
    responder: HandshakeState
    initiator_s: KeyPair
    responder_s: KeyPair

    def writer_and_reader(self) -> tuple[HandshakeState, HandshakeState]:
        if self.initiator.my_turn:
            return self.initiator, self.responder
        return self.responder, self.initiator

    def exchange(self, messages: int | None = None) -> None:
        """Plays this many messages with empty payloads; None plays all that are left."""
        while not self.initiator.finished and messages != 0:
            writer, reader = self.writer_and_reader()
            reader.read_message(writer.write_message(b""))
            messages = None if messages is None else messages - 1


def counting_entropy(start: int) -> Callable[[int], bytes]:
    """Distinct, repeatable keys: 32 times `start`, then 32 times start + 1, and so on."""
    numbers: Iterator[int] = iter(range(start, 256))
    return lambda length: bytes([next(numbers)]) * length


@pytest.fixture
def make_sides() -> Callable[..., Sides]:
    """Builds both sides of a handshake by its pattern, with keys of their own."""

    def make(pattern: str, *, suite: str = "25519_ChaChaPoly_BLAKE2s", prologue: bytes = b"") -> Sides:
        protocol = Protocol.parse(f"Noise_{pattern}_{suite}")
        initiator_s, responder_s = KeyPair.from_private(b"\x01" * 32), KeyPair.from_private(b"\x02" * 32)
        initiator = HandshakeState(
            protocol,
            initiator=True,
            prologue=prologue,
            s=initiator_s,
            rs=responder_s.public if pattern == "IK" else None,
            entropy=counting_entropy(16),
        )
        responder = HandshakeState(
            protocol, initiator=False, prologue=prologue, s=responder_s, entropy=counting_entropy(128)
        )
        return Sides(initiator, responder, initiator_s, responder_s)

    return make


def cacophony() -> Path:
    folder = os.environ.get("P2PNOISE_VECTORS") or ROOT.parent / "shared" / "vectors"
    return Path(folder) / "noise" / "cacophony.json"


def spoken(vector: dict[str, object]) -> bool:
    """Whether the vector is of a pattern and a DH that we have, without a psk."""
    name = str(vector["protocol_name"])
    return name.startswith(("Noise_XX_25519_", "Noise_IK_25519_"))


@pytest.fixture
def cacophony_vectors() -> list[dict[str, object]]:
    path = cacophony()
    if not path.exists():
        pytest.skip(f"skipped all cacophony vectors: no {path}; set P2PNOISE_VECTORS to the folder of vectors")
    return [vector for vector in json.loads(path.read_text())["vectors"] if spoken(vector)]


@pytest.fixture
def oracle_vectors() -> list[dict[str, object]]:
    return json.loads(ORACLES.read_text())["vectors"]
