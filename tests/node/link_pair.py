"""Link pair: two linked Links, and a carrier between them that brings bytes when it is told to; no cores."""

from collections import defaultdict

from cards import Address, NodeId
from p2pnoise.config import NodeConfig
from p2pnoise.instant import SECOND
from p2pnoise.node.frames import Hello
from p2pnoise.node.link import Link
from p2pnoise.node.link_events import CardPresented, Ended, Greeted, StreamHappened
from p2pnoise.node.stream_events import StreamReceived
from tests.fuzz import world


class Side:
    """One end: its link, what happened there, and the bytes on their way to it."""

    def __init__(self, name, peer, *, initiator, now, config):
        self.name = name
        self.link = Link(
            initiator=initiator,
            address=Address("10.0.0.1", 7060),
            static=world.STATICS[name],
            own_card=world.CARDS[name].raw,
            entropy=world.stream(f"link of {name}"),
            now=now,
            rs=world.NODES[peer].public if initiator else None,
            config=config,
        )
        self.way = bytearray()
        self.sent = bytearray()  # all that this end ever sent
        self.awaits_word = False  # that all it sent has left
        self.told = []  # of its streams
        self.received = defaultdict(bytearray)  # what came on each of them
        self.faults = []  # with which the link ended; "" for none
        self.overdue = False  # whether new keys were


class LinkPair:
    """`dialler` and `other`, up and ready for streams. Whoever tests it moves bytes and time."""

    def __init__(self, **config):
        self.now = 1_000 * SECOND
        made = NodeConfig(**config)
        self.dialler = Side("ada", "bob", initiator=True, now=self.now, config=made)
        self.other = Side("bob", "ada", initiator=False, now=self.now, config=made)
        self.sides = (self.dialler, self.other)
        self.dialler.link.start()
        self.flush(self.dialler)
        self.settle()
        assert self.dialler.link.carries
        assert self.other.link.carries

    def across(self, side):
        """The end that is not `side`."""
        return self.other if side is self.dialler else self.dialler

    def flush(self, side):
        """What `side` has to send is on its way."""
        data, sent = side.link.take_output()
        side.told += sent
        side.sent += data
        self.across(side).way += data
        side.awaits_word |= bool(data) and side.link.wants_word

    def arrive(self, side, size=None):
        """So many bytes, or all, reach `side`."""
        data = bytes(side.way[:size])
        del side.way[: len(data)]
        if data:
            self.hear(side, data)
        self.say_word(self.across(side))

    def hear(self, side, data):
        """Any bytes, or the end of the carrier."""
        for event in side.link.receive(data, self.now):
            match event:
                case CardPresented(_, rs):
                    side.link.node_id = NodeId(rs)
                    side.link.accept(Hello(side.name.encode().ljust(16), b""), self.now)
                case Greeted():
                    side.link.admit(0)
                case StreamHappened(happened):
                    side.told.append(happened)
                    if isinstance(happened, StreamReceived):
                        side.received[happened.stream] += happened.data
                case Ended(fault):
                    side.faults.append(fault)
        self.flush(side)

    def say_word(self, side):
        """Word that all has left comes to `side`, if it waits for it and all has."""
        if side.awaits_word and not self.across(side).way:
            side.awaits_word = False
            side.link.sent()
            self.flush(side)

    def settle(self):
        """Everything arrives, to and fro."""
        while self.dialler.way or self.other.way:
            for side in self.sides:
                self.arrive(side)

    def say(self, side, *frames):
        """Frames of any kind, in a message of their own."""
        for frame in frames:
            side.link._send(frame)
        self.flush(side)

    def wait(self, seconds):
        """Time passes, in one step, and both sides notice."""
        self.now += round(seconds * SECOND)
        for side in self.sides:
            side.overdue |= side.link.change_keys(self.now)
            self.flush(side)

    @property
    def faults(self):
        """With which the ends of the link ended."""
        return self.dialler.faults + self.other.faults

    @property
    def overdue(self):
        """Where new keys were overdue."""
        return [side.name for side in self.sides if side.overdue]

    @property
    def generations(self):
        return self.dialler.link.generation, self.other.link.generation


def split(data):
    """The transport messages in what one side sent, handshake included, each with its length."""
    messages = []
    while data:
        size = 2 + int.from_bytes(data[:2], "big")
        messages.append(bytes(data[:size]))
        data = data[size:]
    return messages
