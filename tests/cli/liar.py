"""Liar: a member over TCP that says whatever it is told to say to a running node, and hears what that answers."""

import os
import socket

from cards import NodeId
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.messages import Heads, Items, Want
from p2pnoise.node.frames import Hello, Kind, encode_card, encode_frame, split_frames
from p2pnoise.node.link import APPLICATION_PROLOGUE
from p2pnoise.noise import KeyPair
from p2pnoise.noisesocket import NEED_DATA, MessageReceived, NoiseSocketConnection
from tests.patience import PATIENCE


class Liar:
    """Dials when made, shows `card`, whose node key is `key`, and is admitted. `ended` once the other side closed."""

    def __init__(self, bootstrap, key, card, heads):
        node, _, address = bootstrap.partition("@")
        host, _, port = address.rpartition(":")
        self.frames, self.ended = [], False
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.conn = NoiseSocketConnection(
            initiator=True,
            s=KeyPair.from_private(key.static),
            rs=NodeId.parse(node),
            application_prologue=APPLICATION_PROLOGUE,
            entropy=os.urandom,
        )
        self.send(self.conn.send_handshake(encode_card(card.raw)))
        while not self.conn.finished and not self.ended:
            self.hear()
        if not self.ended:
            self.say(Kind.HELLO, Hello(os.urandom(16), b"").encode())
            self.gossip(Heads(heads))
        while not self.ended and not self.heard(Kind.READY):
            self.hear()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.ended = True

    def hear(self):
        """What comes next; an end where nothing more does."""
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return
        self.conn.receive_data(data)
        while (event := self.conn.next_event()) is not NEED_DATA:
            if isinstance(event, MessageReceived):
                self.frames += split_frames(event.body)

    def say(self, kind, payload=b""):
        self.send(self.conn.send_message(encode_frame(kind, payload)))

    def gossip(self, message):
        self.say(Kind.GOSSIP, encode(message))

    def heard(self, kind):
        return [payload for found, payload in self.frames if found == kind]

    @property
    def wants(self):
        """The questions for items that it heard and has not looked at."""
        messages = [decode(payload) for payload in self.heard(Kind.GOSSIP)]
        return [message.ids for message in messages if isinstance(message, Want)]

    def next_want(self):
        """The next question for items; None where the other side has closed."""
        while not self.ended:
            while self.frames:
                kind, payload = self.frames.pop(0)
                if kind == Kind.GOSSIP and isinstance(message := decode(payload), Want):
                    return message.ids
            self.hear()
        return None

    def give(self, items):
        """Answer a question, in messages of as many as fit."""
        for start in range(0, len(items), 32):
            self.gossip(Items(tuple(items[start : start + 32]), last=False))
        self.gossip(Items((), last=True))

    def close(self):
        self.socket.close()
