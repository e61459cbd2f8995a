"""Any bytes in any state of any pattern: documented errors only, and no trace of what failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, NoiseError
from p2pnoise.noise.patterns import PATTERNS

MODIFIED = ["XXpsk0+psk3", "IKpsk1+psk2", "NNpsk0", "Xpsk1", "XXfallback", "INfallback", "XXfallback+psk0"]
SUITES = ["25519_ChaChaPoly_BLAKE2s", "448_AESGCM_SHA512"]


def snapshot(side):
    """All that a message may change, the keys as bytes."""
    local = {name: pair.private for name, pair in side._keys.local.items()}
    remote = {name: key.public_bytes_raw() for name, key in side._keys.remote.items()}
    return local, remote, side._symmetric_state.checkpoint(), side._position, side.my_turn, side.finished


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("pattern", [*PATTERNS, *MODIFIED])
def test_a_message_that_fails_at_its_end_leaves_no_trace(make_sides, pattern, suite):
    sides = make_sides(pattern, suite=suite)
    while not sides.initiator.finished:
        writer, reader = sides.writer_and_reader()
        encrypted = reader.payload_encrypted
        message = writer.write_message(b"payload")
        before = snapshot(reader)
        if encrypted:
            with pytest.raises(DecryptError):
                reader.read_message(message[:-1] + bytes([message[-1] ^ 1]))
            assert snapshot(reader) == before
        assert reader.read_message(message) == b"payload"
    assert sides.initiator.handshake_hash == sides.responder.handshake_hash


def damaged(message):
    """The message with a byte changed, cut off, grown, or others in its place."""
    return st.one_of(
        st.binary(max_size=300),
        st.integers(0, len(message)).map(lambda length: message[:length]),
        st.binary(min_size=1, max_size=20).map(message.__add__),
        st.tuples(st.integers(0, max(len(message) - 1, 0)), st.integers(1, 255)).map(
            lambda flip: bytes(byte ^ (flip[1] * (at == flip[0])) for at, byte in enumerate(message))
        ),
    )


@given(data=st.data())
def test_any_bytes_in_any_state_raise_documented_errors_only(make_sides, data):
    sides = make_sides(data.draw(st.sampled_from([*PATTERNS, *MODIFIED])))
    sides.exchange(messages=data.draw(st.integers(0, 4)))
    message = b""
    if not sides.initiator.finished:
        writer, _ = sides.writer_and_reader()
        message = writer.write_message(b"payload")
    for side in (sides.initiator, sides.responder):
        before = snapshot(side)
        encrypted, turn = side.payload_encrypted, not (side.my_turn or side.finished)
        hostile = data.draw(damaged(message))
        try:
            side.read_message(hostile)
        except NoiseError:
            assert turn
            assert snapshot(side) == before
        except LocalProtocolError:
            assert not turn
            assert snapshot(side) == before
        else:
            # Without a key nobody can tell; with one only the message itself is read.
            assert hostile == message or not encrypted


@given(data=st.data())
def test_any_bytes_in_any_transport_are_refused_without_a_trace(make_sides, data):
    sides = make_sides(data.draw(st.sampled_from([*PATTERNS, *MODIFIED])))
    sides.exchange()
    send, receive = sides.initiator.split()[0], sides.responder.split()[1]
    message = send.encrypt_with_ad(b"", b"body")
    hostile = data.draw(damaged(message))
    if hostile != message:
        with pytest.raises(DecryptError):
            receive.decrypt_with_ad(b"", hostile)
    assert receive.n == 0
    assert receive.decrypt_with_ad(b"", message) == b"body"
