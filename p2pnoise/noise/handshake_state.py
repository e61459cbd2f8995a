"""HandshakeState: walks a pattern's tokens, message by message (spec, section 5.3).

Bytes in, bytes out, and no trace of a message that failed. It knows no frames and no sockets.
"""

from collections.abc import Mapping

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.cipher_state import CipherState, SilentDirection
from p2pnoise.noise.dh import Entropy, KeyPair
from p2pnoise.noise.errors import MessageSizeError
from p2pnoise.noise.functions import TAGLEN
from p2pnoise.noise.keys import HandshakeKeys, KeysCheckpoint
from p2pnoise.noise.patterns import Token, Tokens
from p2pnoise.noise.protocol import MAX_MESSAGE, Protocol
from p2pnoise.noise.symmetric_state import SymmetricCheckpoint, SymmetricState

__all__ = ["MAX_MESSAGE", "HandshakeState"]


class HandshakeState:
    """One side of one handshake.

    Any error leaves the object as it was before the call: the same message may be tried again, or another
    one. The errors of `write_message` and `read_message` are LocalProtocolError out of turn or without a key
    that the message needs, and the NoiseErrors named there.
    """

    __slots__ = (
        "_abandoned",
        "_entropy",
        "_keys",
        "_position",
        "_split",
        "_symmetric_state",
        "initiator",
        "protocol",
    )

    def __init__(
        self,
        protocol: Protocol,
        *,
        initiator: bool,
        entropy: Entropy,
        prologue: bytes = b"",
        s: KeyPair | None = None,
        e: KeyPair | None = None,
        rs: bytes | None = None,
        re: bytes | None = None,
        psks: Mapping[int, bytes] | None = None,
    ) -> None:
        """Initialize(handshake_pattern, initiator, prologue, s, e, rs, re).

        `psks` go by the number of their modifier: {3: psk} for XXpsk3. They, and an `s` that no pre-message
        names, may follow later with `set_psk` and `set_s`. `e` and `re` are for fallback patterns, which know
        one of them beforehand; any other e is made when it is written.

        Raises LocalProtocolError if a key that the pattern knows beforehand is not given, one that its
        messages bring is, or one has another length or DH than the protocol's.
        """
        self.protocol = protocol
        self.initiator = initiator
        self._entropy = entropy
        self._keys = HandshakeKeys(protocol, initiator=initiator)
        self._keys.give(s=s, e=e, rs=rs, re=re, psks=psks)
        # Derives a protocol_name byte sequence by combining the names for the handshake pattern and crypto
        # functions. Calls InitializeSymmetric(protocol_name). Calls MixHash(prologue).
        self._symmetric_state = SymmetricState(protocol.initial_h, protocol.cipher, protocol.hash)
        self._symmetric_state.mix_hash(prologue)
        # Calls MixHash() once for each public key listed in the pre-messages.
        for token, public_key in self._keys.pre_messages():
            match token:
                case "e":
                    self._mix_e(public_key)
                case _:
                    self._symmetric_state.mix_hash(public_key)
        self._position = 0
        self._abandoned = False
        self._split = False

    @property
    def rs(self) -> bytes | None:
        """The peer's static public key, 32 bytes or 56 for 448, once known."""
        return self._keys.remote["s"].public_bytes_raw() if "s" in self._keys.remote else None

    @property
    def finished(self) -> bool:
        """Whether all messages are written and read."""
        return self._position == len(self.protocol.pattern.messages)

    @property
    def my_turn(self) -> bool:
        """Whether the next message is ours to write."""
        return not (self.finished or self._abandoned) and (self._position % 2 == 0) == self.initiator

    @property
    def payload_encrypted(self) -> bool:
        """Whether the next payload, written or read, is encrypted. In the transport they all are."""
        return self.protocol.pattern.layouts[self._position].payload_encrypted

    @property
    def max_payload(self) -> int:
        """Bytes of payload that the next message holds, at most."""
        return self.protocol.max_payloads[self._position]

    @property
    def handshake_hash(self) -> bytes:
        """h at the end, to bind a channel to; spec, section 11.2. Raises LocalProtocolError before."""
        self._check_finished()
        return self._symmetric_state.h

    def set_s(self, s: KeyPair) -> None:
        """Our static key pair, where it was not known at the start.

        Raises LocalProtocolError if it is of another DH than the protocol's or already there.
        """
        self._check_not_abandoned()
        self._keys.give_local("s", s)

    def set_psk(self, number: int, psk: bytes) -> None:
        """The 32 bytes for the modifier psk`number`; in place of earlier ones, if no message could be read with them.

        Raises LocalProtocolError if the pattern has no such modifier, its message has passed, or the length is
        another.
        """
        self._check_not_abandoned()
        passed = self.protocol.pattern.messages[: self._position]
        if any(f"psk{number}" in tokens for tokens in passed):
            raise LocalProtocolError(f"the message of psk{number} has passed")
        self._keys.give_psk(number, psk)

    def write_message(self, payload: bytes) -> bytes:
        """WriteMessage(payload): the message to send.

        Raises LocalProtocolError if it is not our turn, the payload is above `max_payload`, or our s or a psk
        is missing: give it and call again. InvalidPublicKey if the peer's key is of low order.
        """
        tokens = self._next_message(ours=True)
        if len(payload) > self.protocol.max_payloads[self._position]:
            raise LocalProtocolError(f"payload of {len(payload)} bytes, at most {self.max_payload}")
        keys, symmetric_state, message = self._keys, self._symmetric_state, b""
        checkpoint = keys.checkpoint(), symmetric_state.checkpoint()
        try:
            for token in tokens:
                match token:
                    case "ee" | "es" | "se" | "ss":
                        # For "es": calls MixKey(DH(e, rs)) if initiator, MixKey(DH(s, re)) if responder. The
                        # others likewise.
                        symmetric_state.mix_key(keys.dh(token))
                    case "e":
                        # Sets e = GENERATE_KEYPAIR(). Appends e.public_key to the buffer. Calls
                        # MixHash(e.public_key).
                        public_key = keys.generate_e(self._entropy)
                        message += public_key
                        self._mix_e(public_key)
                    case "s":
                        # Appends EncryptAndHash(s.public_key) to the buffer.
                        message += symmetric_state.encrypt_and_hash(keys.own(token).public)
                    case _:
                        # 9.2: for "psk", calls MixKeyAndHash(psk).
                        symmetric_state.mix_key_and_hash(keys.psk(token))
            # Appends EncryptAndHash(payload) to the buffer.
            message += symmetric_state.encrypt_and_hash(payload)
        except BaseException:
            self._rollback(*checkpoint)
            raise
        self._position += 1
        return message

    def read_message(self, message: bytes) -> bytes:
        """ReadMessage(message): its payload.

        Raises LocalProtocolError if it is not the peer's turn, or our s or a psk is missing: give it and call
        again. MessageSizeError, DecryptError or InvalidPublicKey for a message that no honest peer writes.
        """
        tokens = self._next_message(ours=False)
        if len(message) > MAX_MESSAGE:
            raise MessageSizeError(f"message of {len(message)} bytes, at most {MAX_MESSAGE}")
        keys, symmetric_state, dh_len, offset = self._keys, self._symmetric_state, self.protocol.dh.dh_len, 0
        checkpoint = keys.checkpoint(), symmetric_state.checkpoint()
        try:
            for token in tokens:
                match token:
                    case "ee" | "es" | "se" | "ss":
                        symmetric_state.mix_key(keys.dh(token))
                    case "e":
                        # Sets re to the next DHLEN bytes from the message. Calls MixHash(re.public_key).
                        public_key = _part(message, offset, dh_len, token)
                        offset += dh_len
                        keys.read_remote(token, public_key)
                        self._mix_e(public_key)
                    case "s":
                        # Sets temp to the next DHLEN + 16 bytes of the message if HasKey() == True, or to the
                        # next DHLEN bytes otherwise. Sets rs to DecryptAndHash(temp).
                        length = dh_len + TAGLEN if symmetric_state.has_key else dh_len
                        temp = _part(message, offset, length, token)
                        offset += length
                        keys.read_remote(token, symmetric_state.decrypt_and_hash(temp))
                    case _:
                        symmetric_state.mix_key_and_hash(keys.psk(token))
            # Calls DecryptAndHash() on the remaining bytes of the message and stores the output into
            # payload_buffer.
            payload = symmetric_state.decrypt_and_hash(message[offset:])
        except BaseException:
            self._rollback(*checkpoint)
            raise
        self._position += 1
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """Split(): the CipherStates we send and receive with, in this order for either role.

        After a one-way pattern the one from responder to initiator raises LocalProtocolError for all it is
        asked. Raises LocalProtocolError before the handshake is finished and the second time: two copies of
        one key would use every nonce twice.
        """
        self._check_finished()
        if self._split:
            raise LocalProtocolError("the handshake is split already")
        self._split = True
        # The first for encrypting transport messages from initiator to responder, the second for the other
        # direction.
        c1, c2 = self._symmetric_state.split()
        if self.protocol.pattern.one_way:
            c2 = SilentDirection(self.protocol.cipher, self.protocol.pattern.name)
        return (c1, c2) if self.initiator else (c2, c1)

    def fall_back(
        self,
        protocol: Protocol,
        *,
        prologue: bytes = b"",
        s: KeyPair | None = None,
        psks: Mapping[int, bytes] | None = None,
        message: bytes = b"",
    ) -> "HandshakeState":
        """Abandon this handshake after its first message, for one of a fallback pattern; spec, section 10.

        That message's ephemeral key goes over to it. Who initiated here responds there; who responded here
        hands in the `message` that could not be read. This object is good for nothing afterwards.

        Raises LocalProtocolError at any other time or if the keys do not fit, MessageSizeError if the message
        ends inside its ephemeral key; this object is as before then.
        """
        if self._abandoned or self._position > 1 or self._position < self.initiator:
            raise LocalProtocolError("only after its first message falls a handshake back")
        e, re = self._keys.local.get("e"), None
        if not self.initiator:
            re = _part(message, 0, self.protocol.dh.dh_len, "e")
        fallback = HandshakeState(
            protocol,
            initiator=not self.initiator,
            entropy=self._entropy,
            prologue=prologue,
            s=s,
            e=e,
            re=re,
            psks=psks,
        )
        self._abandoned = True
        # One ephemeral key in two handshakes at once would be no ephemeral key.
        self._keys = HandshakeKeys(self.protocol, initiator=self.initiator)
        return fallback

    def _next_message(self, *, ours: bool) -> Tokens:
        """The tokens of the next message. Raises LocalProtocolError if it is not ours to write, or to read."""
        messages = self.protocol.pattern.messages
        if self._abandoned or self._position == len(messages) or ((self._position % 2 == 0) == self.initiator) != ours:
            self._check_not_abandoned()
            raise LocalProtocolError(f"message {self._position + 1} is not ours to {'write' if ours else 'read'}")
        return messages[self._position]

    def _mix_e(self, public_key: bytes) -> None:
        self._symmetric_state.mix_hash(public_key)
        # 9.2: in a PSK handshake all of these calls are followed by MixKey(e.public_key).
        if self.protocol.pattern.psks:
            self._symmetric_state.mix_key(public_key)

    def _check_not_abandoned(self) -> None:
        if self._abandoned:
            raise LocalProtocolError("the handshake is abandoned for a fallback")

    def _check_finished(self) -> None:
        if not self.finished:
            length = len(self.protocol.pattern.messages)
            raise LocalProtocolError(f"the handshake has seen {self._position} of its {length} messages")

    def _rollback(self, keys: KeysCheckpoint, symmetric_state: SymmetricCheckpoint) -> None:
        self._keys.rollback(keys)
        self._symmetric_state.rollback(symmetric_state)


def _part(message: bytes, offset: int, length: int, token: Token) -> bytes:
    if len(message) - offset < length:
        raise MessageSizeError(f"message of {len(message)} bytes, {offset + length} needed up to its {token}")
    return message[offset : offset + length]
