"""Pre-shared keys in every place, and keys that become known on the way."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DH_448, DecryptError, HandshakeState, KeyPair, Protocol

PSK, OTHER = b"\x41" * 32, b"\x99" * 32
S = KeyPair.from_private(b"\x01" * 32)
SUITE = "25519_ChaChaPoly_BLAKE2s"


def snapshot(side):
    keys = side._keys
    return dict(keys.local), list(keys.remote), dict(keys._psks), side._symmetric_state.checkpoint(), side._position


def side_of(pattern, *, initiator, **keys):
    private = iter(range(10 if initiator else 100, 256))
    protocol = Protocol.parse(f"Noise_{pattern}_{SUITE}")
    return HandshakeState(protocol, initiator=initiator, entropy=lambda n: bytes([next(private)]) * n, **keys)


@pytest.mark.parametrize("pattern", ["XXpsk0", "XXpsk1", "XXpsk2", "XXpsk3", "NNpsk0+psk2", "Npsk0", "XXfallback+psk0"])
def test_two_sides_with_the_same_psks_agree(make_sides, pattern):
    sides = make_sides(pattern)
    sides.exchange()
    assert sides.initiator.handshake_hash == sides.responder.handshake_hash


@pytest.mark.parametrize(
    ("pattern", "number"), [("XXpsk0", 0), ("XXpsk3", 3), ("NNpsk0+psk2", 2), ("XXfallback+psk1", 1)]
)
def test_two_sides_with_different_psks_do_not_understand_each_other(make_sides, pattern, number):
    sides = make_sides(pattern)
    sides.responder.set_psk(number, OTHER)
    with pytest.raises(DecryptError):
        sides.exchange()


@pytest.mark.parametrize("pattern", ["XXpsk0", "XXpsk1", "NNpsk2", "XXpsk3", "NXpsk0+psk2", "XXfallback+psk2", "Kpsk1"])
def test_what_is_encrypted_and_how_much_fits_is_known_before_each_message(make_sides, pattern):
    sides = make_sides(pattern)
    while not sides.initiator.finished:
        writer, reader = sides.writer_and_reader()
        limit, encrypted = writer.max_payload, writer.payload_encrypted
        assert (reader.max_payload, reader.payload_encrypted) == (limit, encrypted)
        payload = b"seen by all".ljust(limit, b".")
        message = writer.write_message(payload)
        assert len(message) == 65535
        assert (payload not in message) == encrypted
        assert reader.read_message(message) == payload


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_psk_of_another_length_is_refused(make_sides, length):
    responder = make_sides("XXpsk3").responder
    before = snapshot(responder)
    with pytest.raises(LocalProtocolError, match=f"psk3 of {length} bytes, 32 needed"):
        responder.set_psk(3, bytes(length))
    assert snapshot(responder) == before


def test_a_psk_that_the_pattern_does_not_name_is_refused(make_sides):
    with pytest.raises(LocalProtocolError, match="XXpsk3 takes no psk2"):
        make_sides("XXpsk3").initiator.set_psk(2, PSK)


def test_a_psk_may_follow_once_message_1_told_who_is_there():
    initiator = side_of("NNpsk2", initiator=True, psks={2: PSK})
    responder = side_of("NNpsk2", initiator=False)
    assert responder.read_message(initiator.write_message(b"I am node 7")) == b"I am node 7"
    before = snapshot(responder)
    with pytest.raises(LocalProtocolError, match="NNpsk2 needs psk2; give it with set_psk"):
        responder.write_message(b"hello")
    assert snapshot(responder) == before
    responder.set_psk(2, PSK)
    assert initiator.read_message(responder.write_message(b"hello")) == b"hello"


def test_a_reader_without_the_psk_may_be_given_it_and_read_again():
    initiator = side_of("NNpsk0", initiator=True, psks={0: PSK})
    responder = side_of("NNpsk0", initiator=False)
    message = initiator.write_message(b"hello")
    before = snapshot(responder)
    with pytest.raises(LocalProtocolError, match="needs psk0"):
        responder.read_message(message)
    assert snapshot(responder) == before
    responder.set_psk(0, OTHER)
    with pytest.raises(DecryptError):
        responder.read_message(message)
    responder.set_psk(0, PSK)
    assert responder.read_message(message) == b"hello"


@pytest.mark.parametrize(("pattern", "number"), [("XXpsk0", 0), ("XXpsk1", 1), ("XXpsk2+fallback", 2)])
def test_a_psk_whose_message_has_passed_is_refused(make_sides, pattern, number):
    sides = make_sides(pattern)
    sides.exchange(messages=1)
    with pytest.raises(LocalProtocolError, match=f"the message of psk{number} has passed"):
        sides.responder.set_psk(number, OTHER)


def test_a_later_psk_may_still_be_changed(make_sides):
    sides = make_sides("XXpsk0+psk3")
    sides.exchange(messages=2)
    for side in (sides.initiator, sides.responder):
        side.set_psk(3, OTHER)
    sides.exchange()
    assert sides.initiator.handshake_hash == sides.responder.handshake_hash


def test_a_static_key_may_follow_before_it_is_written():
    initiator, responder = side_of("XX", initiator=True, s=S), side_of("XX", initiator=False)
    responder.read_message(initiator.write_message(b"for the second of your names"))
    before = snapshot(responder)
    with pytest.raises(LocalProtocolError, match="XX needs our static key pair s; give it with set_s"):
        responder.write_message(b"")
    assert snapshot(responder) == before
    second = KeyPair.from_private(b"\x02" * 32)
    responder.set_s(second)
    initiator.read_message(responder.write_message(b""))
    assert initiator.rs == second.public


def test_a_static_key_that_a_dh_needs_may_follow_before_it():
    initiator, responder = side_of("X1X", initiator=True), side_of("X1X", initiator=False, s=S)
    responder.read_message(initiator.write_message(b""))
    initiator.read_message(responder.write_message(b""))
    with pytest.raises(LocalProtocolError, match="needs our static key pair s"):
        initiator.write_message(b"")
    initiator.set_s(S)
    responder.read_message(initiator.write_message(b""))
    initiator.read_message(responder.write_message(b""))
    assert initiator.handshake_hash == responder.handshake_hash


def test_a_second_static_key_is_refused(make_sides):
    with pytest.raises(LocalProtocolError, match="s is there already"):
        make_sides("XX").initiator.set_s(S)


def test_a_late_static_key_of_another_dh_is_refused():
    with pytest.raises(LocalProtocolError, match="s of DH 448"):
        side_of("XX", initiator=True).set_s(KeyPair.from_private(b"\x01" * 56, DH_448))


def test_a_static_key_that_is_hashed_at_the_start_cannot_follow():
    with pytest.raises(LocalProtocolError, match="IK needs our static key pair s"):
        side_of("IK", initiator=False)
