"""An example: a NoiseSocketConnection over blocking sockets of the standard library, with one thread for each side."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from p2pnoise import KeyPair
from p2pnoise.noisesocket import (
    NEED_DATA,
    EndOfStream,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NoiseSocketConnection,
)

ALICE, BOB = KeyPair.generate(os.urandom), KeyPair.generate(os.urandom)


class BlockingConnection:
    """A socket and the connection that knows what its bytes mean."""

    def __init__(self, carrier, connection, *, at_most=65536):
        self._carrier = carrier
        self._connection = connection
        self._at_most = at_most  # bytes read at once

    def next_event(self):
        while (event := self._connection.next_event()) is NEED_DATA:
            self._connection.receive_data(self._carrier.recv(self._at_most))
        return event

    def do_handshake(self, payload):
        """Exchanges payloads and returns the peer's: the first of a caller who is known, as IK has it."""
        theirs = b""
        while not self._connection.finished:
            if self._connection.my_turn:
                self._carrier.sendall(self._connection.send_handshake(payload))
            else:
                event = self.next_event()
                assert isinstance(event, HandshakePayload)
                theirs = event.body
        assert isinstance(self.next_event(), HandshakeCompleted)
        return theirs

    def send(self, data):
        self._carrier.sendall(self._connection.send_data(data))

    def send_end(self):
        self._carrier.sendall(self._connection.send_end())

    def receive_all(self):
        data = b""
        while not isinstance(event := self.next_event(), EndOfStream):
            assert isinstance(event, MessageReceived)
            data += event.body
        return data


def answer(carrier, at_most):
    """Bob's side: send back in capitals whatever comes."""
    connection = NoiseSocketConnection(initiator=False, s=BOB, application_prologue=b"shout/1", entropy=os.urandom)
    bob = BlockingConnection(carrier, connection, at_most=at_most)
    assert bob.do_handshake(b"I am Bob") == b"I am Alice"
    assert connection.rs == ALICE.public  # the moment to decide whether we want to talk to her
    bob.send(bob.receive_all().upper())
    bob.send_end()


@pytest.mark.parametrize("at_most", [1, 65536])
@pytest.mark.parametrize("data", [b"hello", b"long " * 20_000])
def test_two_threads_talk_over_blocking_sockets(at_most, data):
    if at_most == 1:
        data = data[:1000]
    near, far = socket.socketpair()
    with near, far, ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer, far, at_most)
        connection = NoiseSocketConnection(
            initiator=True, s=ALICE, rs=BOB.public, application_prologue=b"shout/1", entropy=os.urandom
        )
        alice = BlockingConnection(near, connection, at_most=at_most)
        assert alice.do_handshake(b"I am Alice") == b"I am Bob"
        alice.send(data)
        alice.send_end()
        assert alice.receive_all() == data.upper()
        answering.result()
