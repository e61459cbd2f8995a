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
    psks: dict[int, bytes]

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


@pytest.fixture(scope="session")
def make_sides() -> Callable[..., Sides]:
    """Builds both sides of a handshake by its pattern, with keys of their own; `options` go to both."""

    def make(pattern: str, *, suite: str = "25519_ChaChaPoly_BLAKE2s", **options: object) -> Sides:
        protocol = Protocol.parse(f"Noise_{pattern}_{suite}")
        initiator_s, responder_s, fallen = (
            KeyPair.from_private(bytes([n]) * protocol.dh.dh_len, protocol.dh) for n in (1, 2, 3)
        )
        psks = {number: bytes([64 + number]) * 32 for number in protocol.pattern.psks}
        known_initiator, known_responder = protocol.pattern.pre_messages
        options = {"psks": psks} | options
        return Sides(
            HandshakeState(
                protocol,
                initiator=True,
                s=initiator_s,
                rs=responder_s.public if "s" in known_responder else None,
                re=fallen.public if "e" in known_responder else None,
                entropy=counting_entropy(16),
                **options,
            ),
            HandshakeState(
                protocol,
                initiator=False,
                s=responder_s,
                e=fallen if "e" in known_responder else None,
                rs=initiator_s.public if "s" in known_initiator else None,
                entropy=counting_entropy(128),
                **options,
            ),
            initiator_s,
            responder_s,
            psks,
        )

    return make


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """The path of a file of published vectors; skips the test if it is not there."""

    def path(name: str) -> Path:
        folder = os.environ.get("P2PNOISE_VECTORS") or ROOT.parent / "shared" / "vectors"
        if not (Path(folder) / name).exists():
            pytest.skip(f"skipped the vectors of {name}: none in {folder}; set P2PNOISE_VECTORS to their folder")
        return Path(folder) / name

    return path


@pytest.fixture
def oracle_vectors() -> list[dict[str, object]]:
    return json.loads(ORACLES.read_text())["vectors"]
