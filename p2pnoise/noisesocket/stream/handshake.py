"""Handshake: from a new connection to a peer we have judged; what a NoiseStream needs for that, and then forgets.

The judging comes before anything more is said: an initiator's before its last message, a responder's before it
answers or its handler runs.
"""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket.connection import NoiseSocketConnection
from p2pnoise.noisesocket.errors import FramingError
from p2pnoise.noisesocket.events import NEED_DATA, HandshakeCompleted, HandshakePayload, Rejected, Truncated
from p2pnoise.noisesocket.introduction import (
    Answer,
    Opening,
    body_of_answer,
    body_of_opening,
    carries_early_data,
    check_payload,
    parse_answer,
    parse_opening,
)
from p2pnoise.noisesocket.replay import ReplayCache
from p2pnoise.noisesocket.stream.carrier import Carrier
from p2pnoise.noisesocket.stream.errors import (
    HandshakeRejected,
    NoiseStreamError,
    PeerProtocolError,
    PeerRefused,
    TruncatedError,
)
from p2pnoise.noisesocket.stream.half_open import Place
from p2pnoise.noisesocket.transport import Transport

__all__ = ["Acquaintance", "EarlyData", "Handshake", "PskOf", "Verify", "anyone"]

Verify = Callable[[bytes, bytes], bool]
"""From the peer's static public key, empty where the pattern has none, and its payload, to whether we want it."""

PskOf = Callable[[bytes, bytes], Awaitable[bytes | None]]
"""From the same to the psk that a responder answers with; None, and it does not answer."""


def anyone(rs: bytes, payload: bytes) -> bool:
    """The `verify` of who serves strangers: yes."""
    del rs, payload
    return True


class EarlyData:
    """That a responder takes early data (0-RTT), and the memory that keeps it to at most once.

    Early data come before the peer has proved that it is there now. They are kept from replay by this object, so all
    listeners of one static key share one, and what a process takes another must not be able to: one process a key. For
    one window after it is made, none are taken.
    """

    __slots__ = ("_cache",)

    def __init__(self, *, window: float = 10.0, capacity: int = 65536) -> None:
        """`window`: seconds that the peer's clock may differ from ours, each way; RFC 8446, section 8.3, has 10.

        `capacity`: first messages remembered, about 200 bytes each; beyond it none are taken until some are out of
        their window. A guess: what one core's handshakes fill in half a minute.
        """
        self._cache = ReplayCache(window=int(window * 1000), capacity=capacity, start=_unix_milliseconds())

    def takes(self, ephemeral: bytes, sent_at: int) -> bool:
        """Whether early data that came with this ephemeral key are taken; once."""
        return self._cache.fresh(ephemeral, sent_at, _unix_milliseconds())


class Acquaintance(NamedTuple):
    """What a finished handshake leaves."""

    transport: Transport
    rs: bytes | None
    protocol: Protocol
    handshake_hash: bytes
    payload: bytes
    early_data: bytes
    early_data_taken: bool


class Handshake:
    """One side's part in the handshake of one connection."""

    __slots__ = (
        "_answer",
        "_connection",
        "_early",
        "_early_data",
        "_initiator",
        "_judged",
        "_opening",
        "_payload",
        "_position",
        "_psk_of",
        "_rs",
        "_verify",
        "done",
        "place",
    )

    def __init__(
        self,
        connection: NoiseSocketConnection,
        *,
        place: Place,
        verify: Verify | None,
        rs: bytes | None,
        payload: bytes,
        early_data: bytes,
        early: EarlyData | None,
        psk_of: PskOf | None,
    ) -> None:
        """Raises LocalProtocolError if nothing says whom we want, early data have no place or a payload is too long."""
        check_payload(payload)
        self._initiator = connection.my_turn
        self._rs = connection.rs if rs is None else rs
        if verify is None and self._rs is None:
            raise LocalProtocolError("neither rs nor verify says whom we want; `anyone` is a verify")
        self._connection = connection
        if early_data and not (self._initiator and self._introduces()):
            raise LocalProtocolError("early data go with a first message that is encrypted, as that of IK is")
        self.place = place
        self.done: trio.Event | None = None  # for those who wait for it to be run by another task
        self._verify = verify or anyone
        self._payload = payload
        self._early_data = early_data
        self._early = early
        self._psk_of = psk_of
        self._position = 0  # messages written and read
        self._judged = False
        self._opening = Opening(b"")
        self._answer = Answer(b"", early_data_taken=False)

    async def run(self, carrier: Carrier) -> Acquaintance:
        """Raises NoiseStreamError, or LocalProtocolError if our payload does not fit."""
        try:
            while True:
                event = self._connection.next_event()
                if isinstance(event, HandshakePayload):
                    self._hear(event)
                    await self._find_psks(event.rs)
                elif isinstance(event, HandshakeCompleted):
                    # After a one-way handshake, of which an initiator hears nothing; and nobody is taken unjudged.
                    if not self._judged:
                        self._judge(event.rs, b"")
                    return self._acquaintance(event)
                elif event is not NEED_DATA:
                    raise _failure(event)
                elif self._connection.my_turn:
                    await carrier.send_flight(self._speak())
                else:
                    await carrier.receive(self._feed)
        except NoiseStreamError:
            raise
        except RemoteProtocolError as error:
            raise PeerProtocolError(str(error)) from error
        except trio.BrokenResourceError as error:
            raise TruncatedError(f"the carrier broke in the handshake: {error}") from error

    def _feed(self, data: bytes | memoryview) -> None:
        self._connection.receive_data(bytes(data))

    def _speak(self) -> bytes:
        protocol = self._protocol()
        body = b""
        if self._is_last():
            body = self._payload
            if self._introduces():
                body = self._introduce()
            elif body and not protocol.pattern.layouts[self._position].payload_encrypted:
                raise LocalProtocolError(f"{protocol.name} encrypts no message of ours, so there is no payload")
        packet = self._connection.send_handshake(body)
        self._position += 1
        return packet

    def _introduce(self) -> bytes:
        if self._initiator:
            return body_of_opening(Opening(self._payload, _unix_milliseconds(), self._early_data))
        return body_of_answer(Answer(self._payload, self._answer.early_data_taken))

    def _hear(self, event: HandshakePayload) -> None:
        last = self._is_last()
        self._position += 1
        if event.body and not (last and event.encrypted):
            raise FramingError(f"payload of {len(event.body)} bytes in a message that carries none")
        if not last:
            return
        introduces = self._introduces()
        if introduces and not self._initiator:
            self._opening = parse_opening(event.body)
            self._judge(event.rs, self._opening.payload)
            self._answer = Answer(b"", early_data_taken=self._takes(event.ephemeral))
        elif introduces:
            self._answer = parse_answer(event.body)
            if self._answer.early_data_taken and not self._early_data:
                raise FramingError("early data taken where there were none")
            self._judge(event.rs, self._answer.payload)
        else:
            self._judge(event.rs, event.body)
            self._answer = Answer(event.body, early_data_taken=False)

    def _judge(self, rs: bytes | None, payload: bytes) -> None:
        self._judged = True
        if self._rs is not None and rs != self._rs:
            raise PeerRefused("the peer's static key is not the one we want")
        if not self._verify(rs or b"", payload):
            raise PeerRefused("verify refused the peer")

    async def _find_psks(self, rs: bytes | None) -> None:
        """What the answer to an opening needs, and the opening alone says which."""
        if self._psk_of is None or self._initiator or not self._introduces():
            return
        pattern = self._protocol().pattern
        for number in pattern.psks:
            if f"psk{number}" in pattern.messages[self._position]:
                psk = await self._psk_of(rs or b"", self._opening.payload)
                if psk is None:
                    raise PeerRefused("psk_of has no psk for the peer")
                self._connection.set_psk(number, psk)

    def _takes(self, ephemeral: bytes) -> bool:
        if self._early is None or not self._opening.early_data:
            return False
        return self._early.takes(ephemeral, self._opening.sent_at)

    def _acquaintance(self, event: HandshakeCompleted) -> Acquaintance:
        responder_took = self._answer.early_data_taken and not self._initiator
        return Acquaintance(
            transport=self._connection.transport,
            rs=event.rs,
            protocol=self._protocol(),
            handshake_hash=event.handshake_hash,
            payload=self._opening.payload or self._answer.payload,
            early_data=self._opening.early_data if responder_took else b"",
            early_data_taken=self._answer.early_data_taken,
        )

    def _protocol(self) -> Protocol:
        protocol = self._connection.protocol
        if protocol is None:
            raise LocalProtocolError("no protocol is agreed")
        return protocol

    def _introduces(self) -> bool:
        """Whether bodies are introductions: where both speak our profile, and the first message has room for one."""
        return self._connection.profile.authenticated_end and carries_early_data(self._protocol())

    def _is_last(self) -> bool:
        """Whether the next message is the last of the side that writes it."""
        return self._position + 2 >= len(self._protocol().pattern.messages)


def _failure(event: object) -> Exception:
    match event:
        case Truncated():
            return TruncatedError("the carrier ended in the handshake")
        case Rejected(speaks):
            names = ", ".join(protocol.name for protocol in speaks) or "nothing that we know"
            return HandshakeRejected(f"the peer rejects our protocol, it speaks {names}")
        case _:
            return HandshakeRejected("the peer asks for another handshake than ours")


def _unix_milliseconds() -> int:
    return int(time.time() * 1000)
