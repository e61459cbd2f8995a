"""Link: one connection to one peer, from the first handshake byte to the last frame; bytes in, events out.

It joins a NoiseSocketConnection, the exchange of cards in the handshake payloads, and after it a Channel of frames and
the Streams that they carry. It judges nothing: when a card is presented it waits for `accept` or `refuse`. The order of
bytes is in PROTOCOL.md.
"""

from collections.abc import Iterator
from enum import Enum, auto

from cards import Address, NodeId, Verdict
from p2pnoise.config import NodeConfig
from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.instant import SECOND, ns
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

from .channel import Channel, KeyLife
from .frames import (
    STREAM_KINDS,
    Code,
    FrameError,
    Hello,
    Kind,
    decode_code,
    decode_handshake,
    decode_notice,
    encode_card,
    encode_frame,
    encode_notice,
    encode_refusal,
)
from .link_events import (
    CardPresented,
    Ended,
    GossipReceived,
    Greeted,
    KeyElsewhere,
    LinkEvent,
    PeerClosed,
    PeerReady,
    Ponged,
    StreamHappened,
)
from .stream_events import StreamSent
from .streams import Streams

APPLICATION_PROLOGUE = b"p2pnoise/v1"  # names the protocol only: a wrong network is reported as one, by its card

MAX_PING = 32  # bytes that are returned to whoever pings
NOTICE_PAUSE = 60 * SECOND  # between two notices of one link, either way; a guess
MAX_UNDERWAY = 128 * 1024  # bytes handed out that the carrier still holds, beyond which streams wait for their turn:
# what is in its hands already delays a short request; smaller ones cost a system call more for each


class Stage(Enum):
    """How far a link has come. Before COMPARING nothing that the peer did counts (protocol rule P10)."""

    HANDSHAKE = auto()  # keys and cards
    GREETING = auto()  # the handshake is done; the peer's first frame has not come
    CONTESTED = auto()  # another link to the same Node ID is being asked whether it lives
    COMPARING = auto()  # revocation lists are compared
    UP = auto()  # the peer is verified
    CLOSING = auto()  # we have ended our direction
    CLOSED = auto()


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
        config: NodeConfig | None = None,
    ) -> None:
        config = config or NodeConfig()
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
        self.up_at: int | None = None  # when its peer was verified
        self.counted_up = False  # whether the application counts on this link for its peer
        self.was_up = False
        self.told_of = False  # whether the application was told why this link never came up
        self.ended_by_us = False
        self.closed_by: Code | None = None  # what the peer said when it ended the link
        self.skipped_frames = 0
        self.messages = 0  # transport messages that decrypted: these alone show that the peer lives
        self.held: list[bytes] = []  # gossip that waits for a contest to be settled
        self.streams = Streams(
            initiator=initiator, send=self._send, most=config.max_streams, window=config.stream_window
        )
        self.leaves_at: int | None = None  # of a visitor: when it is to make room for the next
        self.draining = False  # another link to its peer has taken its place: no stream is opened on it any more
        self.on_demand = False  # dialled because an application wanted a stream
        self.visit = False  # dialled to compare tables with somebody who is no neighbour
        self.busy = False  # whether it had streams when it was last looked at
        self.idle_since = now  # when it last had a stream, or began to drain
        self._own_card = own_card
        self._static = static
        self._entropy = entropy
        self._key_life = KeyLife(ns(config.rekey_interval), config.rekey_bytes)
        self._out = bytearray()  # of the handshake
        self._channel: Channel | None = None  # after it
        self._underway = 0  # bytes handed out that the carrier may still hold
        self._noticed_at: int | None = None  # when a NOTICE came or went last
        self._peer_ready = False  # the peer has said that it takes streams
        self._falls_back = "XX" in config.accept
        # An initiator accepts the fallback and nothing else; whether to the same identity is judged with the card.
        fallback = (DEFAULT_FALLBACK,) if self._falls_back else ()
        self._conn = NoiseSocketConnection(
            initiator=initiator,
            s=static,
            rs=rs,
            application_prologue=APPLICATION_PROLOGUE,
            entropy=entropy,
            accepts=fallback
            if initiator
            else tuple(p for p in (DEFAULT_XX, DEFAULT_IK) if p.pattern.name in config.accept),
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
    def met(self) -> bool:
        """Whether whoever was dialled has answered, well or not; or anybody where nobody in particular was dialled."""
        claim = self.verdict.claim if self.verdict is not None else None
        return self.closed_by is not None or (claim is not None and self.expected in (None, claim.node_id))

    @property
    def ending(self) -> bool:
        """Whether we have ended our direction, or both are ended."""
        return self.stage in (Stage.CLOSING, Stage.CLOSED)

    @property
    def lasts(self) -> bool:
        """Whether the link is there to stay, or may be: nobody ends it, and no other takes its place."""
        return not (self.ending or self.draining)

    @property
    def closed(self) -> bool:
        """Whether the link is finished: nothing more is taken or said."""
        return self.stage is Stage.CLOSED

    def receive(self, data: bytes, now: int) -> Iterator[LinkEvent]:
        """What `data` brings; b"" is the end of the carrier. Any bytes are allowed.

        Consume every event before the next call; `accept` or `refuse` in between, as a presented card demands.
        """
        if self.closed:
            return
        try:
            self._conn.receive_data(data)
            while not self.closed and (event := self._next_event()) is not None:
                yield from self._translate(event, now)
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

    def _translate(self, event: Event, now: int) -> Iterator[LinkEvent]:
        match event:
            case HandshakePayload():
                yield from self._payload(event)
            case SwitchRequested():
                self._conn.follow()
            case HandshakeCompleted():
                pass
            case MessageReceived(body):
                self.messages += 1
                for kind, payload in self._opened_channel(now).open(body, now):
                    if not self.closed:
                        yield from self._frame(kind, payload, now)
            case EndOfStream():
                if self.stage is not Stage.CLOSING and self._channel is not None:
                    self._channel.send_end()
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

    def _frame(self, kind: int, payload: bytes, now: int) -> Iterator[LinkEvent]:
        if self.hello is None and kind not in (Kind.HELLO, Kind.CLOSE):
            raise FrameError(f"a frame of type {kind} before HELLO")
        match kind:
            case Kind.HELLO:
                if self.hello is not None:
                    raise FrameError("a second HELLO")
                self.hello = Hello.decode(payload)
                yield Greeted(self.hello)
            case Kind.PING:
                self._pinged(payload)
            case Kind.PONG:
                self.pinged_at = None
                yield Ponged(payload)
            case Kind.GOSSIP:
                yield GossipReceived(payload)
            case _ if kind in STREAM_KINDS:
                yield from self._stream_frame(kind, payload)
            case Kind.READY:
                yield self._peer_is_ready(payload)
            case Kind.CLOSE:
                yield self._peer_closed(payload)
            case Kind.NOTICE:
                yield from self._notice(payload, now)
            case _:
                self.skipped_frames += 1

    def _pinged(self, payload: bytes) -> None:
        if len(payload) > MAX_PING:
            raise FrameError(f"PING of {len(payload)} bytes, at most {MAX_PING}")
        if self.stage is not Stage.CLOSING:
            self._send(encode_frame(Kind.PONG, payload))

    def _notice(self, payload: bytes, now: int) -> Iterator[KeyElsewhere]:
        # Of verified peers alone, and seldom: what it says cannot be checked, and an operator is to read it.
        address = decode_notice(payload)
        if address is not None and self.stage is Stage.UP and self._may_notice(now):
            yield KeyElsewhere(address)
        else:
            self.skipped_frames += 1

    def _may_notice(self, now: int) -> bool:
        due = self._noticed_at is None or now - self._noticed_at >= NOTICE_PAUSE
        if due:
            self._noticed_at = now
        return due

    def _peer_is_ready(self, payload: bytes) -> PeerReady:
        if payload or self._peer_ready:
            raise FrameError("a second READY, or one with a payload")
        self._peer_ready = True
        return PeerReady()

    def _peer_closed(self, payload: bytes) -> PeerClosed:
        if self.closed_by is not None:
            raise FrameError("a second CLOSE")
        if len(payload) != 1:
            raise FrameError(f"CLOSE of {len(payload)} bytes, 1 expected")
        self.closed_by = decode_code(payload[0])
        return PeerClosed(self.closed_by)

    def _stream_frame(self, kind: int, payload: bytes) -> Iterator[LinkEvent]:
        if self.stage is Stage.UP:
            yield from map(StreamHappened, self.streams.receive(kind, payload))
        elif self.stage is not Stage.CLOSING:
            raise FrameError(f"a frame of type {kind} before READY")

    # What the owner may do

    def accept(self, hello: Hello, now: int) -> None:
        """The presented card will do: give ours where it was not given yet, and our HELLO as first frame."""
        if self._conn.my_turn:
            self._out += self._conn.send_handshake(encode_card(self._own_card))
        self._opened_channel(now).send(encode_frame(Kind.HELLO, hello.encode()))
        self.stage = Stage.GREETING

    def admit(self, now: int) -> None:
        """The peer is verified: it may open streams."""
        self.stage = Stage.UP
        self.up_at = now
        self._send(encode_frame(Kind.READY, b""))

    @property
    def carries(self) -> bool:
        """Whether streams may be opened: both sides have judged the other well."""
        return self.stage is Stage.UP and self._peer_ready and not self.draining

    def refuse(self, code: Code | None, now: int) -> bool:
        """The presented card will not do. Whether the peer could be told `code`; None tells it nothing."""
        told = code is not None and (self._conn.finished or (self._conn.my_turn and not self.initiator))
        if told and code is not None:
            if self._conn.finished:
                self._opened_channel(now).send(encode_frame(Kind.CLOSE, bytes([code])))
            else:  # IK message 2: a reason in place of our card
                self._out += self._conn.send_handshake(encode_refusal(code))
            self._opened_channel(now).send_end()
        self.stage = Stage.CLOSED
        return told

    def send_gossip(self, data: bytes) -> None:
        self.send_frame(Kind.GOSSIP, data)

    def send_frame(self, kind: int, payload: bytes) -> None:
        """A frame of any type, also of one that there is not yet."""
        self._send(encode_frame(kind, payload))

    def ping(self, now: int) -> None:
        """Ask whether the peer is there; any PONG answers."""
        self.pinged_at = now
        self.ask(b"")

    def ask(self, payload: bytes) -> None:
        """Have the peer say `payload`, at most 32 bytes, in a PONG."""
        self._send(encode_frame(Kind.PING, payload))

    def tell_of_twin(self, address: Address, now: int) -> None:
        """Tell the peer that another node with its key was met at `address`; at most once a minute."""
        if self.stage is Stage.UP and self._may_notice(now):
            self._send(encode_frame(Kind.NOTICE, encode_notice(address)))

    def close(self, code: Code) -> None:
        """End our direction with a reason; the peer may still finish its own."""
        if self.ending:
            return
        self.ended_by_us = True
        if self._channel is None:
            self.stage = Stage.CLOSED
            return
        if code is Code.GOODBYE and self.stage is Stage.UP:  # what was written on streams that the peer reads arrives
            for frame, _ in self.streams.take(self.streams.windows + 1):  # an end needs no window
                self._send(frame)
        self._send(encode_frame(Kind.CLOSE, bytes([code])))
        self._channel.send_end()
        self.stage = Stage.CLOSING

    @property
    def key_deadline(self) -> int | None:
        """When `change_keys` is wanted, in monotonic nanoseconds."""
        return self._channel.deadline if self._channel is not None and self.stage is Stage.UP else None

    @property
    def generation(self) -> int:
        """How often keys were changed."""
        return self._channel.generation if self._channel is not None else 0

    def change_keys(self, now: int) -> bool:
        """Change keys where they are due. Whether new ones were due for too long: the link must end."""
        return self._channel is not None and self.stage is Stage.UP and self._channel.tick(now)

    # What goes out

    @property
    def unsent(self) -> int:
        """Bytes that wait for `take_output`, those of streams aside, which wait their turn."""
        return len(self._out) + (self._channel.unsent if self._channel is not None else 0)

    def take_output(self) -> tuple[bytes, list[StreamSent]]:
        """The bytes to send now, once, and what of streams is among them."""
        sent: list[StreamSent] = []
        if self._channel is None:
            data, self._out = bytes(self._out), bytearray()
            return data, sent
        if self.streams.waiting and self.stage is Stage.UP:
            for frame, news in self.streams.take(MAX_UNDERWAY - self._underway):
                self._send(frame)
                if news is not None:
                    sent.append(news)
        data = bytes(self._out) + self._channel.take_output() if self._out else self._channel.take_output()
        self._out.clear()
        self._underway += len(data)
        return data, sent

    @property
    def wants_word(self) -> bool:
        """Whether `sent` must be called once all that was handed out has left."""
        return self._underway >= MAX_UNDERWAY // 2

    def sent(self) -> None:
        """All that was handed out has left."""
        self._underway = 0

    def _opened_channel(self, now: int) -> Channel:
        if self._channel is None:
            self._channel = Channel(
                self._conn,
                initiator=self.initiator,
                s=self._static,
                entropy=self._entropy,
                life=self._key_life,
                now=now,
            )
        return self._channel

    def _send(self, frame: bytes) -> None:
        if self._channel is not None:
            self._channel.send(frame)

    def _end(self, fault: str) -> Ended:
        if fault and self._channel is not None:
            self._channel.drop_frames()
        self.stage = Stage.CLOSED
        return Ended(fault)
