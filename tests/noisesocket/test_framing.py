"""Fields, the receive buffer, body and padding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noisesocket import FramingError
from p2pnoise.noisesocket.framing import (
    MAX_BODY,
    MAX_PACKET,
    ReceiveBuffer,
    decode_payload,
    encode_field,
    encode_payload,
)


def test_a_field_stands_behind_its_big_endian_length():
    assert encode_field(b"abc") == b"\x00\x03abc"
    assert encode_field(bytes(65535))[:2] == b"\xff\xff"


def test_a_field_above_65535_bytes_is_our_fault():
    with pytest.raises(LocalProtocolError, match="field of 65536 bytes, at most 65535"):
        encode_field(bytes(65536))


def test_a_payload_is_body_len_then_body_then_padding():
    assert encode_payload(b"body", 6, MAX_BODY) == b"\x00\x04body\x00\x00"


def test_padding_never_cuts_the_body():
    assert encode_payload(b"body", 1, MAX_BODY) == b"\x00\x04body"


def test_padding_stops_at_the_longest_message():
    assert len(encode_payload(b"body", 10**6, MAX_BODY)) == 2 + 65517


def test_a_body_above_the_limit_is_our_fault():
    with pytest.raises(LocalProtocolError, match="body of 65518 bytes, at most 65517"):
        encode_payload(bytes(65518), 65518, MAX_BODY)


def test_padding_is_ignored_whatever_it_is():
    assert decode_payload(b"\x00\x04body\xff\x00\x07") == b"body"


def test_body_len_may_not_reach_beyond_the_payload():
    assert decode_payload(b"\x00\x04body") == b"body"
    with pytest.raises(FramingError, match="body_len 5, at most the 4 bytes that follow it"):
        decode_payload(b"\x00\x05body")


@pytest.mark.parametrize("payload", [b"", b"\x00"])
def test_a_payload_without_a_whole_body_len_is_refused(payload):
    with pytest.raises(FramingError, match=f"payload of {len(payload)} bytes"):
        decode_payload(payload)


@given(body=st.binary(max_size=300), padded=st.integers(0, 400))
def test_every_body_comes_back_from_its_payload(body, padded):
    assert decode_payload(encode_payload(body, padded, MAX_BODY)) == body


@given(fields=st.lists(st.binary(max_size=50), max_size=20), data=st.data())
def test_fields_are_the_same_however_they_arrive(fields, data):
    wire = b"".join(map(encode_field, fields))
    buffer, seen = ReceiveBuffer(), []
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        buffer.feed(wire[:cut])
        wire = wire[cut:]
        seen += iter(buffer.take_field, None)
    assert seen == fields
    assert len(buffer) == 0


def test_a_buffer_takes_nothing_more_while_a_whole_packet_lies_unread():
    buffer = ReceiveBuffer()
    buffer.feed(bytes(MAX_PACKET - 1))
    buffer.feed(bytes(10))
    with pytest.raises(LocalProtocolError, match=f"{MAX_PACKET + 9} bytes unread, at most {MAX_PACKET}"):
        buffer.feed(b"x")
    assert len(buffer) == MAX_PACKET + 9


def test_a_buffer_takes_nothing_after_the_carrier_s_end():
    buffer = ReceiveBuffer()
    buffer.feed(b"")
    assert buffer.at_eof
    with pytest.raises(LocalProtocolError, match="1 bytes after the carrier's end"):
        buffer.feed(b"x")


def test_what_is_fed_is_not_copied_but_for_a_field_that_began_before():
    buffer = ReceiveBuffer()
    first, second = encode_field(b"x" * 10) + encode_field(b"y" * 10)[:5], encode_field(b"y" * 10)[5:] + b"\0\1z"
    buffer.feed(first)
    assert buffer.take_view().obj is first
    assert buffer.take_view() is None
    buffer.feed(second)
    assert buffer.take_view() == b"y" * 10
    assert buffer.take_view().obj is second


def test_a_buffer_whose_fields_are_taken_holds_nothing():
    buffer = ReceiveBuffer()
    for piece in (encode_field(b"x" * 1000), encode_field(b"y" * 1000)[:10], encode_field(b"y" * 1000)[10:]):
        buffer.feed(piece)
        buffer.take_field()
    assert (buffer._piece, buffer._head) == (b"", b"")


def test_of_a_big_piece_only_the_beginning_of_an_unfinished_field_is_kept():
    buffer = ReceiveBuffer()
    buffer.feed(encode_field(b"x" * 1000) + b"\0\2y")
    buffer.take_field()
    assert buffer.take_field() is None
    assert (buffer._piece, buffer._head) == (b"", b"\0\2y")
