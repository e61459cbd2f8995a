"""HandshakeState: walks a pattern's tokens, message by message (spec, section 5.3).

Bytes in, bytes out, and no trace of a message that failed. It knows no frames and no sockets.
"""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.cipher_state import CipherState
from p2pnoise.noise.errors import MessageSizeError
from p2pnoise.noise.functions import DHLEN, TAGLEN, Entropy, KeyPair, dh
from p2pnoise.noise.patterns import Protocol, Token
from p2pnoise.noise.symmetric_state import SymmetricCheckpoint, SymmetricState

__all__ = ["MAX_MESSAGE", "HandshakeState"]

MAX_MESSAGE = 65535
"""Bytes of a Noise message, at most; spec, section 3."""

_Checkpoint = tuple[dict[str, KeyPair], dict[str, X25519PublicKey], SymmetricCheckpoint]


class _Layout(NamedTuple):
    """What surrounds the payload of the next message."""

    overhead: int
    payload_encrypted: bool


class HandshakeState:
    """One side of one handshake.

    Any error leaves the object as it was before the call: the same message may be tried again, or another
    one. The errors of `write_message` and `read_message` are LocalProtocolError out of turn, and the
    NoiseErrors named there.
    """

    def __init__(
        self,
        protocol: Protocol,
        *,
        initiator: bool,
        entropy: Entropy,
        prologue: bytes = b"",
        s: KeyPair | None = None,
        rs: bytes | None = None,
    ) -> None:
        """Initialize(handshake_pattern, initiator, prologue, s, e, rs, re); e is made when it is written.

        Raises LocalProtocolError if the pattern needs a static key that is not given, or brings the one that
        is, or if `rs` is not 32 bytes.
        """
        self.protocol = protocol
        self.initiator = initiator
        self._entropy = entropy
        self._local: dict[str, KeyPair] = {} if s is None else {"s": s}
        self._remote: dict[str, X25519PublicKey] = {}
        if rs is not None:
            if len(rs) != DHLEN:
                raise LocalProtocolError(f"rs of {len(rs)} bytes, {DHLEN} needed")
            self._remote["s"] = X25519PublicKey.from_public_bytes(rs)
        self._check_static_keys()
        # Derives a protocol_name byte sequence by combining the names for the handshake pattern and crypto
        # functions. Calls InitializeSymmetric(protocol_name). Calls MixHash(prologue).
        self._symmetric_state = SymmetricState(protocol.name.encode(), protocol.cipher, protocol.hash)
        self._symmetric_state.mix_hash(prologue)
        # Calls MixHash() once for each public key listed in the pre-messages. If both initiator and responder
        # have pre-messages, the initiator's public keys are hashed first.
        for from_initiator, pre_message in zip((True, False), protocol.pattern.pre_messages, strict=True):
            for token in pre_message:
                ours = from_initiator == initiator
                public_key = self._local[token].public if ours else self._remote[token].public_bytes_raw()
                self._symmetric_state.mix_hash(public_key)
        self._position = 0
        self._split = False

    def _check_static_keys(self) -> None:
        pattern = self.protocol.pattern
        ours, theirs = pattern.pre_messages if self.initiator else reversed(pattern.pre_messages)
        we_write = pattern.messages[0 if self.initiator else 1 :: 2]
        if ("s" in ours or any("s" in tokens for tokens in we_write)) and "s" not in self._local:
            raise LocalProtocolError(f"{pattern.name} needs our static key pair s")
        if "s" in theirs and "s" not in self._remote:
            raise LocalProtocolError(f"{pattern.name} needs the peer's static public key rs beforehand")
        # A key that is given and silently replaced by the one of a message would be a pin that holds nothing.
        if "s" in self._remote and "s" not in theirs:
            raise LocalProtocolError(f"{pattern.name} takes no rs: the peer sends its key, compare it then")

    @property
    def rs(self) -> bytes | None:
        """The peer's static public key, 32 bytes, once known."""
        return self._remote["s"].public_bytes_raw() if "s" in self._remote else None

    @property
    def finished(self) -> bool:
        """Whether all messages are written and read."""
        return self._position == len(self.protocol.pattern.messages)

    @property
    def my_turn(self) -> bool:
        """Whether the next message is ours to write."""
        return not self.finished and (self._position % 2 == 0) == self.initiator

    @property
    def payload_encrypted(self) -> bool:
        """Whether the next payload, written or read, is encrypted. In the transport they all are."""
        return self._layout().payload_encrypted

    @property
    def max_payload(self) -> int:
        """Bytes of payload that the next message holds, at most."""
        return MAX_MESSAGE - self._layout().overhead

    @property
    def handshake_hash(self) -> bytes:
        """h at the end, to bind a channel to; spec, section 11.2. Raises LocalProtocolError before."""
        self._check_finished()
        return self._symmetric_state.h

    def write_message(self, payload: bytes) -> bytes:
        """WriteMessage(payload): the message to send.

        Raises LocalProtocolError if it is not our turn or the payload is above `max_payload`;
        InvalidPublicKey if the peer's key is of low order.
        """
        if not self.my_turn:
            raise LocalProtocolError(f"message {self._position + 1} is not ours to write")
        if len(payload) > self.max_payload:
            raise LocalProtocolError(f"payload of {len(payload)} bytes, at most {self.max_payload}")
        checkpoint = self._checkpoint()
        try:
            message = b"".join(self._write_token(token) for token in self._tokens())
            # Appends EncryptAndHash(payload) to the buffer.
            message += self._symmetric_state.encrypt_and_hash(payload)
        except BaseException:
            self._rollback(checkpoint)
            raise
        self._position += 1
        return message

    def read_message(self, message: bytes) -> bytes:
        """ReadMessage(message): its payload.

        Raises LocalProtocolError if it is not the peer's turn; MessageSizeError, DecryptError or
        InvalidPublicKey for a message that no honest peer writes.
        """
        if self.finished or self.my_turn:
            raise LocalProtocolError(f"message {self._position + 1} is not ours to read")
        if len(message) > MAX_MESSAGE:
            raise MessageSizeError(f"message of {len(message)} bytes, at most {MAX_MESSAGE}")
        checkpoint = self._checkpoint()
        try:
            offset = 0
            for token in self._tokens():
                offset = self._read_token(token, message, offset)
            # Calls DecryptAndHash() on the remaining bytes of the message and stores the output into
            # payload_buffer.
            payload = self._symmetric_state.decrypt_and_hash(message[offset:])
        except BaseException:
            self._rollback(checkpoint)
            raise
        self._position += 1
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """Split(): the CipherStates we send and receive with, in this order for either role.

        Raises LocalProtocolError before the handshake is finished and the second time: two copies of one key
        would use every nonce twice.
        """
        self._check_finished()
        if self._split:
            raise LocalProtocolError("the handshake is split already")
        self._split = True
        # The first for encrypting transport messages from initiator to responder, the second for the other
        # direction.
        c1, c2 = self._symmetric_state.split()
        return (c1, c2) if self.initiator else (c2, c1)

    def _tokens(self) -> tuple[Token, ...]:
        return self.protocol.pattern.messages[self._position]

    def _write_token(self, token: Token) -> bytes:
        match token:
            case "e":
                # Sets e = GENERATE_KEYPAIR(). Appends e.public_key to the buffer. Calls
                # MixHash(e.public_key).
                e = self._local["e"] = KeyPair.generate(self._entropy)
                self._symmetric_state.mix_hash(e.public)
                return e.public
            case "s":
                # Appends EncryptAndHash(s.public_key) to the buffer.
                return self._symmetric_state.encrypt_and_hash(self._local["s"].public)
            case _:
                self._mix_dh(token)
                return b""

    def _read_token(self, token: Token, message: bytes, offset: int) -> int:
        """Takes the token from `message` at `offset`; returns where the next one begins."""
        match token:
            case "e":
                # Sets re to the next DHLEN bytes from the message. Calls MixHash(re.public_key).
                end = _end_of(token, DHLEN, message, offset)
                self._remote["e"] = X25519PublicKey.from_public_bytes(message[offset:end])
                self._symmetric_state.mix_hash(message[offset:end])
            case "s":
                # Sets temp to the next DHLEN + 16 bytes of the message if HasKey() == True, or to the next
                # DHLEN bytes otherwise. Sets rs to DecryptAndHash(temp).
                length = DHLEN + TAGLEN if self._symmetric_state.has_key else DHLEN
                end = _end_of(token, length, message, offset)
                public_key = self._symmetric_state.decrypt_and_hash(message[offset:end])
                self._remote["s"] = X25519PublicKey.from_public_bytes(public_key)
            case _:
                self._mix_dh(token)
                end = offset
        return end

    def _mix_dh(self, token: Token) -> None:
        # For "es": calls MixKey(DH(e, rs)) if initiator, MixKey(DH(s, re)) if responder. The others likewise.
        local, remote = tuple(token if self.initiator else token[::-1])
        self._symmetric_state.mix_key(dh(self._local[local], self._remote[remote]))

    def _layout(self) -> _Layout:
        keyed = self._symmetric_state.has_key
        overhead = 0
        for token in () if self.finished else self._tokens():
            match token:
                case "e":
                    overhead += DHLEN
                case "s":
                    overhead += DHLEN + TAGLEN if keyed else DHLEN
                case _:
                    keyed = True
        return _Layout(overhead + TAGLEN if keyed else overhead, keyed)

    def _check_finished(self) -> None:
        if not self.finished:
            length = len(self.protocol.pattern.messages)
            raise LocalProtocolError(f"the handshake has seen {self._position} of its {length} messages")

    def _checkpoint(self) -> _Checkpoint:
        return self._local.copy(), self._remote.copy(), self._symmetric_state.checkpoint()

    def _rollback(self, checkpoint: _Checkpoint) -> None:
        self._local, self._remote, symmetric_state = checkpoint
        self._symmetric_state.rollback(symmetric_state)


def _end_of(token: Token, length: int, message: bytes, offset: int) -> int:
    if len(message) - offset < length:
        raise MessageSizeError(f"message of {len(message)} bytes, {offset + length} needed up to its {token}")
    return offset + length
