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
MIN_INTERVAL = SECOND // 10  # between two; a guess: each costs four Diffie-Hellmans, and honest peers take minutes
_BURST = 8  # that may come faster, since the carrier may hold some back and then bring all at once; a guess

_PROLOGUE = b"p2pnoise/v1/rekey"


class _Stage(Enum):
    IDLE = auto()
    BEGUN = auto()  # the dialler has written the first message
    ANSWERED = auto()  # the other has written the second


class Rekeying:
    """The keys of one link over time. Its owner carries the messages, and uses the keys that come of them at once.

    Raises `FrameError` for messages out of turn, and NoiseErrors for wrong ones; the link is finished then.
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
        self._begun_at = now
        self._entropy = entropy
        self._stage = _Stage.IDLE
        self._handshake = self._prepare()
        self._receive: CipherState | None = None  # for what the dialler sends after its last message

    @property
    def idle(self) -> bool:
        """Whether none are under way."""
        return self._stage is _Stage.IDLE

    def begin(self) -> bytes:
        """The dialler's first message."""
        self._stage = _Stage.BEGUN
        return self._handshake.write_message(b"")

    def answer(self, message: bytes, now: int) -> tuple[bytes, CipherState]:
        """What the other side answers to the first message, and what it sends under after that."""
        if not self.idle:
            raise FrameError("new keys begun while others were on their way")
        if self.generation >= _BURST + (now - self._begun_at) // MIN_INTERVAL:
            raise FrameError(f"new keys more often than every {MIN_INTERVAL / SECOND:g} s")
        self._read(message)
        reply = self._handshake.write_message(b"")
        send, self._receive = self._handshake.split()
        self._stage = _Stage.ANSWERED
        return reply, send

    def finish(self, message: bytes, now: int) -> tuple[CipherState, CipherState]:
        """What the dialler sends under after its last message, and receives under from now on."""
        if self._stage is not _Stage.BEGUN:
            raise FrameError("an answer to new keys that nobody began")
        self._read(message)
        keys = self._handshake.split()
        self._next(now)
        return keys

    def conclude(self, now: int) -> CipherState:
        """What the other side receives under, now that the dialler's last message came."""
        if self._receive is None:
            raise FrameError("the end of new keys that nobody began")
        receive, self._receive = self._receive, None
        self._next(now)
        return receive

    def _read(self, message: bytes) -> None:
        if self._handshake.read_message(message):
            raise FrameError("new keys with a payload")

    def _next(self, now: int) -> None:
        self.generation += 1
        self.since = now
        self._h = self._handshake.handshake_hash
        self._handshake = self._prepare()
        self._stage = _Stage.IDLE

    def _prepare(self) -> HandshakeState:
        return HandshakeState(
            PROTOCOL,
            initiator=self._initiator,
            entropy=self._entropy,
            prologue=_PROLOGUE + self._h + (self.generation + 1).to_bytes(8, "big"),
            s=self._s,
            rs=self._rs,
        )
