"""Negotiation data and explicit rejects, in bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket import NegotiationError
from p2pnoise.noisesocket.negotiation import (
    encode_negotiation_data,
    encode_reject,
    initial_prologue,
    parse_negotiation_data,
    parse_reject,
)

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
    ],
)
def test_six_bytes_name_a_protocol(name, data):
    assert encode_negotiation_data(Protocol.parse(name)).hex() == data
    assert parse_negotiation_data(bytes.fromhex(data)).name == name


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", "0 bytes, 6 needed"),
        ("0001010101", "5 bytes, 6 needed"),
        ("00010101010900", "7 bytes, 6 needed"),
        ("000201010109", "version 0002, we speak 0001"),
        ("000102010109", "DH 2 "),
        ("000101030109", "cipher 3 "),
        ("000101010509", "hash 5 "),
        ("000101010104", "pattern 4 "),
    ],
)
def test_negotiation_data_that_we_do_not_know_is_refused_by_its_part(data, fault):
    with pytest.raises(NegotiationError, match=fault):
        parse_negotiation_data(bytes.fromhex(data))


def test_a_reject_is_a_marker_and_four_bytes_for_each_protocol_and_no_noise_message():
    assert encode_reject((XX, IK)).hex() == "000b" + "0001ff" + "01010109" + "0101010e" + "0000"


def test_a_reject_is_read_back():
    assert parse_reject(bytes.fromhex("0001ff010101090101010e")) == (XX, IK)
    assert parse_reject(bytes.fromhex("0001ff")) == ()


def test_a_reject_keeps_what_we_know_beside_what_a_newer_peer_speaks():
    assert parse_reject(bytes.fromhex("0001ff0201010901010109")) == (XX,)


@pytest.mark.parametrize("data", ["ff", "0001", "0002ff01010109", "0001fe", "0001ff010101", "0001ff0101010901"])
def test_what_is_no_reject_of_our_version_is_refused(data):
    with pytest.raises(NegotiationError, match="neither accept nor reject"):
        parse_reject(bytes.fromhex(data))


def test_the_prologue_is_that_of_revision_2():
    prologue = initial_prologue(bytes.fromhex("000101010109"), b"app")
    assert prologue == b"NoiseSocketInit1" + bytes.fromhex("0006000101010109") + b"app"


@given(data=st.binary(max_size=24))
def test_arbitrary_negotiation_data_raises_nothing_else(data):
    for parse in (parse_negotiation_data, parse_reject):
        try:
            parse(data)
        except NegotiationError:
            continue


@pytest.mark.parametrize("pattern", ["NN", "XXpsk3", "XXfallback", "XX1"])
def test_a_protocol_without_a_number_is_our_fault(pattern):
    with pytest.raises(LocalProtocolError, match=f"Noise_{pattern}_25519_.* has no negotiation data"):
        encode_negotiation_data(Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"))


def test_448_is_not_sent_as_25519():
    with pytest.raises(LocalProtocolError, match="Noise_XX_448_ChaChaPoly_BLAKE2s has no negotiation data"):
        encode_negotiation_data(Protocol.parse("Noise_XX_448_ChaChaPoly_BLAKE2s"))
