"""New keys that somebody meddles with, or that do not come: what ends the link (P15)."""

import pytest

from p2pnoise.node.channel import KeyLife
from p2pnoise.node.frames import Kind, encode_frame
from p2pnoise.node.rekeying import Rekeying
from tests.node.link_pair import LinkPair

REKEY = encode_frame(Kind.REKEY, b"")
REQUEST = encode_frame(Kind.REKEY_REQUEST, b"")
FOR_EVER = KeyLife(1 << 60, 1 << 60)


@pytest.fixture
def pair():
    return LinkPair()


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
