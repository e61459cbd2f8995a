"""An IK that the responder cannot read goes on as XXfallback, with the initiator's ephemeral key."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, HandshakeState, KeyPair, MessageSizeError, Protocol

IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")
FALLBACK = Protocol.parse("Noise_XXfallback_25519_ChaChaPoly_BLAKE2s")
ALICE, BOB, FORMER_BOB = (KeyPair.from_private(bytes([n]) * 32) for n in (1, 2, 3))


def entropy(start):
    numbers = iter(range(start, 256))
    return lambda length: bytes([next(numbers)]) * length


@pytest.fixture
def alice():
    """The initiator of an IK to a key that Bob no longer has."""
    return HandshakeState(IK, initiator=True, s=ALICE, rs=FORMER_BOB.public, entropy=entropy(16))


@pytest.fixture
def bob():
    return HandshakeState(IK, initiator=False, s=BOB, entropy=entropy(128))


@pytest.fixture
def fallen(alice, bob):
    """Alice and Bob in the fallback, of which nothing is said yet."""
    message = alice.write_message(b"early")
    with pytest.raises(DecryptError):
        bob.read_message(message)
    return (
        alice.fall_back(FALLBACK, s=ALICE, prologue=b"again"),
        bob.fall_back(FALLBACK, s=BOB, prologue=b"again", message=message),
    )


def test_who_was_the_responder_goes_on_as_the_initiator(fallen):
    alice, bob = fallen
    assert (bob.initiator, bob.my_turn, alice.initiator, alice.my_turn) == (True, True, False, False)
    assert alice.read_message(bob.write_message(b"my new key")) == b"my new key"
    assert bob.read_message(alice.write_message(b"mine")) == b"mine"
    assert alice.handshake_hash == bob.handshake_hash
    assert (alice.rs, bob.rs) == (BOB.public, ALICE.public)


def test_the_first_key_of_the_split_is_that_of_the_former_responder(fallen):
    alice, bob = fallen
    alice.read_message(bob.write_message(b""))
    bob.read_message(alice.write_message(b""))
    c1, c2 = bob._symmetric_state.split()
    message, answer = bob.split()[0].encrypt_with_ad(b"", b"one"), alice.split()[0].encrypt_with_ad(b"", b"two")
    assert c1.decrypt_with_ad(b"", message) == b"one"
    assert c2.decrypt_with_ad(b"", answer) == b"two"


def test_the_initiator_s_ephemeral_key_is_the_one_that_went_over_the_wire(alice, bob):
    message = alice.write_message(b"")
    fallback = bob.fall_back(FALLBACK, s=BOB, message=bytes(32) + message[32:])
    alice = alice.fall_back(FALLBACK, s=ALICE)
    assert fallback._keys.remote["e"].public_bytes_raw() == bytes(32)
    assert alice._keys.local["e"].public == message[:32]


def test_another_prologue_is_refused(alice, bob):
    message = alice.write_message(b"")
    answer = bob.fall_back(FALLBACK, s=BOB, prologue=b"one", message=message).write_message(b"")
    with pytest.raises(DecryptError):
        alice.fall_back(FALLBACK, s=ALICE, prologue=b"two").read_message(answer)


def test_the_abandoned_handshakes_are_good_for_nothing(alice, bob, fallen):
    assert (alice.my_turn, bob.my_turn) == (False, False)
    for abandoned in (alice, bob):
        assert "e" not in abandoned._keys.local
        for ask in (abandoned.write_message, abandoned.read_message, abandoned.set_s):
            with pytest.raises(LocalProtocolError):
                ask(b"" if ask != abandoned.set_s else ALICE)
        with pytest.raises(LocalProtocolError):
            abandoned.split()
        with pytest.raises(LocalProtocolError, match="only after its first message"):
            abandoned.fall_back(FALLBACK, s=ALICE, message=bytes(32))
    assert fallen[0].initiator is False


def test_an_initiator_that_has_written_nothing_cannot_fall_back(alice):
    with pytest.raises(LocalProtocolError, match="only after its first message"):
        alice.fall_back(FALLBACK, s=ALICE)
    assert alice.my_turn


def test_nobody_falls_back_after_the_second_message(make_sides):
    sides = make_sides("XX")
    sides.exchange(messages=2)
    for side in (sides.initiator, sides.responder):
        with pytest.raises(LocalProtocolError, match="only after its first message"):
            side.fall_back(FALLBACK, s=ALICE, message=bytes(32))


def test_a_responder_may_fall_back_although_it_could_read(make_sides):
    sides = make_sides("IK")
    message = sides.initiator.write_message(b"")
    sides.responder.read_message(message)
    bob = sides.responder.fall_back(FALLBACK, s=sides.responder_s, message=message)
    alice = sides.initiator.fall_back(FALLBACK, s=sides.initiator_s)
    assert not sides.responder.my_turn
    alice.read_message(bob.write_message(b""))
    bob.read_message(alice.write_message(b""))


@pytest.mark.parametrize("length", [0, 31])
def test_a_message_that_ends_inside_its_ephemeral_key_starts_no_fallback(bob, length):
    with pytest.raises(MessageSizeError, match=f"message of {length} bytes, 32 needed up to its e"):
        bob.fall_back(FALLBACK, s=BOB, message=bytes(length))
    assert bob.fall_back(FALLBACK, s=BOB, message=bytes(32)).my_turn


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Noise_XX_25519_ChaChaPoly_BLAKE2s", "XX takes no e"),
        ("Noise_XXfallback_448_ChaChaPoly_BLAKE2s", "DH 25519, .* needs 448"),
        ("Noise_XXfallback+psk0_25519_ChaChaPoly_BLAKE2s", "takes no psk1"),
    ],
)
def test_a_fallback_that_does_not_fit_leaves_the_handshake_as_it_was(alice, bob, name, fault):
    message = alice.write_message(b"")
    with pytest.raises(LocalProtocolError, match=fault):
        alice.fall_back(Protocol.parse(name), psks={1: bytes(32)} if "psk" in name else None)
    with pytest.raises(DecryptError):
        bob.read_message(message)
    fallback = bob.fall_back(FALLBACK, s=BOB, message=message)
    alice.fall_back(FALLBACK, s=ALICE).read_message(fallback.write_message(b""))
