"""Channel: frames into transport messages and out of them, as many as fit, under keys that change (P15). No I/O.

It begins where the handshake ends, and knows of frames only those that change keys.
"""

from dataclasses import dataclass

from p2pnoise.instant import SECOND
from p2pnoise.noise import CipherState, Entropy, KeyPair
from p2pnoise.noisesocket import NoiseSocketConnection

from .frames import MAX_BODY, FrameError, Kind, encode_frame, split_frames
from .rekeying import MIN_INTERVAL, Rekeying

__all__ = ["Channel", "KeyLife"]

TIMEOUT = 30 * SECOND  # from the first message of new keys to the last; protocol rule P15


@dataclass(frozen=True, slots=True)
class KeyLife:
    """How long keys are used: `time` nanoseconds or `size` bytes of both directions, whichever ends first."""

    time: int
    size: int


class Channel:
    """`send` frames and hand out what `take_output` gives; `open` what came in. Only after the handshake of `conn`.

    New keys are begun by the dialler; the other side asks for them where the dialler lets the time pass.
    """

    def __init__(
        self, conn: NoiseSocketConnection, *, initiator: bool, s: KeyPair, entropy: Entropy, life: KeyLife, now: int
    ) -> None:
        self._conn = conn
        self._initiator = initiator
        self._life = life
        self._out: list[bytes | bytearray] = []  # sealed, to be sent
        self._sealed = 0  # bytes in it
        self._frames = bytearray()  # to be sealed together
        self._ended = False  # our direction
        self._used = 0  # bytes under the keys in use
        self._asked = False  # for new keys, by the other side
        self._waiting_since: int | None = None  # for the next message of new keys
        self._keys = Rekeying(
            initiator=initiator,
            s=s,
            rs=conn.rs or b"",
            handshake_hash=conn.handshake_hash,
            entropy=entropy,
            now=now,
        )

    @property
    def unsent(self) -> int:
        """Bytes that wait for `take_output`."""
        return self._sealed + len(self._frames)

    @property
    def generation(self) -> int:
        """How often keys were changed."""
        return self._keys.generation

    def send(self, frame: bytes) -> None:
        """A frame goes out with the next message that has room for it. Not after `send_end`."""
        if len(self._frames) + len(frame) > MAX_BODY:
            self._seal()
        self._frames += frame

    def send_end(self) -> None:
        """End our direction."""
        self._seal()
        self._hand_out(self._conn.send_end())
        self._ended = True

    def take_output(self) -> bytes:
        """The bytes to send now, once."""
        self._seal()
        out = bytes(self._out[0]) if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self._sealed = 0
        return out

    def drop_frames(self) -> None:
        """Nothing can be sealed for a connection that has failed."""
        self._frames.clear()

    def open(self, body: bytes, now: int) -> list[tuple[int, bytes]]:
        """The frames of a message, less those about keys, which are acted upon.

        Raises `FrameError` and NoiseErrors; the link is finished then.
        """
        self._used += len(body)
        frames = split_frames(body)
        if frames and frames[-1][0] == Kind.REKEY:
            # What stood behind it in this message would be read under other keys than it was written under.
            self._rekey(frames.pop()[1], now)
        if any(kind == Kind.REKEY for kind, _ in frames):
            raise FrameError("new keys that are not the last frame of their message")
        asked = [frame for frame in frames if frame[0] == Kind.REKEY_REQUEST]
        if asked and (not self._initiator or any(payload for _, payload in asked)):
            raise FrameError("new keys asked of the side that does not begin them, or with a payload")
        if asked:
            frames = [frame for frame in frames if frame[0] != Kind.REKEY_REQUEST]
            self._asked = self._keys.idle  # or it crossed our beginning
            self.tick(now)
        return frames

    # Keys

    @property
    def deadline(self) -> int:
        """When `tick` is wanted, in monotonic nanoseconds."""
        if self._waiting_since is not None:
            return self._waiting_since + TIMEOUT
        # The other side leaves the dialler the time, or the bytes, to begin them by itself.
        if self._asked or self._used >= self._life.size * (1 if self._initiator else 2):
            return self._keys.since + MIN_INTERVAL
        return self._keys.since + max(self._life.time, MIN_INTERVAL) + (0 if self._initiator else TIMEOUT)

    def tick(self, now: int) -> bool:
        """Begin new keys, or ask for them, where they are due. Whether they are overdue: the link must end."""
        if now < self.deadline:
            return False
        if self._waiting_since is not None:
            return True
        self._waiting_since = now
        if self._initiator:
            self._send_last(self._keys.begin())
        else:
            self.send(encode_frame(Kind.REKEY_REQUEST, b""))
        return False

    def _rekey(self, message: bytes, now: int) -> None:
        transport = self._conn.transport
        if self._initiator:
            send, receive = self._keys.finish(message, now)
            transport.receive_under(receive)
            self._send_last(b"", send)
        elif message:
            reply, send = self._keys.answer(message, now)
            self._send_last(reply, send)
            self._waiting_since = now
            return
        else:
            transport.receive_under(self._keys.conclude(now))
        self._waiting_since = None
        self._asked = False
        self._used = 0

    def _send_last(self, message: bytes, then: CipherState | None = None) -> None:
        """A message of new keys, last in its transport message; what follows is sent under `then`."""
        if self._ended:
            return  # nothing follows
        self.send(encode_frame(Kind.REKEY, message))
        self._seal()
        if then is not None:
            self._conn.transport.send_under(then)

    def _seal(self) -> None:
        if self._frames:
            self._used += len(self._frames)
            self._hand_out(self._conn.send_data(self._frames))  # which copies once where send_message does three times
            self._frames.clear()

    def _hand_out(self, data: bytes | bytearray) -> None:
        self._out.append(data)
        self._sealed += len(data)
