"""Negotiation data and explicit rejects, in bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket import NegotiationError
from p2pnoise.noisesocket.negotiation import SIX_BYTES

XX = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("Noise_XX_25519_ChaChaPoly_BLAKE2s", "000101010109"),
        ("Noise_IK_25519_ChaChaPoly_BLAKE2s", "00010101010e"),
        ("Noise_XX_25519_AESGCM_BLAKE2b", "000101020209"),
        ("Noise_IK_25519_AESGCM_SHA256", "00010102030e"),
        ("Noise_XX_25519_ChaChaPoly_SHA512", "000101010409"),
        ("Noise_XX_448_ChaChaPoly_BLAKE2s", "000102010109"),
        ("Noise_N_25519_ChaChaPoly_BLAKE2s", "000101010101"),
        ("Noise_NN_25519_ChaChaPoly_BLAKE2s", "000101010104"),
        ("Noise_IX_25519_ChaChaPoly_BLAKE2s", "00010101010f"),
        ("Noise_XXfallback_25519_ChaChaPoly_BLAKE2s", "000101010110"),
        ("Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s", "000101010144"),
        ("Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s", "000101010179"),
        ("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", "00010101016e"),
    ],
)
def test_six_bytes_name_a_protocol(name, data):
    assert SIX_BYTES.encode(Protocol.parse(name)).hex() == data
    assert SIX_BYTES.decode(bytes.fromhex(data)).name == name


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", "0 bytes, 6 needed"),
        ("0001010101", "5 bytes, 6 needed"),
        ("00010101010900", "7 bytes, 6 needed"),
        ("000201010109", "version 0002, we speak 0001"),
        ("000103010109", "DH 3 "),
        ("000101030109", "cipher 3 "),
        ("000101010509", "hash 5 "),
        ("000101010111", "pattern 17 "),
        ("000101010150", "pattern 80 "),  # a fallback takes no psk
        ("000101010161", "pattern 97 "),  # psk2 of N, which has one message
    ],
)
def test_negotiation_data_that_we_do_not_know_is_refused_by_its_part(data, fault):
    with pytest.raises(NegotiationError, match=fault):
        SIX_BYTES.decode(bytes.fromhex(data))


def test_a_reject_is_a_marker_and_four_bytes_for_each_protocol():
    assert SIX_BYTES.encode_reject((XX, IK)).hex() == "0001ff" + "01010109" + "0101010e"


def test_a_reject_leaves_out_what_six_bytes_cannot_name():
    assert SIX_BYTES.encode_reject((Protocol.parse("Noise_XX1_25519_AESGCM_SHA256"), IK)).hex() == "0001ff" + "0101010e"


def test_the_go_reference_s_reject_names_nothing():
    assert SIX_BYTES.decode_reject(b"\xff") == ()


def test_a_reject_is_read_back():
    assert SIX_BYTES.decode_reject(bytes.fromhex("0001ff010101090101010e")) == (XX, IK)
    assert SIX_BYTES.decode_reject(bytes.fromhex("0001ff")) == ()


def test_a_reject_keeps_what_we_know_beside_what_a_newer_peer_speaks():
    assert SIX_BYTES.decode_reject(bytes.fromhex("0001ff0301010901010109")) == (XX,)


@pytest.mark.parametrize("data", ["", "00", "0001", "0002ff01010109", "0001fe", "0001ff010101", "0001ff0101010901"])
def test_what_is_no_reject_of_our_version_is_none(data):
    assert SIX_BYTES.decode_reject(bytes.fromhex(data)) is None


@given(data=st.binary(max_size=24))
def test_arbitrary_negotiation_data_raises_nothing_else(data):
    SIX_BYTES.decode_reject(data)
    try:
        protocol = SIX_BYTES.decode(data)
    except NegotiationError:
        return
    assert SIX_BYTES.encode(protocol) == data


@pytest.mark.parametrize("pattern", ["XX1", "NNpsk0+psk2", "XXfallback+psk0"])
def test_a_protocol_without_a_number_is_our_fault(pattern):
    with pytest.raises(LocalProtocolError, match="has no negotiation data"):
        SIX_BYTES.encode(Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"))


def test_every_pattern_code_names_another_protocol():
    """Or two peers could read one first message in two ways."""
    names = set()
    for code in range(256):
        try:
            names.add(SIX_BYTES.decode(bytes.fromhex("0001010101") + bytes([code])).name)
        except NegotiationError:
            continue
    # 15 patterns and XXfallback; psk0 and psk1 of 3 one-way patterns; psk0 to psk2 of 9 and psk3 of 3 more
    assert len(names) == 16 + 3 * 2 + 9 * 3 + 3 * 4
