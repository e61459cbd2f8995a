"""The bodies of a NoiseStream's handshake messages: one form each, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket import FramingError
from p2pnoise.noisesocket.introduction import (
    Answer,
    Opening,
    body_of_answer,
    body_of_opening,
    carries_early_data,
    parse_answer,
    parse_opening,
)


@given(payload=st.binary(max_size=300), sent_at=st.integers(0, 2**64 - 1), early_data=st.binary(max_size=300))
def test_what_an_opening_carries_comes_back(payload, sent_at, early_data):
    opening = Opening(payload, sent_at if early_data else 0, early_data)
    assert parse_opening(body_of_opening(opening)) == opening


@given(body=st.binary(max_size=40))
def test_an_opening_has_one_form(body):
    try:
        opening = parse_opening(body)
    except FramingError:
        return
    assert body_of_opening(opening) == body


@given(payload=st.binary(max_size=300), taken=st.booleans())
def test_what_an_answer_carries_comes_back(payload, taken):
    assert parse_answer(body_of_answer(Answer(payload, taken))) == Answer(payload, taken)


def test_an_opening_is_its_payload_s_length_the_payload_the_time_and_the_early_data():
    body = body_of_opening(Opening(b"pay", 0x0102030405060708, b"early"))
    assert body.hex() == "0003" + b"pay".hex() + "0102030405060708" + b"early".hex()
    assert body_of_opening(Opening(b"")) == b"\0\0"


def test_an_answer_is_a_flag_and_the_payload():
    assert [body_of_answer(Answer(b"pay", taken)) for taken in (False, True)] == [b"\0pay", b"\1pay"]


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1", b"\xff\xffx"])
def test_an_opening_shorter_than_it_says_is_refused(body):
    with pytest.raises(FramingError, match="opening of"):
        parse_opening(body)


@pytest.mark.parametrize("length", range(1, 9))
def test_early_data_without_a_byte_behind_their_time_are_refused(length):
    with pytest.raises(FramingError, match=f"early data of {length} bytes with its time, at least 9"):
        parse_opening(b"\0\0" + bytes(length))


@pytest.mark.parametrize("body", [b"", b"\2", b"\xffx"])
def test_an_answer_without_a_flag_of_0_or_1_is_refused(body):
    with pytest.raises(FramingError, match="early_data_taken is"):
        parse_answer(body)


def test_a_payload_that_not_every_message_holds_is_our_fault():
    with pytest.raises(LocalProtocolError, match="payload of 65001 bytes, at most 65000"):
        body_of_opening(Opening(bytes(65_001)))


def test_early_data_need_a_first_message_that_is_encrypted_and_the_initiator_s_last():
    patterns = ["IK", "NK", "KK", "IKpsk2", "NNpsk0", "NN", "IX", "XX", "XK"]
    protocols = {pattern: Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s") for pattern in patterns}
    assert [pattern for pattern in patterns if carries_early_data(protocols[pattern])] == patterns[:5]
