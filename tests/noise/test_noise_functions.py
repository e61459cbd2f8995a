"""The crypto functions, against the standard library and RFC 7748."""

import hmac
import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DH_448, DH_25519, HandshakeState, InvalidPublicKey, KeyPair, Protocol
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
def test_hkdf_is_that_of_the_spec(name):
    function = HASHES[name]
    temp_key = hmac.digest(b"ck".ljust(function.hash_len), b"input", name.lower())
    outputs = [hmac.digest(temp_key, b"\x01", name.lower())]
    for number in (2, 3):
        outputs.append(hmac.digest(temp_key, outputs[-1] + bytes([number]), name.lower()))
    assert function.hkdf3(b"ck".ljust(function.hash_len), b"input") == tuple(outputs)
    assert function.hkdf(b"ck".ljust(function.hash_len), b"input") == tuple(outputs[:2])


@pytest.mark.parametrize("name", HASHES)
def test_hash_lengths_are_those_of_the_hash(name):
    digest = HASHES[name].new(b"")
    assert (digest.digest_size, digest.block_size) == (HASHES[name].hash_len, HASHES[name].block_len)


@pytest.mark.parametrize("u", [0, 1, 2**448 - 2**224 - 2, 2**448 - 2**224 - 1, 2**448 - 2**224])
def test_a_dh_448_with_a_point_of_low_order_is_refused(u):
    pair = KeyPair.from_private(b"\x07" * 56, DH_448)
    with pytest.raises(InvalidPublicKey, match="low order"):
        dh(pair, DH_448.public_key(u.to_bytes(56, "little")))


def test_dh_448_is_that_of_rfc_7748():
    # Section 6.2.
    alice = KeyPair.from_private(
        bytes.fromhex(
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d"
            "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b"
        ),
        DH_448,
    )
    bob = bytes.fromhex(
        "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430"
        "27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"
    )
    assert dh(alice, DH_448.public_key(bob)).hex() == (
        "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b"
        "b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d"
    )


def test_wycheproof_x25519_secrets_are_ours_and_the_zero_ones_are_refused(published):
    judged = zero = 0
    for group in json.loads(published("crypto/wycheproof-x25519.json").read_text())["testGroups"]:
        for test in group["tests"]:
            private, public, shared = (bytes.fromhex(test[key]) for key in ("private", "public", "shared"))
            pair, peer = KeyPair.from_private(private), DH_25519.public_key(public)
            judged += 1
            if any(shared):
                assert dh(pair, peer) == shared, test["tcId"]
            else:
                zero += 1
                with pytest.raises(InvalidPublicKey, match="low order"):
                    dh(pair, peer)
    assert (judged, zero) == (518, 31)


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


@pytest.mark.parametrize("length", [0, 32, 55, 57])
def test_a_private_key_of_448_is_56_bytes(length):
    with pytest.raises(LocalProtocolError, match=f"private key of {length} bytes, 56 needed"):
        KeyPair.from_private(bytes(length), DH_448)


def test_a_key_pair_does_not_print_its_private_key():
    pair = KeyPair.from_private(ALICE)
    assert ALICE.hex() not in repr(pair)
    assert repr(ALICE) not in repr(pair)
    assert repr(pair.public) in repr(pair)


def test_a_static_key_that_comes_again_is_not_parsed_again():
    raw = KeyPair.generate(os.urandom).public
    assert DH_25519.static_public_key(raw) is DH_25519.static_public_key(bytes(bytearray(raw)))


def test_ephemeral_keys_push_no_static_key_out():
    protocol = Protocol.parse("Noise_NN_25519_ChaChaPoly_BLAKE2s")
    alice, bob = (HandshakeState(protocol, initiator=first, entropy=os.urandom) for first in (True, False))
    before = DH_25519.static_public_key.cache_info()
    bob.read_message(alice.write_message(b""))
    alice.read_message(bob.write_message(b""))
    assert DH_25519.static_public_key.cache_info() == before
