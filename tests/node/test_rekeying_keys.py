"""New keys by the book of PROTOCOL.md, and what a thief of keys can read of a recorded link (P15)."""

import pytest

from p2pnoise.node.frames import Kind, split_frames
from p2pnoise.noise import CipherState, DecryptError, HandshakeState, KeyPair, Protocol
from p2pnoise.noise.functions import CIPHERS
from tests.node.link_pair import LinkPair, split


@pytest.fixture
def pair():
    return LinkPair()


def changed(pair, times=1):
    """The pair after so many changes of keys."""
    for _ in range(times):
        pair.wait(300)
        pair.settle()
    return pair


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
