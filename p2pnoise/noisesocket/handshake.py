"""HandshakeExchange: the handshake of one connection, its negotiation data and the Noise messages behind them.

NoiseSocket, revision 2: accept and explicit reject, no switch, no retry. It parses what a ReceiveBuffer holds
and writes packets; when the transport takes over, `outcome` says with what.
"""

from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import CipherState, Entropy, HandshakeState, KeyPair, Protocol
from p2pnoise.noisesocket.errors import NegotiationError
from p2pnoise.noisesocket.events import HandshakeCompleted, HandshakePayload, Rejected
from p2pnoise.noisesocket.framing import BODY_LEN, Padding, ReceiveBuffer, decode_payload, encode_field, encode_payload
from p2pnoise.noisesocket.negotiation import (
    NEGOTIATION_DATA_LEN,
    encode_negotiation_data,
    encode_reject,
    initial_prologue,
    parse_negotiation_data,
    parse_reject,
)

__all__ = ["DEFAULT_ACCEPTS", "HandshakeExchange", "Outcome"]

DEFAULT_IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
DEFAULT_XX = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
DEFAULT_ACCEPTS = (DEFAULT_XX, DEFAULT_IK)


class Outcome(NamedTuple):
    """A completed handshake and the CipherStates we send and receive with."""

    completed: HandshakeCompleted
    send: CipherState
    receive: CipherState


class HandshakeExchange:
    """One side of one handshake.

    A LocalProtocolError leaves it unchanged, a RemoteProtocolError finishes it; its owner remembers that.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        s: KeyPair,
        entropy: Entropy,
        application_prologue: bytes,
        rs: bytes | None,
        protocol: Protocol | None,
        accepts: tuple[Protocol, ...],
        padding: Padding,
    ) -> None:
        """Raises LocalProtocolError if the keys do not fit the pattern, or a responder is given rs or protocol."""
        self.rs = rs
        self.protocol = protocol
        self.outcome: Outcome | None = None
        self._initiator = initiator
        self._s = s
        self._entropy = entropy
        self._application_prologue = application_prologue
        self._accepts = accepts
        self._padding = padding
        self._messages = 0  # written and read so far
        # From the initiator's choice or the responder's agreement until the last message.
        self._state: HandshakeState | None = None
        # What the negotiation data in front of the next Noise message came to: go on, or an explicit reject.
        self._agreed: HandshakeState | None = None
        self._rejected: tuple[Protocol, ...] | None = None
        if initiator:
            self.protocol = protocol or (DEFAULT_XX if rs is None else DEFAULT_IK)
            self._state = self._new_state(self.protocol)
        elif rs is not None or protocol is not None:
            raise LocalProtocolError("a responder takes neither rs nor protocol: the initiator brings both")

    @property
    def my_turn(self) -> bool:
        """Whether the next message is ours to write."""
        return self._state is not None and self._state.my_turn

    @property
    def before_first_answer(self) -> bool:
        """Whether this is a responder that has not answered, so that it may still reject."""
        return not self._initiator and self._messages <= 1

    def write(self, body: bytes) -> bytes:
        """The packet of our next message.

        Raises LocalProtocolError if it is not our turn or the body is too long; InvalidPublicKey if the
        peer's key is of low order.
        """
        if self._state is None or not self._state.my_turn:
            raise LocalProtocolError("no handshake message is ours to write")
        # body_len and padding exist in encrypted payloads only; a cleartext payload is the body.
        payload = body
        if self._state.payload_encrypted:
            payload = encode_payload(body, self._padding(len(body)), self._state.max_payload - BODY_LEN)
        noise_message = self._state.write_message(payload)
        # The first message names the protocol; empty negotiation data in an answer accept it.
        negotiation_data = encode_negotiation_data(self._state.protocol) if self._messages == 0 else b""
        self._advance(self._state)
        return encode_field(negotiation_data) + encode_field(noise_message)

    def read(self, buffer: ReceiveBuffer) -> HandshakePayload | Rejected | None:
        """What the peer's next message carried; None until all of it is there.

        Raises NegotiationError, FramingError or a NoiseError for what no honest peer sends.
        """
        if self._agreed is None and self._rejected is None:
            self._read_negotiation_data(buffer)
        if self._rejected is not None:
            return self._read_rejected(self._rejected, buffer)
        if self._agreed is None:
            return None
        noise_message = buffer.take_field()
        return None if noise_message is None else self._read_noise_message(self._agreed, noise_message)

    def reject(self) -> bytes:
        """The packet of an explicit reject, which lists what we accept; the same bytes for every reason."""
        return encode_reject(self._accepts)

    def _new_state(self, protocol: Protocol) -> HandshakeState:
        negotiation_data = encode_negotiation_data(protocol)
        return HandshakeState(
            protocol,
            initiator=self._initiator,
            prologue=initial_prologue(negotiation_data, self._application_prologue),
            s=self._s,
            rs=self.rs,
            entropy=self._entropy,
        )

    def _read_negotiation_data(self, buffer: ReceiveBuffer) -> None:
        first_message, first_answer = self._messages == 0, self._messages == 1
        length = buffer.peek_length()
        # A length that cannot be is refused before its bytes are waited for. Only the first answer has a
        # choice.
        expected = NEGOTIATION_DATA_LEN if first_message else 0
        if length is not None and length != expected and not first_answer:
            raise NegotiationError(f"negotiation data of {length} bytes, {expected} expected")
        negotiation_data = buffer.take_field()
        if negotiation_data is None:
            return
        if first_message:
            self._state = self._agree(parse_negotiation_data(negotiation_data))
        if negotiation_data and first_answer:
            self._rejected = parse_reject(negotiation_data)
        else:
            self._agreed = self._state

    def _agree(self, protocol: Protocol) -> HandshakeState:
        if protocol not in self._accepts:
            accepted = ", ".join(accept.name for accept in self._accepts)
            raise NegotiationError(f"the peer speaks {protocol.name}, we accept {accepted}")
        self.protocol = protocol
        return self._new_state(protocol)

    def _read_rejected(self, speaks: tuple[Protocol, ...], buffer: ReceiveBuffer) -> Rejected | None:
        # The Go reference closes without the noise_message_len that should follow its 0001ff.
        bare = not speaks and buffer.at_eof and not buffer
        noise_message = b"" if bare else buffer.take_field()
        if noise_message:
            raise NegotiationError(f"noise message of {len(noise_message)} bytes in a reject, 0 expected")
        return None if noise_message is None else Rejected(speaks)

    def _read_noise_message(self, state: HandshakeState, noise_message: bytes) -> HandshakePayload:
        encrypted = state.payload_encrypted
        payload = state.read_message(noise_message)
        body = decode_payload(payload) if encrypted else payload
        replayable = self._messages == 0
        self._agreed = None
        self._advance(state)
        return HandshakePayload(body=body, encrypted=encrypted, replayable=replayable, rs=self.rs)

    def _advance(self, state: HandshakeState) -> None:
        self._messages += 1
        self.rs = state.rs
        if state.finished and state.rs is not None:
            completed = HandshakeCompleted(handshake_hash=state.handshake_hash, rs=state.rs)
            self.outcome = Outcome(completed, *state.split())
            # Whoever reads our memory later shall not find the keys that the transport's came from.
            self._state = None
