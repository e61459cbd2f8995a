"""Padding policies, and that a length on the wire says no more than they allow."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noisesocket import MAX_BODY, buckets, no_padding, padded_len


def test_bodies_up_to_the_padded_length_give_one_wire_length(make_open_pair):
    pair = make_open_pair(padding=padded_len(256))
    assert {len(pair.initiator.send_message(bytes(length))) for length in range(1, 257)} == {256 + 20}
    assert len(pair.initiator.send_message(bytes(257))) == 257 + 20


def test_buckets_fill_up_to_the_next_size_and_then_to_multiples_of_the_last():
    policy = buckets(64, 1024, 4096)
    assert [policy(length) for length in (0, 1, 64, 65, 1024, 1025, 4096, 4097, 8192, 8193)] == [
        64, 64, 64, 1024, 1024, 4096, 4096, 8192, 8192, 12288,
    ]  # fmt: skip


def test_padding_beyond_the_longest_message_is_left_out(make_open_pair, play):
    pair = make_open_pair(padding=buckets(60_000))
    wire = pair.initiator.send_message(bytes(60_001))
    assert len(wire) == 2 + 65535
    assert play.feed(pair.responder, wire)[0].body == bytes(60_001)
    assert len(pair.initiator.send_message(bytes(MAX_BODY))) == 2 + 65535


def test_the_policy_holds_for_data_and_for_the_end(make_open_pair):
    pair = make_open_pair(padding=padded_len(1000))
    assert len(pair.initiator.send_data(b"x")) == len(pair.initiator.send_end()) == 1000 + 20


def test_no_padding_adds_nothing():
    assert [no_padding(length) for length in (0, 1, MAX_BODY)] == [0, 1, MAX_BODY]


@pytest.mark.parametrize("sizes", [(), (0, 1), (2, 1), (1, 1), (-1,)])
def test_buckets_that_do_not_ascend_from_1_are_our_fault(sizes):
    with pytest.raises(LocalProtocolError, match="ascending ones from 1"):
        buckets(*sizes)


def test_a_negative_length_is_our_fault():
    with pytest.raises(LocalProtocolError, match="padded_len -1"):
        padded_len(-1)
