"""The crypto functions, against the standard library and RFC 7748."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import InvalidPublicKey, KeyPair
from p2pnoise.noise.dh import dh
from p2pnoise.noise.functions import HASHES

# RFC 7748, section 6.1.
ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645f6c8b8e8c2c92f1f1b8f5d0dfc5c5a5e")

# The encodings of points of low order on Curve25519: cr.yp.to/ecdh.html#validate.
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]


@pytest.mark.parametrize("name", HASHES)
def test_hmac_is_that_of_the_standard_library(name):
    key, data = bytes(range(HASHES[name].hash_len)), b"data" * 50
    assert HASHES[name].hmac(key, data) == hmac.digest(key, data, name.lower())


@pytest.mark.parametrize("name", HASHES)
def test_hash_lengths_are_those_of_the_hash(name):
    digest = HASHES[name].new(b"")
    assert (digest.digest_size, digest.block_size) == (HASHES[name].hash_len, HASHES[name].block_len)


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_dh_with_a_point_of_low_order_is_refused(point):
    with pytest.raises(InvalidPublicKey, match="low order"):
        dh(KeyPair.from_private(ALICE), X25519PublicKey.from_public_bytes(point))


def test_both_sides_of_a_dh_agree():
    alice, bob = KeyPair.from_private(ALICE), KeyPair.from_private(b"\x07" * 32)
    parsed = X25519PublicKey.from_public_bytes
    assert dh(alice, parsed(bob.public)) == dh(bob, parsed(alice.public))


def test_a_key_pair_is_generated_from_32_bytes_of_the_given_entropy():
    assert KeyPair.generate(lambda length: b"\x05" * length) == KeyPair.from_private(b"\x05" * 32)


def test_a_private_key_of_another_length_is_our_fault():
    with pytest.raises(LocalProtocolError, match="private key of 31 bytes, 32 needed"):
        KeyPair.from_private(b"\x05" * 31)


def test_a_key_pair_does_not_print_its_private_key():
    pair = KeyPair.from_private(ALICE)
    assert ALICE.hex() not in repr(pair)
    assert repr(ALICE) not in repr(pair)
    assert repr(pair.public) in repr(pair)
