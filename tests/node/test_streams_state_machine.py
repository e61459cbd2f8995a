"""Two links under whatever applications, time and a carrier do: a model of every stream says what must have arrived."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from p2pnoise.node.channel import KeyLife
from p2pnoise.node.frames import Code
from p2pnoise.node.link import MAX_UNDERWAY
from p2pnoise.node.stream_events import (
    End,
    StreamCode,
    StreamFinished,
    StreamOffered,
    StreamReceived,
    StreamReset,
    StreamSent,
    StreamStopped,
)
from p2pnoise.node.streams import WINDOW
from tests.node.link_pair import LinkPair

PLACES = 3
MOST = 8 * WINDOW  # bytes that an application writes on one stream
PATTERN = bytes(range(251)) * (2 + (MOST + 128 * 37) // 251)

sides = st.sampled_from(("dialler", "other"))
some = st.integers(0, 4 * PLACES - 1)  # one of the streams that are held, as `choose` takes it


@dataclass
class Use:
    """What one application did with a stream, and what it was told of it."""

    start: int  # in the pattern, of what it writes
    written: int = 0
    left: int = 0
    received: int = 0
    read: int = 0
    ended: End | None = None
    told: dict = field(default_factory=dict)

    @property
    def released(self):
        return self.ended in (End.CLOSE, End.ABORT)

    @property
    def may_write(self):
        return self.ended is None and not {StreamStopped, StreamReset} & set(self.told)


def choose(held, pick):
    return held[pick % len(held)]


class TwoLinks(RuleBasedStateMachine):
    """Rules are what can happen; `look` holds every event against what the other application has done."""

    @initialize(rekey_bytes=st.sampled_from((5_000, 300_000, 1 << 30)), dialler_begins=st.booleans())
    def link(self, rekey_bytes, dialler_begins):
        self.pair = LinkPair(max_streams=PLACES, rekey_bytes=rekey_bytes)
        if not dialler_begins:
            self.pair.dialler.link._channel._life = KeyLife(1 << 62, 1 << 62)
        self.uses = {self.pair.dialler.name: {}, self.pair.other.name: {}}
        self.looked = dict.fromkeys(self.uses, 0)
        for _ in range(2):
            self.open("dialler")
            self.open("other")
        self.rest()

    def held(self):
        """The streams that some application holds."""
        return [
            (side, number, use)
            for side in self.pair.sides
            for number, use in self.uses[side.name].items()
            if not use.released
        ]

    # What applications do

    @rule(side=sides)
    def open(self, side):
        side = getattr(self.pair, side)
        if side.link.carries and side.link.streams.can_open:
            number = side.link.streams.open("model")
            self.uses[side.name][number] = Use(start=number * 37 % 251)
            self.pair.flush(side)

    @precondition(held)
    @rule(pick=some, size=st.sampled_from((1, 64, 5_000, 70_000, 2 * WINDOW)), then=st.sampled_from((None, None, *End)))
    def write(self, pick, size, then):
        side, number, use = choose(self.held(), pick)
        if use.may_write:
            size = min(size, MOST - use.written)
            begin = use.start + use.written
            side.link.streams.write(number, PATTERN[begin : begin + size])
            use.written += size
            self.pair.flush(side)
            if then is not None:
                self.end(pick, then)

    @precondition(held)
    @rule(pick=some, parts=st.sampled_from((1, 2, 1_000)))
    def read(self, pick, parts):
        side, number, use = choose(self.held(), pick)
        size = (use.received - use.read + parts - 1) // parts
        use.read += size
        side.link.streams.read(number, size)
        self.pair.flush(side)

    @precondition(held)
    @rule(pick=some, how=st.sampled_from(End))
    def end(self, pick, how):
        side, number, use = choose(self.held(), pick)
        use.ended = how
        side.link.streams.end(number, how)
        self.pair.flush(side)

    # What the owner of a link, its carrier and time do

    @rule(side=sides)
    def chat(self, side):
        side = getattr(self.pair, side)
        side.link.ping(self.pair.now)
        side.link.send_gossip(b"news")
        self.pair.flush(side)

    @precondition(lambda self: sum(map(len, self.uses.values())) > 2 * PLACES)
    @rule(side=sides)
    def drain(self, side):
        getattr(self.pair, side).link.draining = True

    @rule(side=sides, size=st.sampled_from((1, 3, 100, 1_460, 20_000, 70_000, None)))
    def arrive(self, side, size):
        self.pair.arrive(getattr(self.pair, side), size)

    @rule()
    def settle(self):
        self.pair.settle()

    @rule(seconds=st.sampled_from((0.05, 0.2, 1.0, 300.0, 330.0)))
    def wait(self, seconds):
        if seconds > 1:  # whatever takes 30 s ends the link, and this carrier is not to blame
            self.pair.settle()
        self.pair.wait(seconds)

    @rule()
    def rest(self):
        """Everything arrives and everything is read: now both sides must agree."""
        self.pair.settle()
        self.look()
        while unread := [(side, number, use) for side, number, use in self.held() if use.read < use.received]:
            for side, number, use in unread:
                side.link.streams.read(number, use.received - use.read)
                use.read = use.received
                self.pair.flush(side)
            self.pair.settle()
            self.look()
        self.agree()

    # What must hold

    @invariant()
    def look(self):
        """Every event is the doing of the other application, and nothing is held beyond the bounds."""
        for side in self.pair.sides:
            for news in side.told[self.looked[side.name] :]:
                self.check(side, news)
            self.looked[side.name] = len(side.told)
            assert len(side.way) < 2 * MAX_UNDERWAY
            for use in self.uses[side.name].values():
                assert use.received - use.read <= WINDOW
            offered = [number for of, number, _ in self.held() if of is side and number % 2 != side.link.initiator]
            assert len(offered) <= PLACES
        assert not self.pair.faults
        assert not self.pair.overdue

    def check(self, side, news):
        ours, theirs = self.uses[side.name], self.uses[self.pair.across(side).name]
        if isinstance(news, StreamOffered):
            assert news.stream in theirs
            ours[news.stream] = Use(start=news.stream * 37 % 251 + 101)
            return
        use, other = ours[news.stream], theirs.get(news.stream)
        assert not use.released or isinstance(news, StreamSent)
        assert StreamReset not in use.told
        match news:
            case StreamReceived(data=data):
                begin = other.start + use.received
                use.received += len(data)
                assert data == PATTERN[begin : other.start + use.received]
                assert use.received <= other.written
                assert StreamFinished not in use.told
            case StreamSent(size=size):
                use.left += size
                assert use.left <= use.written
            case StreamFinished():
                assert other.ended is not None
                assert use.received == other.written
            case StreamStopped():
                assert other.released
            case StreamReset(code=code):
                assert StreamFinished not in use.told
                assert (code is StreamCode.BUSY) if other is None else (other.ended is End.ABORT)
        if not isinstance(news, StreamReceived | StreamSent):
            assert type(news) not in use.told
            use.told[type(news)] = news

    def agree(self):
        for side in self.pair.sides:
            ours, theirs = self.uses[side.name], self.uses[self.pair.across(side).name]
            for number, use in ours.items():
                other = theirs.get(number)
                if other is None:
                    assert use.released or StreamReset in use.told
                elif not other.released:
                    self.arrived(use, other)
                elif use.ended is None:
                    assert {StreamStopped, StreamReset} & set(use.told)
            assert len(side.link.streams) == sum(not use.released for use in ours.values())
        assert self.pair.dialler.link.generation == self.pair.other.link.generation

    def arrived(self, use, other):
        """What one application did has come to the other, who still listens."""
        if use.ended is End.ABORT and StreamReset in other.told:
            return
        assert other.received == use.written
        assert (StreamFinished in other.told) == (use.ended is not None)

    def teardown(self):
        if not hasattr(self, "pair"):
            return
        self.rest()
        for side, number, use in self.held():
            use.ended = End.CLOSE
            side.link.streams.end(number, End.CLOSE)
            self.pair.flush(side)
        self.rest()
        for side in self.pair.sides:
            side.link.close(Code.GOODBYE)
            self.pair.flush(side)
        self.pair.settle()
        assert self.pair.faults == ["", ""]


TestTwoLinks = TwoLinks.TestCase
TestTwoLinks.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
