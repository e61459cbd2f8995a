"""CipherState: nonces count up, failures leave them alone, and the last one is never used."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import CipherState, DecryptError, NonceExhausted
from p2pnoise.noise.cipher_state import SilentDirection
from p2pnoise.noise.functions import CIPHERS

KEY = bytes(range(32))


@pytest.fixture(params=CIPHERS)
def make_cipher(request):
    def make():
        cipher_state = CipherState(CIPHERS[request.param])
        cipher_state.initialize_key(KEY)
        return cipher_state

    return make


@pytest.fixture
def pair(make_cipher):
    return make_cipher(), make_cipher()


def test_messages_are_read_in_the_order_they_were_written(pair):
    sender, receiver = pair
    for body in (b"one", b"", b"three"):
        assert receiver.decrypt_with_ad(b"ad", sender.encrypt_with_ad(b"ad", body)) == body
    assert sender.n == receiver.n == 3


def test_the_same_plaintext_gives_another_ciphertext_each_time(make_cipher):
    sender = make_cipher()
    assert sender.encrypt_with_ad(b"", b"body") != sender.encrypt_with_ad(b"", b"body")


def test_a_failed_decryption_leaves_the_nonce(pair):
    sender, receiver = pair
    message = sender.encrypt_with_ad(b"", b"body")
    with pytest.raises(DecryptError, match="message 0 of 20 bytes"):
        receiver.decrypt_with_ad(b"", bytes(20))
    assert receiver.n == 0
    assert receiver.decrypt_with_ad(b"", message) == b"body"


@pytest.mark.parametrize("length", [0, 1, 15])
def test_a_ciphertext_shorter_than_its_tag_is_refused(make_cipher, length):
    with pytest.raises(DecryptError):
        make_cipher().decrypt_with_ad(b"", bytes(length))


def test_other_associated_data_is_refused(pair):
    sender, receiver = pair
    message = sender.encrypt_with_ad(b"this", b"body")
    with pytest.raises(DecryptError):
        receiver.decrypt_with_ad(b"that", message)


def test_a_replayed_message_is_refused(pair):
    sender, receiver = pair
    message = sender.encrypt_with_ad(b"", b"body")
    receiver.decrypt_with_ad(b"", message)
    with pytest.raises(DecryptError):
        receiver.decrypt_with_ad(b"", message)


def test_the_last_nonce_encrypts_and_the_reserved_one_does_not(pair):
    sender, receiver = pair
    sender.n = receiver.n = 2**64 - 2
    assert receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", b"last")) == b"last"
    with pytest.raises(NonceExhausted, match=f"at most {2**64 - 1}"):
        sender.encrypt_with_ad(b"", b"one more")
    with pytest.raises(NonceExhausted):
        receiver.decrypt_with_ad(b"", bytes(20))
    assert sender.n == receiver.n == 2**64 - 1


def test_without_a_key_the_bytes_pass_through():
    cipher_state = CipherState(CIPHERS["ChaChaPoly"])
    assert not cipher_state.has_key
    assert cipher_state.encrypt_with_ad(b"ad", b"body") == cipher_state.decrypt_with_ad(b"ad", b"body") == b"body"
    assert cipher_state.n == 0


def test_both_sides_that_rekey_understand_each_other_and_keep_counting(pair):
    sender, receiver = pair
    receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", b"one"))
    sender.rekey()
    message = sender.encrypt_with_ad(b"", b"two")
    with pytest.raises(DecryptError):
        receiver.decrypt_with_ad(b"", message)
    receiver.rekey()
    assert receiver.decrypt_with_ad(b"", message) == b"two"
    assert sender.n == receiver.n == 2


def test_a_rekey_without_a_key_is_our_fault():
    with pytest.raises(LocalProtocolError, match="no key"):
        CipherState(CIPHERS["AESGCM"]).rekey()


def test_a_new_key_starts_at_nonce_0(make_cipher):
    cipher_state = make_cipher()
    cipher_state.encrypt_with_ad(b"", b"")
    cipher_state.initialize_key(KEY)
    assert cipher_state.encrypt_with_ad(b"", b"x") == make_cipher().encrypt_with_ad(b"", b"x")


def test_a_cipher_state_does_not_print_its_key(make_cipher):
    assert "key=hidden" in repr(make_cipher())
    assert KEY.hex() not in repr(make_cipher())


def test_a_cipher_state_that_rested_goes_on_with_the_next_nonce(make_cipher):
    sender, receiver = make_cipher(), make_cipher()
    for plaintext in (b"before", b"after"):
        assert receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", plaintext)) == plaintext
        sender.rest()
        receiver.rest()
    assert sender.n == receiver.n == 2


def test_a_buffer_is_encrypted_and_decrypted_where_it_lies(make_cipher):
    sender, receiver = make_cipher(), make_cipher()
    buffer = memoryview(bytearray(b"plaintext" + bytes(16)))
    sender.encrypt_into(buffer[:9], buffer)
    assert buffer == make_cipher().encrypt_with_ad(b"", b"plaintext")
    plaintext = memoryview(bytearray(9))
    receiver.decrypt_into(buffer, plaintext)
    assert plaintext == b"plaintext"
    with pytest.raises(DecryptError, match="message 1 of 25 bytes"):
        receiver.decrypt_into(buffer, plaintext)
    assert (sender.n, receiver.n) == (1, 1)


@pytest.mark.parametrize("state", [CipherState(CIPHERS["AESGCM"]), SilentDirection(CIPHERS["AESGCM"], "N")])
def test_without_a_key_and_in_the_silent_direction_no_buffer_is_filled(state):
    buffer = memoryview(bytearray(16))
    with pytest.raises(LocalProtocolError):
        state.encrypt_into(buffer[:0], buffer)
    with pytest.raises(LocalProtocolError):
        state.decrypt_into(buffer, buffer[:0])
