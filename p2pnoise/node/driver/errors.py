"""How talking to a peer fails. No stream was opened, or one was broken, or the time is up."""

import trio

from p2pnoise.errors import P2PNoiseError
from p2pnoise.node.effects import Refusal
from p2pnoise.node.stream_events import StreamCode

from .peers import Peer

__all__ = [
    "AmbiguousPeer",
    "NodeStopping",
    "PeerGone",
    "PeerNotTrusted",
    "PeerTimeout",
    "PeerUnreachable",
    "StreamBroken",
    "StreamNotOpened",
    "StreamReset",
    "TooManyStreams",
    "UnknownPeer",
    "not_opened",
]


class StreamNotOpened(P2PNoiseError):  # noqa: N818 - says what happened, as all of these do
    """No stream was opened, so the peer has heard nothing of us. `hint` is what to do next. The node is unharmed."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class UnknownPeer(StreamNotOpened):
    """No known peer is meant by this, or no address of it is known and it is not linked to us."""


class AmbiguousPeer(StreamNotOpened):
    """Several known peers have this name and none is pinned to it: `candidates`."""

    def __init__(self, message: str, hint: str, candidates: tuple[Peer, ...]) -> None:
        super().__init__(message, hint)
        self.candidates = candidates


class PeerUnreachable(StreamNotOpened):
    """The peer answered at none of its addresses. It may later."""


class PeerNotTrusted(StreamNotOpened):
    """We refuse the peer, or it refuses us; the event `PeerRefused` or `RefusedByPeer` says why."""


class TooManyStreams(StreamNotOpened):
    """So many streams wait for their peers, or so many links stand, that there is no place for one more."""


class NodeStopping(StreamNotOpened):
    """Our own node stops, or has stopped."""


class PeerTimeout(P2PNoiseError, trio.TooSlowError):  # noqa: N818
    """It was not done within the time that the caller gave. What was sent by then may have been received, and acted on.

    From `open_stream` it means that nothing was sent.
    """


class StreamBroken(P2PNoiseError, trio.BrokenResourceError):  # noqa: N818
    """The stream carries nothing more in this direction, or in either. The root of `StreamReset` and `PeerGone`.

    `stream` is the one.
    """

    stream: object = None


class StreamReset(StreamBroken):
    """The peer broke the stream off, or reads no more of it; `code` says why. Other streams are unharmed."""

    def __init__(self, message: str, code: StreamCode) -> None:
        super().__init__(message)
        self.code = code


class PeerGone(StreamBroken):
    """The link to the peer ended; `reason` says why: revoked, expired, lost … A new stream may be tried."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the link to the peer ended: {reason}")
        self.reason = reason


_REFUSALS: dict[Refusal, tuple[type[StreamNotOpened], str]] = {
    Refusal.UNKNOWN_PEER: (UnknownPeer, "name it as node1...@host:port, or wait until gossip brings its address"),
    Refusal.UNREACHABLE: (PeerUnreachable, "try again later; it is dialled anew for every stream"),
    Refusal.NOT_TRUSTED: (PeerNotTrusted, "see the events of the node, and p2pnoise card verify"),
    Refusal.TOO_MANY: (TooManyStreams, "end streams, or raise max_links"),
    Refusal.STOPPING: (NodeStopping, "open streams inside the block of the node"),
}


def not_opened(refusal: Refusal, reason: str) -> StreamNotOpened:
    """The error that stands for the core's refusal."""
    kind, hint = _REFUSALS[refusal]
    return kind(reason, hint)
