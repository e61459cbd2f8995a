"""Fuzz targets of streams and new keys: any frames from a peer, and whatever two honest links can come to."""

from collections import Counter
from collections.abc import Iterator

from p2pnoise.node.frames import STREAM_KINDS, Code, FrameError, Kind, encode_frame, split_frames
from p2pnoise.node.stream_events import (
    End,
    StreamCode,
    StreamEvent,
    StreamFinished,
    StreamOffered,
    StreamReceived,
    StreamReset,
)
from p2pnoise.node.streams import WINDOW, Streams
from tests.fuzz.script import Script
from tests.fuzz.target import Target
from tests.node.link_pair import LinkPair, Side

PLACES = 3
KINDS = tuple(sorted(STREAM_KINDS))
SIZES = (0, 1, 64, 5_000, 60_000)
ENDS = tuple(End)


class Reader:
    """An application and its streams, at the hands of a peer that keeps no rule; it counts for itself."""

    def __init__(self, *, initiator: bool, window: int) -> None:
        self.out: list[bytes] = []
        self.streams = Streams(initiator=initiator, send=self.out.append, most=PLACES, window=window)
        self.window = window
        self.held: list[int] = []
        self.unread: Counter[int] = Counter()
        self.credit: Counter[int] = Counter()
        self.over: set[int] = set()  # streams of which we have sent an end
        self.served = 0

    def hear(self, kind: int, payload: bytes) -> None:
        number = int.from_bytes(payload[:4], "big")
        for news in self.streams.receive(kind, payload):
            self.told(news)
        if kind == Kind.STREAM_WINDOW and number in self.credit:
            self.credit[number] += int.from_bytes(payload[4:], "big")

    def told(self, news: StreamEvent) -> None:
        match news:
            case StreamOffered(number, protocol):
                assert number not in self.held
                assert 1 <= len(protocol) <= 64
                self.held.append(number)
                self.credit[number] = WINDOW
            case StreamReceived(number, data):
                assert number in self.held
                assert data
                self.unread[number] += len(data)
                assert self.unread[number] <= self.window
            case StreamFinished(number) | StreamReset(number):
                self.served += 1
                assert number in self.held
            case _:
                assert news.stream in self.held

    def send(self) -> None:
        """All that may leave: never more than was granted, and nothing of a direction after its end."""
        frames, self.out[:] = [*self.out, *(frame for frame, _ in self.streams.take(100_000))], []
        for frame in frames:
            ((kind, payload),) = split_frames(frame)
            number = int.from_bytes(payload[:4], "big")
            if kind == Kind.STREAM_DATA:
                self.credit[number] -= len(payload) - 4
                assert self.credit[number] >= 0
            if kind in (Kind.STREAM_DATA, Kind.STREAM_FIN, Kind.STREAM_RESET):
                assert number not in self.over
            if kind in (Kind.STREAM_FIN, Kind.STREAM_RESET):
                self.over.add(number)

    def act(self, script: Script) -> None:
        """What an application does."""
        what = script.byte() % 4
        if what == 0:
            if self.streams.can_open:
                self.held.append(self.streams.open("echo"))
                self.credit[self.held[-1]] = WINDOW
            return
        number = script.choose(self.held) if self.held else 0
        if what == 1:
            self.streams.write(number, bytes(script.choose(SIZES)))
        elif what == 2:
            size = min(self.unread[number], script.choose((WINDOW, 1, 70_000)))
            self.unread[number] -= size
            self.streams.read(number, size)
        else:
            how = script.choose(ENDS)
            self.streams.end(number, how, StreamCode.FAILED)
            if how is not End.FINISH and number in self.held:
                self.held.remove(number)


def stream_frames(data: bytes) -> bool:
    script = Script(data)
    reader = Reader(initiator=script.byte() % 2 == 1, window=script.choose((WINDOW, 2 * WINDOW)))
    try:
        while script:
            if script.byte() % 2:
                reader.act(script)
            else:
                reader.hear(script.choose(KINDS), payload(script))
            reader.send()
            assert len(reader.streams) <= 2 * PLACES
    except FrameError:
        return False
    return reader.served > 0


def payload(script: Script) -> bytes:
    """What may stand in a frame of a stream; the id is often one that there is."""
    number = script.byte()
    rest = {250: b"echo", 251: bytes(20_000), 252: b"\0\1\0\0"}.get(script.byte()) or script.chunk()
    return (number % 16).to_bytes(4, "big") + rest if number < 240 else rest


def stream_frames_seeds() -> Iterator[bytes]:
    offer, data, grant, fin, stop, reset = (bytes([0, kind]) for kind in range(6))
    echo, much, more = b"\xfa", b"\xfb", b"\xfc"
    nothing, code = b"\x00\x00", b"\x00\x01\x01"
    opened = b"\x00\x00" + offer + b"\x01" + echo
    yield opened + (data + b"\x01" + much) * 13 + fin + b"\x01" + nothing
    yield opened + data + b"\x01" + much + b"\x01\x02\x00\x00" + fin + b"\x01" + nothing + b"\x01\x03\x00\x01"
    yield opened + b"\x01\x01\x00\x04" * 6 + grant + b"\x01" + more + b"\x01\x03\x00\x00" + fin + b"\x01" + nothing
    yield opened + b"\x01\x01\x00\x04" + stop + b"\x01" + code + reset + b"\x01" + code
    yield opened + b"\x01\x03\x00\x02" + data + b"\x01" + much + reset + b"\x01" + code
    yield b"\x01\x01" + b"\x01\x00" * 4 + b"\x01\x01\x01\x03" + reset + b"\x03" + code + b"\x01\x03\x01\x01"
    yield b"\x00\x01" + b"".join(offer + bytes([number]) + echo for number in (1, 3, 5, 7)) + fin + b"\x03" + nothing


def link(data: bytes) -> bool:
    """Two links, in steps of whatever size the script says; a peer that lies may end its link, and nobody else may."""
    script = Script(data)
    pair = LinkPair(max_streams=PLACES, rekey_bytes=200_000, rekey_interval=5.0)
    honest = script.byte() % 2 == 0
    while script and not pair.faults:
        side = script.choose(pair.sides)
        script.choose((move, move, apply, apply, pass_time, gossip, lie if not honest else apply))(script, pair, side)
        for end in pair.sides:
            assert len(end.way) < 1_000_000
    pair.settle()
    if not honest:
        return bool(pair.faults)
    assert not pair.faults, pair.faults
    assert not pair.overdue
    assert pair.generations[0] == pair.generations[1]
    for end in pair.sides:
        end.link.close(Code.GOODBYE)
        pair.flush(end)
    pair.settle()
    assert pair.faults == ["", ""], pair.faults
    return pair.generations[0] > 0 or bool(pair.dialler.received)


def move(script: Script, pair: LinkPair, side: Side) -> None:
    pair.arrive(side, script.choose((None, 1, 7, 300, 20_000)))


def apply(script: Script, pair: LinkPair, side: Side) -> None:
    """An honest application."""
    streams = side.link.streams
    number = 1 + script.byte() % 8
    match script.byte() % 4:
        case 0 if side.link.carries and streams.can_open:
            streams.open("echo")
        case 1:
            streams.write(number, bytes(script.choose(SIZES)))
        case 2:
            streams.read(number, len(side.received.pop(number, b"")))
        case 3:
            streams.end(number, script.choose(ENDS))
    pair.flush(side)


def pass_time(script: Script, pair: LinkPair, _side: Side) -> None:
    seconds = script.choose((0.05, 0.2, 1.0, 6.0, 40.0))
    if seconds >= 1:  # whatever takes 30 s ends the link
        pair.settle()
    pair.wait(seconds)
    if script.byte() % 2:
        pair.settle()


def gossip(_script: Script, pair: LinkPair, side: Side) -> None:
    side.link.send_gossip(b"news")
    side.link.ping(pair.now)
    pair.flush(side)


def lie(script: Script, pair: LinkPair, side: Side) -> None:
    """A frame of any kind, or several in a message."""
    frames = []
    for _ in range(1 + script.byte() % 3):
        kind = script.byte() % 16
        frames.append(encode_frame(kind, payload(script) if kind in STREAM_KINDS else script.chunk()))
    pair.say(side, *frames)


def link_seeds() -> Iterator[bytes]:
    dialler, other = b"\x00", b"\x01"
    open_, end = b"\x02\x00\x00", b"\x02\x00\x03"
    write = b"\x02\x00\x01\x04"
    settled, later = b"\x04\x00\x01", b"\x04\x03\x01"
    began = b"\x00" + dialler + open_ + dialler + settled
    yield (
        began + dialler + write + dialler + settled + dialler + end + b"\x00" + other + end + b"\x01" + other + settled
    )
    yield began + (dialler + write + other + b"\x00\x04") * 6 + dialler + later + dialler + write + other + later
    yield began + (dialler + write + other + write + dialler + b"\x04\x01\x00" + other + b"\x00\x02") * 8
    yield began + dialler + b"\x04\x04\x00" + dialler + b"\x00\x01" + other + b"\x00\x01" + dialler + later
    lies = b"\x01" + dialler + open_ + dialler + settled + other + b"\x06\x00"
    yield lies + bytes([Kind.REKEY, 3]) + b"abc" + dialler + settled
    yield lies + bytes([Kind.REKEY_REQUEST, 0]) + other + settled + dialler + b"\x06\x01" + bytes([13, 0, 13, 0])
    yield lies + bytes([Kind.STREAM_DATA, 1, 251]) * 1 + other + settled
    yield lies + bytes([Kind.CLOSE, 1, 0]) + dialler + write + other + settled


TARGETS = {
    "streams": Target(stream_frames, stream_frames_seeds, 400),
    "link": Target(link, link_seeds, 200),
}
