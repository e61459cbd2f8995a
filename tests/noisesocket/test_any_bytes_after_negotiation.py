"""Any bytes, split anywhere, in the states that a switch, a retry, a reject or another profile leads to."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket import GO, PLAIN, EndOfStream, HandshakeCompleted, MessageReceived
from tests.fuzz.world import held_bytes

XX, FALLBACK = (Protocol.parse(f"Noise_{name}_25519_ChaChaPoly_BLAKE2s") for name in ("XX", "XXfallback"))
OLD_S = KeyPair.from_private(b"\x05" * 32)
OVERHEAD = 2_048  # bytes of keys, hashes and the packets that the next prologue needs


class Stale:
    """An initiator whose key for the responder is out of date, and the responder that could not read its message."""

    def __init__(self, play):
        self.play = play
        self.initiator = play.connection(initiator=True, pattern="IK", rs=OLD_S.public, accepts=(FALLBACK, XX))
        self.responder = play.connection(initiator=False)
        with pytest.raises(RemoteProtocolError):
            play.feed(self.responder, self.initiator.send_handshake(b""))

    def switch(self):
        self.responder.switch(FALLBACK)
        return self

    def ask_to_switch(self):
        self.play.feed(self.initiator, self.switch().responder.send_handshake(b""))
        return self

    def ask_to_retry(self):
        self.play.feed(self.initiator, self.responder.request_retry(XX))
        return self

    def follow(self):
        self.initiator.follow()
        return self

    def retry(self):
        packet = self.ask_to_retry().follow().initiator.send_handshake(b"")
        self.play.feed(self.responder, packet)
        return self

    def reject(self):
        self.play.feed(self.initiator, self.responder.reject())
        return self


def opened(play, profile):
    """Both ends of a finished handshake of this profile."""
    ends = [play.connection(initiator=initiator, profile=profile) for initiator in (True, False)]
    for writer, reader in (ends, ends[::-1], ends):
        play.feed(reader, writer.send_handshake(b""))
        play.drain(writer)
    return ends


STATES = {
    "unreadable": lambda play: Stale(play).responder,
    "switch unwritten": lambda play: Stale(play).switch().responder,
    "switch written": lambda play: Stale(play).ask_to_switch().responder,
    "asked to switch": lambda play: Stale(play).ask_to_switch().initiator,
    "follows a switch": lambda play: Stale(play).ask_to_switch().follow().initiator,
    "waits for a retry": lambda play: Stale(play).ask_to_retry().responder,
    "asked to retry": lambda play: Stale(play).ask_to_retry().initiator,
    "follows a retry": lambda play: Stale(play).ask_to_retry().follow().initiator,
    "retried": lambda play: Stale(play).retry().initiator,
    "answers a retry": lambda play: Stale(play).retry().responder,
    "has rejected": lambda play: Stale(play).reject().responder,
    "was rejected": lambda play: Stale(play).reject().initiator,
    "go, open, initiator": lambda play: opened(play, GO)[0],
    "go, open, responder": lambda play: opened(play, GO)[1],
    "plain, open": lambda play: opened(play, PLAIN)[0],
    "go, first message": lambda play: play.connection(initiator=False, profile=GO),
}
negotiation_data = st.sampled_from(
    [
        bytes.fromhex(data)
        for data in ("", "000101010109", "00010101010e", "000101010110", "ff", "0001ff", "0001ff01010109")
    ]
)
fields = st.lists(negotiation_data | st.binary(max_size=140), max_size=4)
framed = fields.map(lambda contents: b"".join(len(content).to_bytes(2, "big") + content for content in contents))


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=framed | st.binary(max_size=300), step=st.integers(1, 300))
def test_only_documented_errors_and_no_more_memory_than_was_sent(play, state, data, step):
    connection = STATES[state](play)
    finished = connection.finished
    events = []
    try:
        for start in range(0, len(data), step):
            events += play.feed(connection, data[start : start + step])
            assert held_bytes(connection) <= OVERHEAD + len(data)
        connection.receive_data(b"")
        events += play.drain(connection)
    except RemoteProtocolError as error:
        with pytest.raises(type(error)):
            connection.next_event()
    assert not any(isinstance(event, MessageReceived | HandshakeCompleted) for event in events)
    assert EndOfStream() not in events or finished
