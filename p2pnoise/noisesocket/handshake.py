"""HandshakeExchange: the handshake of one connection, its negotiation and the Noise messages behind it.

NoiseSocket, revision 2, whole: accept, switch, request retry and explicit reject (a silent one says nothing). It
parses what a ReceiveBuffer holds and writes packets; when the transport takes over, `outcome` says with what.
"""

from enum import Enum, auto
from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import CipherState, Entropy, HandshakeState, MessageSizeError, Protocol
from p2pnoise.noisesocket.errors import NegotiationError
from p2pnoise.noisesocket.events import (
    HandshakeCompleted,
    HandshakePayload,
    Rejected,
    RetryRequested,
    SwitchRequested,
)
from p2pnoise.noisesocket.framing import (
    BODY_LEN,
    Padding,
    ReceiveBuffer,
    decode_go_payload,
    decode_payload,
    encode_field,
    encode_go_payload,
    encode_payload,
)
from p2pnoise.noisesocket.keys import Keys
from p2pnoise.noisesocket.negotiation import GO_REJECT
from p2pnoise.noisesocket.profile import Profile
from p2pnoise.noisesocket.prologue import Packet, accept_prologue, retry_prologue, switch_prologue

__all__ = ["DEFAULT_ACCEPTS", "DEFAULT_FALLBACK", "DEFAULT_IK", "DEFAULT_XX", "HandshakeExchange", "Outcome"]

DEFAULT_IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
DEFAULT_XX = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
DEFAULT_ACCEPTS = (DEFAULT_XX, DEFAULT_IK)
DEFAULT_FALLBACK = Protocol.parse("Noise_XXfallback_25519_ChaChaPoly_BLAKE2s")

ReadEvent = HandshakePayload | Rejected | SwitchRequested | RetryRequested


class Outcome(NamedTuple):
    """A completed handshake and the CipherStates we send and receive with."""

    completed: HandshakeCompleted
    send: CipherState
    receive: CipherState


class _Step(Enum):
    """What the negotiation data of the next packet that we read may say."""

    OPENING = auto()  # to a responder: a protocol
    ANSWER = auto()  # to the initiator: accept, switch, request retry or reject
    RETRY = auto()  # to a responder that asked for it: nothing but that here it is
    RETRY_ANSWER = auto()  # accept or reject
    SETTLED = auto()  # nothing any more


class HandshakeExchange:
    """One side of one handshake.

    A LocalProtocolError leaves it unchanged. A RemoteProtocolError finishes it, which its owner remembers, but that a
    responder that has not answered may still `reject`, `switch` or `request_retry`.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        keys: Keys,
        entropy: Entropy,
        application_prologue: bytes,
        protocol: Protocol | None,
        accepts: tuple[Protocol, ...] | None,
        padding: Padding,
        profile: Profile,
    ) -> None:
        """Raises LocalProtocolError if the keys do not fit the pattern, or a responder is given a protocol."""
        self.rs = keys.rs
        self.protocol: Protocol | None = None
        self.outcome: Outcome | None = None
        self._initiator = initiator
        self._keys = keys
        self._entropy = entropy
        self._application_prologue = application_prologue
        self._accepts = accepts if accepts is not None else () if initiator else DEFAULT_ACCEPTS
        self._padding = padding
        self._profile = profile
        self._step = _Step.ANSWER if initiator else _Step.OPENING
        # From the initiator's choice or the responder's agreement until the last message.
        self._state: HandshakeState | None = None
        self._answered = False  # by a message of ours, if we are the responder
        self._ours = b""  # negotiation data of the next packet that we write
        self._theirs: bytes | None = None  # negotiation data of the packet that we are reading
        # The first packet, and what the responder asks for instead: until the answer is followed or given.
        self._opening: Packet | None = None
        self._asked: tuple[Protocol, Packet] | None = None
        self._unread: bytes | None = None  # the noise_message of a switch that is followed
        if initiator:
            self.protocol = protocol or (DEFAULT_XX if keys.rs is None else DEFAULT_IK)
            self._ours = profile.negotiation.encode(self.protocol)
            self._state = self._new_state(
                self.protocol, initiator=True, prologue=accept_prologue(self._ours, application_prologue)
            )
        elif protocol is not None:
            raise LocalProtocolError("a responder takes no protocol: the initiator brings it, see accepts")
        else:
            for accept in self._accepts:  # now, or a peer's choice would find out which keys are missing
                self._new_state(accept, initiator=False, prologue=b"")

    @property
    def my_turn(self) -> bool:
        """Whether the next message is ours to write."""
        return self._state is not None and self._state.my_turn and self._asked is None

    @property
    def may_reject(self) -> bool:
        """Whether this is a responder that has not answered; Go's refuses later, too."""
        return not self._initiator and self.outcome is None and (not self._answered or self._profile.go_form)

    @property
    def may_switch(self) -> bool:
        """Whether this is a responder that has the first packet and has not answered it."""
        return not self._initiator and self._opening is not None

    def set_psk(self, number: int, psk: bytes) -> None:
        """As HandshakeState. Raises LocalProtocolError, also if no message is ours to write."""
        if self._state is None or not self.my_turn:
            raise LocalProtocolError("no handshake message is ours to write")
        self._state.set_psk(number, psk)

    def write(self, body: bytes) -> bytes:
        """The packet of our next message.

        Raises LocalProtocolError if it is not our turn, the body is too long or a psk is missing;
        InvalidPublicKey if the peer's key is of low order.
        """
        state = self._state
        if state is None or not self.my_turn:
            raise LocalProtocolError("no handshake message is ours to write")
        noise_message = state.write_message(self._encode_payload(state, body))
        packet, self._ours = Packet(self._ours, noise_message), b""
        # Only the initiator's first packet can still be answered by something else.
        self._opening = packet if self._initiator and self._step is _Step.ANSWER else None
        self._answered = True
        self._advance(state)
        return packet.encode()

    def read(self, buffer: ReceiveBuffer) -> ReadEvent | None:
        """What the peer's next packet carried; None until all of it is there.

        Raises NegotiationError, FramingError or a NoiseError for what no honest peer sends.
        """
        if self._asked is not None:
            return None
        if self._unread is not None:
            noise_message, self._unread = self._unread, None
            return self._read_noise_message(noise_message)
        if self._theirs is None:
            self._theirs = self._take_negotiation_data(buffer)
        if self._theirs is None:
            return None
        if self._theirs == GO_REJECT and self._initiator:
            return Rejected(())
        field = buffer.take_field()
        if field is None:
            return None
        packet, self._theirs = Packet(self._theirs, field), None
        return self._read_packet(packet)

    # The responder's answers

    def reject(self) -> bytes:
        """The packet of an explicit reject, which lists what we accept; the same bytes for every reason."""
        self._state = self._opening = None
        if self._profile.go_form:
            return encode_field(GO_REJECT)
        # A non-empty negotiation_data with an empty noise_message.
        return Packet(self._profile.negotiation.encode_reject(self._accepts), b"").encode()

    def switch(self, protocol: Protocol, keys: Keys) -> None:
        """Answer with the first message of another protocol, whose initiator we are; `write` it next.

        Raises LocalProtocolError unless `may_switch` and the keys fit; MessageSizeError where a fallback pattern
        finds no ephemeral key in the first message.
        """
        opening = self._check_may_switch()
        negotiation_data = self._profile.negotiation.encode(protocol)
        prologue = switch_prologue(opening, negotiation_data, self._application_prologue)
        re = None
        if protocol.pattern.fallback:
            re = opening.noise_message[: protocol.dh.dh_len]
            if len(re) < protocol.dh.dh_len:
                raise MessageSizeError(f"message of {len(re)} bytes, {protocol.dh.dh_len} needed up to its e")
        self._state = self._new_state(protocol, initiator=True, prologue=prologue, keys=keys, re=re)
        self.protocol, self.rs = protocol, self._state.rs
        self._step, self._ours = _Step.SETTLED, negotiation_data

    def request_retry(self, protocol: Protocol, keys: Keys) -> bytes:
        """The packet that asks the initiator to begin again with this protocol.

        Raises LocalProtocolError unless `may_switch` and the keys fit.
        """
        opening = self._check_may_switch()
        request = Packet(self._profile.negotiation.encode(protocol), b"")
        prologue = retry_prologue(opening, request, self._application_prologue)
        self._state = self._new_state(protocol, initiator=False, prologue=prologue, keys=keys)
        self.protocol, self.rs = protocol, self._state.rs
        self._step, self._opening = _Step.RETRY, None
        return request.encode()

    # The initiator's consent

    def follow(self, keys: Keys) -> None:
        """Do as the responder asked: `read` its switch or `write` the retry next.

        Raises LocalProtocolError if it asked for nothing or the keys do not fit.
        """
        if self._asked is None or self._opening is None or self._state is None:
            raise LocalProtocolError("nothing to follow: the responder asked for no switch and no retry")
        protocol, answer = self._asked
        if not answer.noise_message:
            prologue = retry_prologue(self._opening, answer, self._application_prologue)
            state = self._new_state(protocol, initiator=True, prologue=prologue, keys=keys)
            self._step = _Step.RETRY_ANSWER
        else:
            prologue = switch_prologue(self._opening, answer.negotiation_data, self._application_prologue)
            if protocol.pattern.fallback:
                keys.check_s(protocol, initiator=False)
                state = self._state.fall_back(
                    protocol, prologue=prologue, s=keys.s, psks=keys.psks_for(protocol, initiator=False)
                )
            else:
                state = self._new_state(protocol, initiator=False, prologue=prologue, keys=keys)
            self._unread = answer.noise_message
            self._step = _Step.SETTLED
        self._state, self._asked, self._opening = state, None, None
        self.protocol, self.rs = protocol, state.rs

    def _check_may_switch(self) -> Packet:
        if not self.may_switch or self._opening is None:
            raise LocalProtocolError("only a responder's answer to a whole first message may be another protocol")
        return self._opening

    def _new_state(
        self,
        protocol: Protocol,
        *,
        initiator: bool,
        prologue: bytes,
        keys: Keys | None = None,
        re: bytes | None = None,
    ) -> HandshakeState:
        keys = keys or self._keys
        keys.check_s(protocol, initiator=initiator)
        return HandshakeState(
            protocol,
            initiator=initiator,
            prologue=prologue,
            s=keys.s,
            rs=keys.rs,
            re=re,
            psks=keys.psks_for(protocol, initiator=initiator),
            entropy=self._entropy,
        )

    def _take_negotiation_data(self, buffer: ReceiveBuffer) -> bytes | None:
        match self._step:
            case _Step.OPENING:
                longest = self._profile.negotiation.longest
            case _Step.ANSWER | _Step.RETRY_ANSWER:
                longest = self._profile.negotiation.longest_answer
            case _:
                longest = 0
        length = buffer.peek_length()
        # A length that cannot be is refused before its bytes are waited for.
        if length is not None and length > longest:
            raise NegotiationError(f"negotiation data of {length} bytes, at most {longest}")
        data = buffer.take_field()
        # So are contents that cannot be, before the noise_message is.
        if data is not None and self._step is _Step.OPENING:
            self._profile.negotiation.decode(data)
        elif data and self._profile.negotiation.decode_reject(data) is None:
            self._check_asked(data)
        return data

    def _check_asked(self, data: bytes) -> Protocol:
        protocol = self._profile.negotiation.decode(data)
        if self._step is _Step.RETRY_ANSWER:
            raise NegotiationError(f"the peer asks for {protocol.name} after a retry, accept or reject expected")
        return self._check_accepted(protocol)

    def _check_accepted(self, protocol: Protocol) -> Protocol:
        if protocol not in self._accepts:
            accepted = ", ".join(accept.name for accept in self._accepts) or "nothing else"
            raise NegotiationError(f"the peer speaks {protocol.name}, we accept {accepted}")
        return protocol

    def _read_packet(self, packet: Packet) -> ReadEvent:
        negotiation = self._profile.negotiation
        if self._step is _Step.OPENING:
            self._opening = packet
            self.protocol = self._check_accepted(negotiation.decode(packet.negotiation_data))
            prologue = accept_prologue(packet.negotiation_data, self._application_prologue)
            self._state = self._new_state(self.protocol, initiator=False, prologue=prologue)
        elif packet.negotiation_data:
            return self._read_refusal(packet)
        return self._read_noise_message(packet.noise_message)

    def _read_refusal(self, packet: Packet) -> Rejected | SwitchRequested | RetryRequested:
        speaks = self._profile.negotiation.decode_reject(packet.negotiation_data)
        if speaks is None:
            protocol = self._check_asked(packet.negotiation_data)
            if protocol.pattern.fallback and not packet.noise_message:
                raise NegotiationError(f"request retry with {protocol.name}, which nobody can begin with")
            self._asked = protocol, packet
            return SwitchRequested(protocol) if packet.noise_message else RetryRequested(protocol)
        if packet.noise_message:
            raise NegotiationError(f"noise message of {len(packet.noise_message)} bytes in a reject, 0 expected")
        return Rejected(speaks)

    def _read_noise_message(self, noise_message: bytes) -> HandshakePayload:
        state = self._state
        if state is None:
            raise LocalProtocolError("no handshake message is the peer's to write")
        encrypted = state.payload_encrypted
        first = self._step in (_Step.OPENING, _Step.RETRY)
        body = self._decode_payload(state.read_message(noise_message), encrypted=encrypted)
        if self._initiator:
            self._opening = None
        self._step = _Step.SETTLED
        self._advance(state)
        return HandshakePayload(
            body=body,
            encrypted=encrypted,
            replayable=first,
            ephemeral=noise_message[: state.protocol.dh.dh_len] if first else b"",
            rs=self.rs,
        )

    def _encode_payload(self, state: HandshakeState, body: bytes) -> bytes:
        if self._profile.go_form:
            return encode_go_payload(body)
        # body_len and padding exist in encrypted payloads only; a cleartext payload is the body.
        if not state.payload_encrypted:
            return body
        return encode_payload(body, self._padding(len(body)), state.max_payload - BODY_LEN)

    def _decode_payload(self, payload: bytes, *, encrypted: bool) -> bytes:
        if self._profile.go_form:
            return decode_go_payload(payload)
        return decode_payload(payload) if encrypted else payload

    def _advance(self, state: HandshakeState) -> None:
        self.rs = state.rs
        if state.finished:
            completed = HandshakeCompleted(handshake_hash=state.handshake_hash, rs=state.rs)
            self.outcome = Outcome(completed, *state.split())
            # Whoever reads our memory later shall not find the keys that the transport's came from.
            self._state = self._opening = None
