"""Rekeying: new keys inside a link by a Noise KK handshake under the old ones (protocol rule P15). No I/O.

    dialler    REKEY (e, es, ss)        while data goes on, still under the old keys
    other      REKEY (e, ee, se)        its last frame under its old key; it sends under the new one from here on
    dialler    REKEY ()                 its last frame under its old key; the other receives under the new one from here

The prologue is `p2pnoise/v1/rekey`, the handshake hash of the keys before, and the generation. Whoever stole session
keys reads no further; whoever has a node's static key and answers in its place is not kept out.
"""

from enum import Enum, auto

from p2pnoise.instant import SECOND
from p2pnoise.noise import CipherState, Entropy, HandshakeState, KeyPair, Protocol

from .frames import FrameError

__all__ = ["Rekeying"]

PROTOCOL = Protocol.parse("Noise_KK_25519_ChaChaPoly_BLAKE2s")  # the suite of DEFAULT_IK and DEFAULT_XX
TIMEOUT = 30 * SECOND  # from the first message to the last; protocol rule P15
MIN_INTERVAL = SECOND // 10  # between two; a guess: each costs four Diffie-Hellmans, and honest peers take minutes

_PROLOGUE = b"p2pnoise/v1/rekey"


class _Stage(Enum):
    IDLE = auto()
    STARTED = auto()  # the dialler has written the first message
    ANSWERED = auto()  # the other has written the second


class Rekeying:
    """The keys of one link over time. Its owner carries the messages and puts the keys to use where it is told.

    After a `FrameError` or a `RemoteProtocolError` the link is finished.
    """

    def __init__(
        self, *, initiator: bool, s: KeyPair, rs: bytes, handshake_hash: bytes, entropy: Entropy, now: int
    ) -> None:
        self.generation = 0  # how often keys were changed
        self.since = now  # when the keys in use came into use, monotonic nanoseconds
        self._initiator = initiator
        self._s = s
        self._rs = rs
        self._h = handshake_hash
        self._entropy = entropy
        self._stage = _Stage.IDLE
        self._handshake: HandshakeState | None = None
        self._receive: CipherState | None = None  # what the peer will send under after its last message
        self._begun = 0

    @property
    def idle(self) -> bool:
        """Whether no handshake is under way."""
        return self._stage is _Stage.IDLE

    @property
    def deadline(self) -> int | None:
        """When a handshake that is under way has taken too long."""
        return None if self.idle else self._begun + TIMEOUT

    def may_begin(self, now: int) -> bool:
        """Whether another handshake may begin."""
        return self.idle and now - self.since >= MIN_INTERVAL

    def begin(self, now: int) -> bytes:
        """The dialler's first message. Only while `idle`."""
        self._start(now)
        self._stage = _Stage.STARTED
        return self._live.write_message(b"")

    def answer(self, message: bytes, now: int) -> tuple[bytes, CipherState]:
        """What the other answers to the first message, and what it sends under after that."""
        if self._initiator or not self.may_begin(now):
            raise FrameError("new keys begun out of turn")
        self._start(now)
        self._read(message)
        reply = self._live.write_message(b"")
        send, self._receive = self._live.split()
        self._stage = _Stage.ANSWERED
        return reply, send

    def finish(self, message: bytes, now: int) -> tuple[CipherState, CipherState]:
        """What the dialler sends under after its last message, and receives under from now on."""
        if self._stage is not _Stage.STARTED:
            raise FrameError("an answer to new keys that nobody began")
        self._read(message)
        keys = self._live.split()
        self._done(now)
        return keys

    def conclude(self, message: bytes, now: int) -> CipherState:
        """What the other receives under, now that the dialler's last message came."""
        if self._stage is not _Stage.ANSWERED or message or self._receive is None:
            raise FrameError("the end of new keys out of turn")
        receive, self._receive = self._receive, None
        self._done(now)
        return receive

    @property
    def expects_last(self) -> bool:
        """Whether the next message is the dialler's last."""
        return self._stage is _Stage.ANSWERED

    @property
    def _live(self) -> HandshakeState:
        if self._handshake is None:
            raise FrameError("no new keys are under way")
        return self._handshake

    def _start(self, now: int) -> None:
        self._begun = now
        self._handshake = HandshakeState(
            PROTOCOL,
            initiator=self._initiator,
            entropy=self._entropy,
            prologue=_PROLOGUE + self._h + (self.generation + 1).to_bytes(8, "big"),
            s=self._s,
            rs=self._rs,
        )

    def _read(self, message: bytes) -> None:
        if self._live.read_message(message):
            raise FrameError("new keys with a payload")

    def _done(self, now: int) -> None:
        self._h = self._live.handshake_hash
        self._handshake = None
        self._stage = _Stage.IDLE
        self.generation += 1
        self.since = now
