"""Joined streams: the Streams of both ends of a link, joined by lists of frames; no link, no bytes, no keys."""

from collections import deque

from p2pnoise.node.frames import split_frames
from p2pnoise.node.stream_events import End, StreamReceived
from p2pnoise.node.streams import WINDOW, Streams

ALL = 1 << 40  # bytes; more than anybody has to send


class Side:
    """One end: its streams, the frames on their way to the other, and what its application was told."""

    def __init__(self, *, initiator, **options):
        self.out = deque()
        self.told = []
        self.streams = Streams(initiator=initiator, send=self.out.append, **options)

    def take(self, room=ALL):
        """Frames that waited their turn join those that do not wait; what they are."""
        taken = list(self.streams.take(room))
        self.out += [frame for frame, _ in taken]
        self.told += [news for _, news in taken if news is not None]
        return [split_frames(frame)[0] for frame, _ in taken]

    def hear(self, frame):
        """One frame of the other end; what it brought."""
        ((kind, payload),) = split_frames(frame)
        news = list(self.streams.receive(kind, payload))
        self.told += news
        return news

    def received(self, number):
        """The bytes that came on a stream."""
        return b"".join(news.data for news in self.told if isinstance(news, StreamReceived) and news.stream == number)

    def heard_of(self, number):
        """What the application was told of a stream, bytes aside."""
        return [
            news
            for news in self.told
            if news.stream == number and type(news).__name__ not in ("StreamReceived", "StreamSent", "StreamOffered")
        ]

    def sent(self):
        """The (type, payload) of each frame on its way, which stays there."""
        return [split_frames(frame)[0] for frame in self.out]


class Joined:
    """`near` is the dialler's end."""

    def __init__(self, *, most=128, window=WINDOW, far=None):
        self.near = Side(initiator=True, most=most, window=window)
        self.far = Side(initiator=False, **{"most": most, "window": window, **(far or {})})

    def other(self, side):
        return self.far if side is self.near else self.near

    def open(self, side=None, protocol="echo"):
        """A stream that both ends know of."""
        side = side or self.near
        number = side.streams.open(protocol)
        self.pump()
        return number

    def arrive(self, side, count=None):
        """So many frames, or all, reach `side`, and nothing is answered yet that waits for its turn."""
        way = self.other(side).out
        for _ in range(len(way) if count is None else count):
            side.hear(way.popleft())

    def pump(self):
        """All frames go to and fro until none is left."""
        while self.near.out or self.far.out or self.near.streams.waiting or self.far.streams.waiting:
            for side in (self.near, self.far):
                side.take()
                self.arrive(self.other(side))

    def end(self, side, number, how, *code):
        """An application ends a stream; all that follows has happened."""
        side.streams.end(number, how, *code)
        self.pump()

    def close_both(self, number):
        """Both applications let go."""
        self.end(self.near, number, End.CLOSE)
        self.end(self.far, number, End.CLOSE)
