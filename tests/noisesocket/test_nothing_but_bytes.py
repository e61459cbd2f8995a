"""An example: two NoiseSocketConnections and nothing but the bytes between them."""

import os

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


def events(connection, data, step):
    """What the connection tells as these bytes come in, `step` at a time."""
    for start in range(0, len(data), step):
        connection.receive_data(data[start : start + step])
        yield from iter(connection.next_event, NEED_DATA)


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_two_connections_talk_by_handing_over_bytes(step):
    alice_s, bob_s = KeyPair.generate(os.urandom), KeyPair.generate(os.urandom)
    alice = NoiseSocketConnection(initiator=True, s=alice_s, application_prologue=b"", entropy=os.urandom)
    bob = NoiseSocketConnection(initiator=False, s=bob_s, application_prologue=b"", entropy=os.urandom)

    # XX: neither knows the other's static key beforehand. The first message is clear, so nothing is said in it.
    first = list(events(bob, alice.send_handshake(), step))
    assert [event.body for event in first] == [b""]
    second = list(events(alice, bob.send_handshake(b"I am Bob"), step))
    assert [(event.body, event.rs) for event in second] == [(b"I am Bob", bob_s.public)]
    third = list(events(bob, alice.send_handshake(b"I am Alice"), step))
    assert isinstance(third[0], HandshakePayload)
    assert (third[0].body, third[0].rs) == (b"I am Alice", alice_s.public)
    assert isinstance(third[1], HandshakeCompleted)
    assert alice.handshake_hash == bob.handshake_hash

    # Both may send at any time now. Data of any length are cut into messages, and the end is said aloud.
    data = bytes(100_000)
    told = list(events(alice, bob.send_data(data) + bob.send_end(), step))[1:]
    assert b"".join(event.body for event in told if isinstance(event, MessageReceived)) == data
    assert told[-1] == EndOfStream()
