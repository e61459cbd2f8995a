"""HandshakeState: whose turn it is, what a failure leaves behind, what is refused."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import (
    DH_448,
    DecryptError,
    HandshakeState,
    InvalidPublicKey,
    KeyPair,
    MessageSizeError,
    NoiseError,
    Protocol,
)

PATTERNS = {"XX": 3, "IK": 2}
XX = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
XX448 = Protocol.parse("Noise_XX_448_ChaChaPoly_BLAKE2s")
IK448 = Protocol.parse("Noise_IK_448_ChaChaPoly_BLAKE2s")
XXPSK3 = Protocol.parse("Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s")
FALLBACK = Protocol.parse("Noise_XXfallback_25519_ChaChaPoly_BLAKE2s")
S = KeyPair.from_private(b"\x01" * 32)
S448 = KeyPair.from_private(b"\x01" * 56, DH_448)

every_message = pytest.mark.parametrize(
    ("pattern", "message_number"), [(name, number) for name, count in PATTERNS.items() for number in range(count)]
)
every_pattern = pytest.mark.parametrize("pattern", PATTERNS)


def no_entropy(_):
    raise AssertionError("no entropy is needed here")


def snapshot(side):
    """All that a message may change, the keys as bytes."""
    local = {name: pair.private for name, pair in side._keys.local.items()}
    remote = {name: key.public_bytes_raw() for name, key in side._keys.remote.items()}
    psks = dict(side._keys._psks)
    return local, remote, psks, side._symmetric_state.checkpoint(), side.my_turn, side.finished


@every_pattern
def test_each_side_learns_the_other_s_static_key_and_the_same_hash(make_sides, pattern):
    sides = make_sides(pattern)
    sides.exchange()
    assert sides.initiator.rs == sides.responder_s.public
    assert sides.responder.rs == sides.initiator_s.public
    assert sides.initiator.handshake_hash == sides.responder.handshake_hash


@every_pattern
def test_split_gives_each_side_its_sending_key_first(make_sides, pattern):
    sides = make_sides(pattern)
    sides.exchange()
    initiator_send, initiator_receive = sides.initiator.split()
    responder_send, responder_receive = sides.responder.split()
    assert responder_receive.decrypt_with_ad(b"", initiator_send.encrypt_with_ad(b"", b"ping")) == b"ping"
    assert initiator_receive.decrypt_with_ad(b"", responder_send.encrypt_with_ad(b"", b"pong")) == b"pong"


def test_split_is_refused_the_second_time(make_sides):
    sides = make_sides("XX")
    sides.exchange()
    sides.initiator.split()
    with pytest.raises(LocalProtocolError, match="split already"):
        sides.initiator.split()


def test_split_and_handshake_hash_are_refused_before_the_end(make_sides):
    sides = make_sides("XX")
    sides.exchange(messages=2)
    with pytest.raises(LocalProtocolError, match="2 of its 3 messages"):
        sides.initiator.split()
    with pytest.raises(LocalProtocolError, match="2 of its 3 messages"):
        _ = sides.initiator.handshake_hash


@every_message
def test_out_of_turn_is_our_fault_and_changes_nothing(make_sides, pattern, message_number):
    sides = make_sides(pattern)
    sides.exchange(messages=message_number)
    writer, reader = sides.writer_and_reader()
    before = snapshot(writer), snapshot(reader)
    with pytest.raises(LocalProtocolError, match=f"message {message_number + 1} is not ours to write"):
        reader.write_message(b"")
    with pytest.raises(LocalProtocolError, match=f"message {message_number + 1} is not ours to read"):
        writer.read_message(b"")
    assert (snapshot(writer), snapshot(reader)) == before


@every_pattern
def test_a_finished_handshake_has_no_further_message(make_sides, pattern):
    sides = make_sides(pattern)
    sides.exchange()
    for side in (sides.initiator, sides.responder):
        assert side.finished
        assert not side.my_turn
        with pytest.raises(LocalProtocolError):
            side.write_message(b"")
        with pytest.raises(LocalProtocolError):
            side.read_message(b"")


def flips(message):
    """The message with each of its bits flipped."""
    for bit in range(len(message) * 8):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


@pytest.mark.parametrize(("pattern", "message_number"), [("XX", 1), ("XX", 2), ("IK", 0), ("IK", 1)])
def test_every_flipped_bit_of_an_authenticated_message_is_refused(make_sides, pattern, message_number):
    sides = make_sides(pattern)
    sides.exchange(messages=message_number)
    writer, reader = sides.writer_and_reader()
    message = writer.write_message(b"payload")
    before = snapshot(reader)
    for flipped in flips(message):
        with pytest.raises(NoiseError):
            reader.read_message(flipped)
        assert snapshot(reader) == before
    assert reader.read_message(message) == b"payload"


def test_every_flipped_bit_of_a_cleartext_message_is_noticed_in_the_answer(make_sides):
    for flipped in flips(make_sides("XX").initiator.write_message(b"payload")):
        sides = make_sides("XX")
        sides.initiator.write_message(b"payload")
        sides.responder.read_message(flipped)
        with pytest.raises(DecryptError):
            sides.initiator.read_message(sides.responder.write_message(b""))


@every_message
def test_every_truncation_is_refused_or_shortens_only_a_cleartext_payload(make_sides, pattern, message_number):
    sides = make_sides(pattern)
    sides.exchange(messages=message_number)
    writer, reader = sides.writer_and_reader()
    encrypted = writer.payload_encrypted
    message = writer.write_message(b"payload")
    before = snapshot(reader)
    for length in range(len(message) if encrypted else 32):
        with pytest.raises(NoiseError):
            reader.read_message(message[:length])
        assert snapshot(reader) == before
    assert reader.read_message(message) == b"payload"


def test_a_failed_read_forgets_the_keys_it_had_read(make_sides):
    sides = make_sides("IK")
    message = bytearray(sides.initiator.write_message(b"payload"))
    message[-1] ^= 1
    with pytest.raises(DecryptError):
        sides.responder.read_message(bytes(message))
    assert sides.responder.rs is None
    assert "e" not in sides.responder._keys.remote


def test_a_failed_write_forgets_its_ephemeral_key(make_sides):
    sides = make_sides("XX")
    sides.responder.read_message(bytes(32))
    before = snapshot(sides.responder)
    with pytest.raises(InvalidPublicKey):
        sides.responder.write_message(b"")
    assert snapshot(sides.responder) == before


def test_a_failure_of_entropy_leaves_no_trace():
    side = HandshakeState(XX, initiator=True, s=S, entropy=no_entropy)
    before = snapshot(side)
    with pytest.raises(AssertionError):
        side.write_message(b"")
    assert snapshot(side) == before


def test_a_low_order_ephemeral_is_refused_on_reading(make_sides):
    sides = make_sides("IK")
    message = sides.initiator.write_message(b"")
    with pytest.raises(InvalidPublicKey, match="low order"):
        sides.responder.read_message(bytes(32) + message[32:])


def test_a_low_order_static_key_is_refused_on_writing():
    side = HandshakeState(IK, initiator=True, s=S, rs=bytes(32), entropy=lambda length: b"\x09" * length)
    with pytest.raises(InvalidPublicKey):
        side.write_message(b"")


def test_another_prologue_is_refused(make_sides):
    sides = make_sides("IK", prologue=b"one")
    other = make_sides("IK", prologue=b"two")
    with pytest.raises(DecryptError):
        other.responder.read_message(sides.initiator.write_message(b""))


@every_message
def test_a_message_holds_max_payload_and_not_a_byte_more(make_sides, pattern, message_number):
    sides = make_sides(pattern)
    sides.exchange(messages=message_number)
    writer, reader = sides.writer_and_reader()
    limit = writer.max_payload
    before = snapshot(writer)
    with pytest.raises(LocalProtocolError, match=f"payload of {limit + 1} bytes, at most {limit}"):
        writer.write_message(bytes(limit + 1))
    assert snapshot(writer) == before
    message = writer.write_message(bytes(limit))
    assert len(message) == 65535
    assert reader.read_message(message) == bytes(limit)


def test_a_message_above_65535_bytes_is_refused(make_sides):
    with pytest.raises(MessageSizeError, match="message of 65536 bytes, at most 65535"):
        make_sides("XX").responder.read_message(bytes(65536))


@pytest.mark.parametrize(("pattern", "encrypted"), [("XX", [False, True, True]), ("IK", [True, True])])
def test_payload_encrypted_is_known_before_each_message(make_sides, pattern, encrypted):
    sides = make_sides(pattern)
    for expected in encrypted:
        writer, reader = sides.writer_and_reader()
        assert writer.payload_encrypted == reader.payload_encrypted == expected
        message = writer.write_message(b"seen by all")
        assert (b"seen by all" not in message) == expected
        reader.read_message(message)
    assert sides.initiator.payload_encrypted


@pytest.mark.parametrize(
    ("protocol", "initiator", "keys", "fault"),
    [
        (IK, False, {}, "needs our static key pair s"),
        (IK, True, {"s": S}, "needs the peer's static public key rs"),
        (IK, False, {"s": S, "rs": S.public}, "takes no rs"),
        (XX, True, {"s": S, "rs": S.public}, "takes no rs"),
        (IK, True, {"s": S, "rs": b"short"}, "rs of 5 bytes, 32 needed"),
        (XX, True, {"s": S448}, "s of DH 448, .*25519.* needs 25519"),
        (XX448, True, {"s": S}, "s of DH 25519, .*448.* needs 448"),
        (IK448, True, {"s": S448, "rs": S.public}, "rs of 32 bytes, 56 needed"),
        (XX, True, {"e": S}, "takes no e"),
        (XX, True, {"re": S.public}, "takes no re"),
        (FALLBACK, True, {"s": S}, "needs the peer's ephemeral public key re"),
        (FALLBACK, True, {"s": S, "re": S.public[1:]}, "re of 31 bytes, 32 needed"),
        (FALLBACK, True, {"s": S, "re": S.public, "e": S}, "takes no e"),
        (FALLBACK, False, {"s": S}, "needs our ephemeral key pair e"),
        (FALLBACK, False, {"s": S, "e": S, "re": S.public}, "takes no re"),
        (XX, True, {"psks": {3: bytes(32)}}, "XX takes no psk3"),
        (XXPSK3, True, {"psks": {0: bytes(32)}}, "XXpsk3 takes no psk0"),
        (XXPSK3, True, {"psks": {3: bytes(31)}}, "psk3 of 31 bytes, 32 needed"),
    ],
)
def test_keys_that_do_not_fit_the_pattern_are_our_fault(protocol, initiator, keys, fault):
    with pytest.raises(LocalProtocolError, match=fault):
        HandshakeState(protocol, initiator=initiator, entropy=no_entropy, **keys)
