"""Vectors of Noise handshakes and transports in the published forms: cacophony, snow and noise-c.

Each is played twice: we are the initiator and the file is the responder, then the other way round. What we write
must be what the file says, byte for byte, and what the file wrote must read as it says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from p2pnoise.errors import LocalProtocolError, P2PNoiseError
from p2pnoise.noise import CipherState, DecryptError, HandshakeState, KeyPair, Protocol
from p2pnoise.noise.patterns import parse_pattern
from tests.conformance.report import Report, UnusableFile, VectorFailed, load_vectors

INITIATOR, RESPONDER = "init", "resp"
ABANDONED = "IK"
"""What precedes a fallback, if the vector does not say."""


@dataclass(frozen=True)
class Vector:
    """One vector, its fields by either of the names that the published forms have for them."""

    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The protocol name: `protocol_name` in cacophony and snow, `name` in noise-c."""
        name = self.fields.get("protocol_name", self.fields.get("name"))
        if not isinstance(name, str):
            raise VectorFailed("neither protocol_name nor name is a string")
        return name

    def protocol(self) -> Protocol:
        """The protocol that ends the handshake."""
        try:
            return Protocol.parse(self.name)
        except LocalProtocolError as error:
            raise VectorFailed(f"unknown protocol: {error}") from error

    def abandoned(self) -> Protocol | None:
        """The protocol that fell back to the vector's own, if one did."""
        protocol = self.protocol()
        if not protocol.pattern.fallback:
            return None
        return replace(protocol, pattern=parse_pattern(str(self.fields.get("pattern") or ABANDONED)))

    def hex(self, key: str) -> bytes:
        """The field in hexadecimal as bytes, empty if it is not there."""
        value = self.fields.get(key)
        return b"" if value is None else _unhex(value, key)

    def psks(self, role: str, numbers: Sequence[int]) -> dict[int, bytes]:
        """By modifier: a list `init_psks` in the order of the modifiers, or one `init_psk` for all of them."""
        one, many = f"{role}_psk", f"{role}_psks"
        if self.fields.get(one) is not None:
            return dict.fromkeys(numbers, _unhex(self.fields[one], one))
        listed = self.fields.get(many) or []
        if not isinstance(listed, list) or len(listed) != len(numbers):
            raise VectorFailed(f"{many} is no list of {len(numbers)} psks")
        return {number: _unhex(psk, many) for number, psk in zip(numbers, listed, strict=True)}

    def messages(self) -> list[tuple[bytes, bytes]]:
        """The payload and the ciphertext of each message."""
        messages = self.fields.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise VectorFailed("messages is no list of objects")
        return [
            (_unhex(message.get("payload"), "payload"), _unhex(message.get("ciphertext"), "ciphertext"))
            for message in messages
        ]


class Side:
    """One side of a vector's conversation, played by us."""

    def __init__(self, vector: Vector, role: str) -> None:
        self._vector = vector
        self._role = role
        self._abandoned = vector.abandoned()
        self._ciphers: tuple[CipherState, CipherState] | None = None
        protocol = self._abandoned or vector.protocol()
        rs = vector.hex(f"{role}_remote_static")
        theirs = protocol.pattern.pre_messages[1 if role == INITIATOR else 0]
        self._state = HandshakeState(
            protocol,
            initiator=role == INITIATOR,
            prologue=vector.hex(f"{role}_prologue"),
            s=self._key_pair("static"),
            # Some vectors name keys that their pattern does not know beforehand.
            rs=rs if "s" in theirs else None,
            psks=vector.psks(role, protocol.pattern.psks) if self._abandoned is None else {},
            entropy=self._entropy,
        )

    def play(self) -> None:
        """The whole conversation."""
        messages = self._vector.messages()
        one_way = self._state.protocol.pattern.one_way
        for number, (payload, ciphertext) in enumerate(messages):
            ours = (one_way or number % 2 == 0) == (self._role == INITIATOR)
            if self._abandoned is not None and number == 1:
                self._fall_back(messages[0][1])
            if self._abandoned is not None and number == 0 and not ours:
                self._read_nothing(ciphertext)
            elif ours:
                _compare(f"message {number + 1}", self._write(payload), ciphertext)
            else:
                _compare(f"the payload of message {number + 1}", self._read(ciphertext), payload)
            self._end_handshake()
        if self._ciphers is None:
            raise VectorFailed("ends inside its handshake")

    def _write(self, payload: bytes) -> bytes:
        if self._ciphers is None:
            return self._state.write_message(payload)
        return self._ciphers[0].encrypt_with_ad(b"", payload)

    def _read(self, message: bytes) -> bytes:
        if self._ciphers is None:
            return self._state.read_message(message)
        return self._ciphers[1].decrypt_with_ad(b"", message)

    def _read_nothing(self, message: bytes) -> None:
        try:
            self._state.read_message(message)
        except DecryptError:
            return
        raise VectorFailed("message 1 can be read, so nothing falls back")

    def _fall_back(self, message: bytes) -> None:
        protocol = self._vector.protocol()
        self._state = self._state.fall_back(
            protocol,
            prologue=self._vector.hex(f"{self._role}_prologue"),
            s=self._key_pair("static"),
            psks=self._vector.psks(self._role, protocol.pattern.psks),
            message=message,
        )

    def _end_handshake(self) -> None:
        if self._ciphers is not None or not self._state.finished:
            return
        handshake_hash = self._vector.hex("handshake_hash")
        if handshake_hash:
            _compare("handshake_hash", self._state.handshake_hash, handshake_hash)
        self._ciphers = self._state.split()

    def _key_pair(self, kind: str) -> KeyPair | None:
        private = self._vector.hex(f"{self._role}_{kind}")
        return KeyPair.from_private(private, self._vector.protocol().dh) if private else None

    def _entropy(self, length: int) -> bytes:
        ephemeral = self._vector.hex(f"{self._role}_ephemeral")
        if len(ephemeral) != length:
            raise VectorFailed(f"{self._role}_ephemeral is {len(ephemeral)} bytes, {length} needed")
        return ephemeral


def play(vector: Mapping[str, Any]) -> None:
    """Plays the vector in both roles. Raises VectorFailed."""
    for role, called in ((INITIATOR, "initiator"), (RESPONDER, "responder")):
        try:
            Side(Vector(vector), role).play()
        except VectorFailed as error:
            raise VectorFailed(f"as {called}: {error}") from error
        except P2PNoiseError as error:
            raise VectorFailed(f"as {called}: {type(error).__name__}: {error}") from error


def run(path: Path, report: Report) -> None:
    """Plays every vector of the file. Raises UnusableFile."""
    vectors = load_vectors(path, "vectors")
    objects = [vector if isinstance(vector, dict) else {} for vector in vectors]
    if not any({"protocol_name", "name"} & vector.keys() and "messages" in vector for vector in objects):
        raise UnusableFile("of another form: vectors with protocol_name or name, and messages, expected", 3)
    for number, vector in enumerate(objects, 1):
        name = vector.get("protocol_name", vector.get("name"))
        report.run(f"{path.name}: vector {number}, {name}", partial(play, vector))


def _unhex(value: object, key: str) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise VectorFailed(f"{key} is not hexadecimal") from None


def _compare(what: str, ours: bytes, theirs: bytes) -> None:
    if ours != theirs:
        raise VectorFailed(f"{what} is {ours.hex()}, {theirs.hex()} expected")
