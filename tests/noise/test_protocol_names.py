"""Protocol names: what is read is what is written, and an error names the wrong part."""

from itertools import product

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noise.functions import CIPHERS, HASHES
from p2pnoise.noise.patterns import PATTERNS


def test_every_name_we_can_speak_is_read_back():
    names = [f"Noise_{pattern}_25519_{c}_{h}" for pattern, c, h in product(PATTERNS, CIPHERS, HASHES)]
    assert [Protocol.parse(name).name for name in names] == names


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Noise_XY_25519_ChaChaPoly_BLAKE2s", "pattern 'XY'.* XX, IK expected"),
        ("Noise_XX_448_ChaChaPoly_BLAKE2s", "DH '448'.* 25519 expected"),
        ("Noise_XX_25519_RC4_BLAKE2s", "cipher 'RC4'.* ChaChaPoly, AESGCM expected"),
        ("Noise_XX_25519_ChaChaPoly_MD5", "hash 'MD5'.* SHA256, SHA512, BLAKE2s, BLAKE2b expected"),
        ("Noise_XX_25519_ChaChaPoly", "not of the form"),
        ("noise_XX_25519_ChaChaPoly_BLAKE2s", "not of the form"),
        ("", "not of the form"),
    ],
)
def test_an_error_says_which_part_of_the_name_is_wrong(name, fault):
    with pytest.raises(LocalProtocolError, match=fault):
        Protocol.parse(name)


def test_two_protocols_of_one_name_are_equal():
    name = "Noise_IK_25519_AESGCM_SHA512"
    assert Protocol.parse(name) == Protocol.parse(name)
    assert str(Protocol.parse(name)) == name
    assert repr(Protocol.parse(name)) == f"Protocol.parse({name!r})"
