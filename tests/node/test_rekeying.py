"""New keys inside a link: when they come, who begins, what ends the link, and what a thief of keys can read (P15)."""

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.admission import Admission
from p2pnoise.node.channel import TIMEOUT, KeyLife
from p2pnoise.node.frames import Code, Kind, encode_frame, split_frames
from p2pnoise.node.rekeying import Rekeying
from p2pnoise.node.streams import WINDOW, End, StreamFinished, StreamOffered
from p2pnoise.noise import CipherState, DecryptError, HandshakeState, KeyPair, Protocol
from p2pnoise.noise.functions import CIPHERS
from tests.node.link_pair import LinkPair, split

REKEY = encode_frame(Kind.REKEY, b"")
REQUEST = encode_frame(Kind.REKEY_REQUEST, b"")
FOR_EVER = KeyLife(1 << 60, 1 << 60)


@pytest.fixture
def pair():
    return LinkPair()


def changed(pair, times=1):
    """The pair after so many changes of keys."""
    for _ in range(times):
        pair.wait(300)
        pair.settle()
    return pair


def stands(pair):
    """Whether both ends are linked and hear each other."""
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    return pair.other.told[-1:] == [StreamOffered(number, "echo")] and not pair.faults


# When


def test_keys_change_every_five_minutes_on_an_idle_link(pair):
    for generation in range(1, 4):
        pair.wait(299.9)
        pair.settle()
        assert pair.generations == (generation - 1, generation - 1)
        pair.wait(0.1)
        pair.settle()
        assert pair.generations == (generation, generation)
    assert stands(pair)


def test_the_deadline_of_a_link_is_when_keys_are_due(pair):
    begun = pair.now
    assert pair.dialler.link.key_deadline == begun + 300 * SECOND
    assert pair.other.link.key_deadline == begun + 330 * SECOND
    pair.wait(300)
    assert pair.dialler.link.key_deadline == pair.now + TIMEOUT


def test_keys_change_by_volume_of_both_directions():
    pair = LinkPair(rekey_bytes=100_000)
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    for side in pair.sides:
        side.link.streams.write(number, bytes(49_000))
        pair.flush(side)
    pair.settle()
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (0, 0)
    pair.dialler.link.streams.write(number, bytes(2_000))
    pair.flush(pair.dialler)
    for _ in range(3):
        pair.wait(0.1)
        pair.settle()
    assert pair.generations == (1, 1)


def test_the_other_side_asks_where_the_dialler_does_not_begin(pair):
    pair.dialler.link._channel._life = FOR_EVER
    pair.wait(329)
    assert not pair.dialler.way
    pair.wait(1)
    assert pair.dialler.way
    pair.settle()
    assert pair.generations == (1, 1)
    assert stands(pair)


def test_the_other_side_asks_by_volume_where_the_dialler_does_not_begin():
    pair = LinkPair(rekey_bytes=1_000)
    pair.dialler.link._channel._life = FOR_EVER
    number = pair.other.link.streams.open("echo")
    pair.other.link.streams.write(number, bytes(2_100))
    pair.flush(pair.other)
    pair.settle()
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (1, 1)


def test_a_request_that_comes_right_after_a_change_is_not_forgotten(pair):
    """Or the asker would wait for 30 s and end the link."""
    changed(pair)
    pair.say(pair.other, REQUEST)
    pair.settle()
    assert pair.generations == (1, 1)
    pair.wait(0.1)
    pair.settle()
    assert pair.generations == (2, 2)


def test_an_interval_below_a_tenth_of_a_second_leaves_the_link_at_rest():
    pair = LinkPair(rekey_interval=0.001)
    for _ in range(20):
        pair.wait(0.02)
        for side in pair.sides:
            assert side.link.key_deadline > pair.now
        pair.settle()
    assert pair.generations == (4, 4)


def test_a_request_that_crosses_the_beginning_leads_to_one_change(pair):
    pair.wait(300)  # the dialler begins
    pair.say(pair.other, REQUEST)
    pair.settle()
    pair.wait(1)
    pair.settle()
    assert pair.generations == (1, 1)
    assert stands(pair)


# Under load


def pattern(number, size):
    return (bytes(range(251)) * (size // 251 + 2))[number : number + size]


def test_keys_change_under_full_load_both_ways_without_a_byte_lost_or_out_of_order():
    pair = LinkPair(rekey_bytes=200_000)
    numbers = [side.link.streams.open("bulk") for side in pair.sides for _ in range(2)]
    whole = {number: pattern(number, 6 * WINDOW) for number in numbers}
    for side in pair.sides:
        pair.flush(side)
    pair.settle()
    for side in pair.sides:
        for number in numbers:
            side.link.streams.write(number, whole[number])
        pair.flush(side)
    read = dict.fromkeys(numbers, 0), dict.fromkeys(numbers, 0)
    for step in range(1_000):
        for side, taken in zip(pair.sides, read, strict=True):
            pair.arrive(side, 1_000 + step * 7919 % 90_000)
            for number in numbers:
                side.link.streams.read(number, len(side.received[number]) - taken[number])
                taken[number] = len(side.received[number])
        pair.wait(0.05)
    assert pair.dialler.received == pair.other.received == whole
    assert pair.generations[0] == pair.generations[1] >= 10
    assert not pair.faults


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_keys_change_on_a_carrier_that_brings_a_few_bytes_at_a_time(size):
    pair = LinkPair()
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    for turn in range(3):
        pair.wait(300)
        for side in pair.sides:
            side.link.streams.write(number, pattern(turn, 500))
            pair.flush(side)
        while pair.dialler.way or pair.other.way:
            for side in pair.sides:
                pair.arrive(side, size)
    assert pair.generations == (3, 3)
    for side in pair.sides:
        assert side.received[number] == b"".join(pattern(turn, 500) for turn in range(3))


def test_a_stream_ends_as_it_should_while_keys_change(pair):
    number = pair.dialler.link.streams.open("echo")
    pair.dialler.link.streams.write(number, b"last words")
    pair.flush(pair.dialler)
    pair.wait(300)
    pair.dialler.link.streams.end(number, End.FINISH)
    pair.flush(pair.dialler)
    pair.settle()
    assert pair.other.received[number] == b"last words"
    assert pair.other.told[-1] == StreamFinished(number)


# By the book


class ByTheBook:
    """A dialler that knows of new keys only what PROTOCOL.md says."""

    def __init__(self, net):
        self.ada = net.member("ada", target_links=0)
        self.puppet = net.puppet(self.ada, "carl").come_up().ready()
        self.h = self.puppet.conn.handshake_hash
        self.generation = 0

    def begin(self, payload=b""):
        self.generation += 1
        self.handshake = HandshakeState(
            Protocol.parse("Noise_KK_25519_ChaChaPoly_BLAKE2s"),
            initiator=True,
            entropy=bytes,
            prologue=b"p2pnoise/v1/rekey" + self.h + self.generation.to_bytes(8, "big"),
            s=KeyPair.from_private(self.puppet.key.static),
            rs=self.ada.core.node_id,
        )
        self.puppet.frame(Kind.REKEY, self.handshake.write_message(payload))
        return self

    def finish(self):
        kind, message = self.puppet.inbox[-1]
        assert (kind, len(message)) == (Kind.REKEY, 48)
        assert self.handshake.read_message(message) == b""
        self.h = self.handshake.handshake_hash
        send, receive = self.handshake.split()
        self.puppet.conn.transport.receive_under(receive)
        self.puppet.frame(Kind.REKEY)
        self.puppet.conn.transport.send_under(send)
        self.puppet.frame(Kind.PING, b"%d" % self.generation)
        return self.puppet.inbox[-1] == (Kind.PONG, b"%d" % self.generation)


def test_keys_change_as_the_protocol_says(net):
    book = ByTheBook(net)
    assert [book.begin().finish() for _ in range(3)] == [True] * 3
    assert book.puppet.link.generation == 3


def test_a_first_message_with_a_payload_ends_the_link(net):
    book = ByTheBook(net).begin(b"x")
    assert [event.reason for event in book.ada.told("peer-lost")] == ["new keys with a payload"]


# What ends the link


def test_a_change_that_takes_30_seconds_ends_the_link_on_both_sides(pair):
    pair.wait(300)
    pair.dialler.way.clear()
    pair.arrive(pair.other)  # it answers, and the answer is never read
    pair.dialler.way.clear()
    pair.wait(29.9)
    assert pair.overdue == []
    pair.wait(0.1)
    assert pair.overdue == ["ada", "bob"]


def test_a_request_that_nobody_answers_ends_the_link_after_30_seconds(pair):
    pair.dialler.link._channel._life = FOR_EVER
    pair.wait(330)
    pair.dialler.way.clear()
    pair.wait(30)
    assert pair.overdue == [pair.other.name]


def first_message(pair):
    """The dialler's first message of new keys, taken off the carrier."""
    made = pair.dialler.link._channel._keys.begin()
    pair.dialler.link._channel._waiting_since = pair.now
    return encode_frame(Kind.REKEY, made)


OUT_OF_TURN = {
    "a last message to a side that answered none": ("dialler", [REKEY]),
    "a first message of garbage": ("dialler", [encode_frame(Kind.REKEY, bytes(48))]),
    "a first message that is cut": ("dialler", [encode_frame(Kind.REKEY, b"\x09" * 31)]),
    "a first message of a low order": ("dialler", [encode_frame(Kind.REKEY, bytes(32) + b"x" * 16)]),
    "a request by the side that begins": ("dialler", [REQUEST]),
    "an answer to nothing": ("other", [encode_frame(Kind.REKEY, bytes(48))]),
    "an empty answer to nothing": ("other", [REKEY]),
    "a request with a payload": ("other", [encode_frame(Kind.REKEY_REQUEST, b"now")]),
    "a first message that is not the last frame": ("dialler", [REKEY, encode_frame(Kind.PING, b"")]),
    "two messages in one": ("dialler", [REKEY, REKEY]),
}


@pytest.mark.parametrize("what", OUT_OF_TURN)
def test_it_ends_the_link(pair, what):
    speaker, frames = OUT_OF_TURN[what]
    side = getattr(pair, speaker)
    pair.say(side, *frames)
    pair.arrive(pair.across(side))
    (fault,) = pair.across(side).faults
    assert fault
    assert pair.across(side).link.closed


def test_a_first_message_that_is_not_the_last_of_its_own_ends_the_link(pair):
    """What stands behind it could be read under either key."""
    pair.say(pair.dialler, first_message(pair), encode_frame(Kind.PING, b""))
    pair.arrive(pair.other)
    assert pair.other.faults == ["new keys that are not the last frame of their message"]


def test_a_second_first_message_ends_the_link(pair):
    frame = first_message(pair)
    pair.say(pair.dialler, frame)
    pair.arrive(pair.other)
    pair.say(pair.dialler, frame)
    pair.arrive(pair.other)
    assert pair.other.faults == ["new keys begun while others were on their way"]


@pytest.mark.parametrize("place", [0, 31, 32, 47])
def test_an_answer_that_was_changed_ends_the_link(pair, place, monkeypatch):
    keys = pair.other.link._channel._keys
    answer = keys.answer

    def garbled(message, now):
        reply, send = answer(message, now)
        return reply[:place] + bytes([reply[place] ^ 1]) + reply[place + 1 :], send

    monkeypatch.setattr(keys, "answer", garbled)
    pair.wait(300)
    pair.settle()
    (fault,) = pair.dialler.faults
    assert fault


def test_the_last_message_with_a_payload_ends_the_link(pair):
    pair.say(pair.dialler, first_message(pair))
    pair.arrive(pair.other)
    pair.say(pair.dialler, encode_frame(Kind.REKEY, b"x"))
    pair.arrive(pair.other)
    assert pair.other.faults == ["new keys begun while others were on their way"]


def test_changes_without_end_end_the_link(pair):
    """Each costs four Diffie-Hellmans."""
    while not pair.faults:
        pair.say(pair.dialler, first_message(pair))
        pair.settle()
    assert pair.other.faults == ["new keys more often than every 0.1 s"]
    assert pair.generations[1] == 8


def replayed(pair):
    """A dialler that says its first message of the change before once more."""
    first = first_message(pair)
    pair.say(pair.dialler, first)
    pair.settle()
    assert pair.generations == (1, 1)
    pair.say(pair.dialler, first)
    pair.arrive(pair.other)
    return pair.other.faults


def test_a_message_of_an_earlier_change_ends_the_link(pair):
    (fault,) = replayed(pair)
    assert "does not authenticate" in fault


def test_it_would_be_answered_if_its_generation_and_its_keys_were_not_in_it(pair, monkeypatch):
    """The companion: a prologue that never changes."""
    prepare = Rekeying._prepare

    def forgetful(self):
        kept, self._h, self.generation = (self._h, self.generation), bytes(32), 0
        try:
            return prepare(self)
        finally:
            self._h, self.generation = kept

    monkeypatch.setattr(Rekeying, "_prepare", forgetful)
    for side in pair.sides:
        side.link._channel._keys._handshake = side.link._channel._keys._prepare()
    assert replayed(pair) == []


# Ending while keys change


@pytest.mark.parametrize("closer", ["dialler", "other"])
@pytest.mark.parametrize("moves", range(4))
def test_a_goodbye_at_any_moment_of_a_change_is_a_clean_end(pair, closer, moves):
    pair.wait(300)
    for move in range(moves):
        pair.arrive(pair.other if move % 2 == 0 else pair.dialler)
    side = getattr(pair, closer)
    side.link.close(Code.GOODBYE)
    pair.flush(side)
    pair.settle()
    assert pair.faults == ["", ""]


def test_a_request_to_a_side_that_has_said_goodbye_is_ignored(pair):
    pair.say(pair.other, REQUEST)
    pair.dialler.link.close(Code.GOODBYE)
    pair.flush(pair.dialler)
    pair.settle()
    assert pair.faults == ["", ""]


# What a thief can read


def opened(messages, key):
    """The transport messages, by number, that this key opens under any nonce, and what is in them."""
    found = {}
    for number, message in enumerate(messages):
        for nonce in range(len(messages)):
            state = CipherState(CIPHERS["ChaChaPoly"])
            state.initialize_key(key)
            state.n = nonce
            try:
                found[number] = state.decrypt_with_ad(b"", message[2:])
                break
            except DecryptError:
                continue
    return found


@pytest.mark.parametrize("sender", ["dialler", "other"])
def test_stolen_keys_open_their_interval_and_nothing_else(pair, sender):
    """A thief copies the CipherStates of one moment and has a recording of all that the link ever carried."""
    side = getattr(pair, sender)
    number = pair.dialler.link.streams.open("echo")
    pair.flush(pair.dialler)
    pair.settle()
    stolen = []
    for _ in range(4):
        for _ in range(3):
            side.link.streams.write(number, b"secret")
            pair.flush(side)
            pair.settle()
        stolen.append(side.link._channel._conn.transport._send._k)
        changed(pair)
    messages = split(side.sent)
    read = [opened(messages, key) for key in stolen]
    shares = [list(found) for found in read]
    handshake = len(messages) - sum(map(len, shares))
    assert 1 <= handshake <= 2
    assert [number for share in shares for number in share] == list(range(handshake, len(messages)))
    for found in read:
        frames = [frame for body in found.values() for frame in split_frames(body[2:])]
        assert frames.count((Kind.STREAM_DATA, number.to_bytes(4, "big") + b"secret")) == 3
        assert frames[-1][0] == Kind.REKEY


def test_keys_of_the_handshake_open_nothing_after_the_first_change(pair):
    key = pair.dialler.link._channel._conn.transport._send._k
    changed(pair, 2)
    before = len(split(pair.dialler.sent))
    number = pair.dialler.link.streams.open("echo")
    pair.dialler.link.streams.write(number, b"secret")
    pair.flush(pair.dialler)
    pair.settle()
    messages = split(pair.dialler.sent)
    assert len(messages) > before
    assert opened(messages, key)
    assert max(opened(messages, key)) < before
    assert pair.other.received[number] == b"secret"


def test_the_keys_of_both_directions_differ(pair):
    for _ in range(3):
        transport = pair.dialler.link._channel._conn.transport
        assert transport._send._k != transport._receive._k
        changed(pair)


# On a node


def test_two_nodes_change_keys_every_five_minutes_and_stay_linked(net):
    low, high = net.pair()
    stream = net.open_stream(high, low)
    net.wait(1_000)
    assert [link.generation for member in (low, high) for link in member.links.values()] == [3, 3]
    assert not low.told("peer-lost")
    net.give(high, io.StreamWritten(stream.connection, stream.stream, b"still here"))
    assert low.received(stream.stream) == b"still here"


def test_a_node_ends_a_link_whose_new_keys_do_not_come_in_30_seconds(net):
    _, high = net.pair(ping_interval=1_000)
    net.wait(299)
    net.tamper = lambda source, _target, data: data if source is high else None
    net.wait(32)
    assert [event.reason for event in high.told("peer-lost")] == ["no new keys in time"]


@pytest.mark.parametrize("judges", ["low", "high"])
def test_a_peers_card_is_judged_again_when_keys_change(net, judges):
    """The wall clock was wrong and is put right: no timer tells that the card has come to its end meanwhile."""
    low, high = clocks_put_right(net, judges)
    judge = low if judges == "low" else high
    assert [event.reason for event in judge.told("peer-lost")] == ["expired"]


def test_nothing_else_would_tell_that_it_has_expired(net, monkeypatch):
    """The companion: keys change, and nobody is judged."""
    monkeypatch.setattr(Admission, "judge_again", lambda *_arguments: None)
    low, high = clocks_put_right(net, "low")
    assert low.up(high)
    assert [link.generation for link in low.links.values()] == [1]


def clocks_put_right(net, judge):
    """Two linked nodes, one of whose cards ends in an hour, after the clocks went forward by two, and new keys."""
    low, high = sorted((net.keys(name) for name in ("ada", "bob")), key=lambda keys: bytes(keys[0].public))
    short = {"low": high, "high": low}[judge]
    members = []
    for keys in (low, high):
        card = net.card("ada", keys=keys, **({"grant_lifetime": 3_700} if keys is short else {}))
        members.append(net.member("ada", keys=keys, card=card, target_links=0))
    net.link(members[1], members[0])
    net.shift = 7_200
    net.wait(299)
    assert members[0].up(members[1])
    net.wait(2)
    return members
