"""Protocol names: what is read is what is written, and an error names the wrong part."""

from itertools import product

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noise.dh import DH_FUNCTIONS
from p2pnoise.noise.functions import CIPHERS, HASHES
from p2pnoise.noise.patterns import PATTERNS


def test_every_name_we_can_speak_is_read_back():
    names = [f"Noise_{pattern}_{dh}_{c}_{h}" for pattern, dh, c, h in product(PATTERNS, DH_FUNCTIONS, CIPHERS, HASHES)]
    assert [Protocol.parse(name).name for name in names] == names


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Noise_XY_25519_ChaChaPoly_BLAKE2s", "pattern 'XY'.* XX, IN, IK, .* expected"),
        ("Noise_XYpsk3_25519_ChaChaPoly_BLAKE2s", "pattern 'XY' in 'XYpsk3'"),
        ("Noise_psk0_25519_ChaChaPoly_BLAKE2s", "pattern 'psk0'"),
        ("Noise_XXpsk4_25519_ChaChaPoly_BLAKE2s", "modifier 'psk4' in 'XXpsk4', psk0 to psk3 expected"),
        ("Noise_XXpsk03_25519_ChaChaPoly_BLAKE2s", "modifier 'psk03' in 'XXpsk03', fallback or psk and a number"),
        ("Noise_XXpsk\u0663_25519_ChaChaPoly_BLAKE2s", "modifier 'psk\u0663'"),
        (f"Noise_XXpsk{'9' * 5000}_25519_ChaChaPoly_BLAKE2s", "modifier 'psk999"),
        ("Noise_XXhfs_25519_ChaChaPoly_BLAKE2s", "modifier 'hfs' in 'XXhfs'"),
        ("Noise_XXpsk0+_25519_ChaChaPoly_BLAKE2s", "modifier '' in 'XXpsk0\\+'"),
        ("Noise_XX+psk0_25519_ChaChaPoly_BLAKE2s", "modifier '' in 'XX\\+psk0'"),
        ("Noise_XXpsk0psk3_25519_ChaChaPoly_BLAKE2s", "modifier 'psk0psk3'"),
        ("Noise_XXpsk3+psk0_25519_ChaChaPoly_BLAKE2s", "modifier 'psk0'.* above psk3 expected: sort them"),
        ("Noise_XXpsk3+psk3_25519_ChaChaPoly_BLAKE2s", "modifier 'psk3'.* above psk3 expected"),
        ("Noise_IKfallback_25519_ChaChaPoly_BLAKE2s", "modifier 'fallback' in 'IKfallback', none expected"),
        ("Noise_KNfallback_25519_ChaChaPoly_BLAKE2s", "modifier 'fallback' in 'KNfallback', none expected"),
        ("Noise_XXpsk1+fallback_25519_ChaChaPoly_BLAKE2s", "modifier 'fallback' in 'XXpsk1\\+fallback'"),
        ("Noise_XXfallback+psk3_25519_ChaChaPoly_BLAKE2s", "modifier 'psk3'.* psk0 to psk2 expected"),
        ("Noise_XXfallback+fallback_25519_ChaChaPoly_BLAKE2s", "modifier 'fallback'"),
        ("Noise_XX_25519+448_ChaChaPoly_BLAKE2s", "DH '25519\\+448'.* 25519, 448 expected"),
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
