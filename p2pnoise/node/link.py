"""Link: one connection to one peer, from the first handshake byte to the last frame; bytes in, events out.

It joins a NoiseSocketConnection, the exchange of cards in the handshake payloads and the frames after it. It judges
nothing: when a card is presented it waits for `accept` or `refuse`. The order of bytes is in PROTOCOL.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from cards import Address, NodeId, Verdict
from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.noise import DecryptError, Entropy, KeyPair
from p2pnoise.noisesocket import (
    DEFAULT_FALLBACK,
    DEFAULT_IK,
    DEFAULT_XX,
    NEED_DATA,
    EndOfStream,
    Event,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NegotiationError,
    NoiseSocketConnection,
    Rejected,
    SwitchRequested,
    Truncated,
)

from .frames import (
    MAX_BODY,
    Code,
    FrameError,
    Hello,
    Kind,
    decode_code,
    decode_handshake,
    encode_card,
    encode_frame,
    encode_refusal,
    split_frames,
)

APPLICATION_PROLOGUE = b"p2pnoise/v1"  # names the protocol only: a wrong network is reported as one, by its card


class Stage(Enum):
    """How far a link has come. Before COMPARING nothing that the peer did counts (protocol rule P10)."""

    HANDSHAKE = auto()  # keys and cards
    GREETING = auto()  # the handshake is done; the peer's first frame has not come
    CONTESTED = auto()  # another link to the same Node ID is being asked whether it lives
    COMPARING = auto()  # revocation lists are compared
    UP = auto()  # the peer is verified
    CLOSING = auto()  # we have ended our direction
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class CardPresented:
    """The peer proved the static key `rs` and gave this card: `accept` or `refuse` it before anything else."""

    card: bytes
    rs: bytes


@dataclass(frozen=True, slots=True)
class Greeted:
    """The peer's first frame decrypted: it lives, and from now on it counts."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class GossipReceived:
    data: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    pass


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer ended the link, or refused us, and said why."""

    code: Code


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come. `fault` is empty after a clean end."""

    fault: str


LinkEvent: TypeAlias = CardPresented | Greeted | GossipReceived | Ponged | PeerClosed | Ended


class Link:
    """The owner feeds `receive`, consumes its events one by one, and sends what `take_output` gives.

    After `Ended` the link is finished and takes nothing more. Times are monotonic nanoseconds, kept for the owner.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        address: Address,
        static: KeyPair,
        own_card: bytes,
        entropy: Entropy,
        now: int,
        rs: NodeId | None = None,
        accept: tuple[str, ...] = ("XX", "IK"),
    ) -> None:
        self.initiator = initiator
        self.address = address
        self.expected = rs
        self.node_id: NodeId | None = rs
        self.stage = Stage.HANDSHAKE
        self.verdict: Verdict | None = None
        self.hello: Hello | None = None
        self.deadline: int | None = None  # for the stage it is in
        self.heard_at = now
        self.pinged_at: int | None = None
        self.counted_up = False  # whether the application counts on this link for its peer
        self.was_up = False
        self.told_of = False  # whether the application was told why this link never came up
        self.ended_by_us = False
        self.closed_by: Code | None = None  # what the peer said when it ended the link
        self.skipped_frames = 0
        self.messages = 0  # transport messages that decrypted: these alone show that the peer lives
        self.held: list[bytes] = []  # gossip that waits for a contest to be settled
        self._own_card = own_card
        self._out = bytearray()
        self._frames = bytearray()  # to be sealed together: one transport message carries as many as fit
        self._falls_back = "XX" in accept
        # An initiator accepts the fallback and nothing else; whether to the same identity is judged with the card.
        fallback = (DEFAULT_FALLBACK,) if self._falls_back else ()
        self._conn = NoiseSocketConnection(
            initiator=initiator,
            s=static,
            rs=rs,
            application_prologue=APPLICATION_PROLOGUE,
            entropy=entropy,
            accepts=fallback if initiator else tuple(p for p in (DEFAULT_XX, DEFAULT_IK) if p.pattern.name in accept),
        )

    def start(self) -> None:
        """The initiator's first message: our card at once where the peer's key is known (IK), else nothing yet (XX)."""
        self._out += self._conn.send_handshake(encode_card(self._own_card) if self.expected is not None else b"")

    @property
    def pattern(self) -> str:
        """The handshake pattern in use, empty while it is not agreed on."""
        return self._conn.protocol.pattern.name if self._conn.protocol is not None else ""

    @property
    def handshake_hash(self) -> bytes:
        """Names this link on both sides. Only after the handshake."""
        return self._conn.handshake_hash

    @property
    def greeted(self) -> bool:
        """Whether the peer has proven that it lives."""
        return self.stage in (Stage.CONTESTED, Stage.COMPARING, Stage.UP)

    @property
    def ending(self) -> bool:
        """Whether we have ended our direction, or both are ended."""
        return self.stage in (Stage.CLOSING, Stage.CLOSED)

    @property
    def closed(self) -> bool:
        """Whether the link is finished: nothing more is taken or said."""
        return self.stage is Stage.CLOSED

    def receive(self, data: bytes) -> Iterator[LinkEvent]:
        """What `data` brings; b"" is the end of the carrier. Any bytes are allowed.

        Consume every event before the next call; `accept` or `refuse` in between, as a presented card demands.
        """
        if self.closed:
            return
        try:
            self._conn.receive_data(data)
            while not self.closed and (event := self._next_event()) is not None:
                yield from self._translate(event)
        except NegotiationError as error:
            if self._conn.may_reject:
                self._out += self._conn.reject()
            yield self._end(str(error))
        except (RemoteProtocolError, FrameError) as error:
            yield self._end(str(error))
        except LocalProtocolError as error:
            # More bytes than one packet while a card waits to be judged, or after the end: the peer's doing.
            yield self._end(str(error))

    def _next_event(self) -> Event | None:
        try:
            event = self._conn.next_event()
        except DecryptError:
            if not (self._falls_back and self._conn.may_switch):
                raise
            # IK to a key that is not ours, or not any more: who we are now is said by XXfallback.
            self._conn.switch(DEFAULT_FALLBACK)
            self._out += self._conn.send_handshake(encode_card(self._own_card))
            return None
        return None if event is NEED_DATA else event

    def _translate(self, event: Event) -> Iterator[LinkEvent]:
        match event:
            case HandshakePayload():
                yield from self._payload(event)
            case SwitchRequested():
                self._conn.follow()
            case HandshakeCompleted():
                pass
            case MessageReceived(body):
                self.messages += 1
                for kind, payload in split_frames(body):
                    if not self.closed:
                        yield from self._frame(kind, payload)
            case EndOfStream():
                if self.stage is not Stage.CLOSING:
                    self._send_end()
                yield self._end("")
            case Truncated():
                yield self._end("" if self.stage is Stage.CLOSING else "the connection was cut")
            case Rejected(speaks):
                names = ", ".join(protocol.name for protocol in speaks[:4]) or "nothing that it names"
                more = f" and {len(speaks) - 4} others" if len(speaks) > 4 else ""
                yield self._end(f"the other side refuses this protocol and speaks {names}{more}")

    def _payload(self, payload: HandshakePayload) -> Iterator[LinkEvent]:
        if not payload.encrypted or payload.rs is None:
            if payload.body:
                raise FrameError("a payload before any key is known")
            # XX message 1. Our card goes to whoever asks: it holds nothing that gossip does not spread.
            self._out += self._conn.send_handshake(encode_card(self._own_card))
            return
        given = decode_handshake(payload.body)
        # Anybody could speak for the dialled node in the answer of another pattern than IK.
        if isinstance(given, Code) and not (self.initiator and self.pattern == "IK"):
            raise FrameError("a refusal from whoever has not proven to be the one who may refuse")
        if isinstance(given, Code):
            self.closed_by = given
            yield PeerClosed(given)
            yield self._end("")
        else:
            yield CardPresented(given, payload.rs)

    def _frame(self, kind: int, payload: bytes) -> Iterator[LinkEvent]:
        if self.hello is None and kind not in (Kind.HELLO, Kind.CLOSE):
            raise FrameError(f"a frame of type {kind} before HELLO")
        match kind:
            case Kind.HELLO:
                if self.hello is not None:
                    raise FrameError("a second HELLO")
                self.hello = Hello.decode(payload)
                yield Greeted(self.hello)
            case Kind.PING:
                if len(payload) > 32:
                    raise FrameError(f"PING of {len(payload)} bytes, at most 32")
                if self.stage is not Stage.CLOSING:
                    self._send(encode_frame(Kind.PONG, payload))
            case Kind.PONG:
                self.pinged_at = None
                yield Ponged()
            case Kind.GOSSIP:
                yield GossipReceived(payload)
            case Kind.CLOSE:
                if self.closed_by is not None:
                    raise FrameError("a second CLOSE")
                if len(payload) != 1:
                    raise FrameError(f"CLOSE of {len(payload)} bytes, 1 expected")
                self.closed_by = decode_code(payload[0])
                yield PeerClosed(self.closed_by)
            case _:
                self.skipped_frames += 1

    # What the owner may do

    def accept(self, hello: Hello) -> None:
        """The presented card will do: give ours where it was not given yet, and our HELLO as first frame."""
        if self._conn.my_turn:
            self._out += self._conn.send_handshake(encode_card(self._own_card))
        self._send(encode_frame(Kind.HELLO, hello.encode()))
        self.stage = Stage.GREETING

    def refuse(self, code: Code | None) -> bool:
        """The presented card will not do. Whether the peer could be told `code`; None tells it nothing."""
        told = code is not None and (self._conn.finished or (self._conn.my_turn and not self.initiator))
        if told and code is not None:
            if self._conn.finished:
                self._send(encode_frame(Kind.CLOSE, bytes([code])))
            else:  # IK message 2: a reason in place of our card
                self._out += self._conn.send_handshake(encode_refusal(code))
            self._send_end()
        self.stage = Stage.CLOSED
        return told

    def send_gossip(self, data: bytes) -> None:
        self._send(encode_frame(Kind.GOSSIP, data))

    def ping(self, now: int) -> None:
        """Ask whether the peer is there; any PONG answers."""
        self.pinged_at = now
        self._send(encode_frame(Kind.PING, b""))

    def close(self, code: Code) -> None:
        """End our direction with a reason; the peer may still finish its own."""
        if self.ending:
            return
        self.ended_by_us = True
        if not self._conn.finished:
            self.stage = Stage.CLOSED
            return
        self._send(encode_frame(Kind.CLOSE, bytes([code])))
        self._send_end()
        self.stage = Stage.CLOSING

    @property
    def unsent(self) -> int:
        """Bytes that wait for `take_output`."""
        return len(self._out) + len(self._frames)

    def take_output(self) -> bytes:
        """The bytes to send now, once."""
        self._seal()
        out = bytes(self._out)
        self._out.clear()
        return out

    def _send(self, frame: bytes) -> None:
        if len(self._frames) + len(frame) > MAX_BODY:
            self._seal()
        self._frames += frame

    def _send_end(self) -> None:
        self._seal()
        self._out += self._conn.send_end()

    def _seal(self) -> None:
        if self._frames:
            self._out += self._conn.send_message(bytes(self._frames))
            self._frames.clear()

    def _end(self, fault: str) -> Ended:
        if fault:
            self._frames.clear()  # nothing can be sealed for a connection that has failed
        self.stage = Stage.CLOSED
        return Ended(fault)
