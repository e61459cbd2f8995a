"""Pauses: how long an address or a node is left alone after it failed, and what is remembered of that."""

import random

import pytest

from cards import Address, NodeId
from p2pnoise.config import NodeConfig
from p2pnoise.instant import SECOND
from p2pnoise.node import pauses as module
from p2pnoise.node.pauses import Pauses

THERE = Address("10.0.0.99", 7060)
BOB, CARL = (NodeId(bytes([number, *bytes(31)])) for number in (9, 10))


@pytest.fixture
def pauses():
    return Pauses(NodeConfig(), random.Random(1))


def doubling(seconds):
    """Whether these double up to the limit, less up to a half."""
    config = NodeConfig()
    longest = (min(config.backoff_base * 2**number, config.backoff_limit) for number in range(len(seconds)))
    return all(most / 2 <= one <= most for one, most in zip(seconds, longest, strict=True))


def test_the_pause_doubles_up_to_the_limit_with_jitter_of_a_half(pauses):
    failed = [pauses.failed(THERE, 0) for _ in range(60)]
    assert doubling(failed)
    assert len(set(failed)) == 60


def test_a_success_begins_the_pauses_anew(pauses):
    for _ in range(10):
        pauses.failed(THERE, 0)
    pauses.forget(THERE)
    assert pauses.failed(THERE, 0) <= NodeConfig().backoff_base


def test_who_breaks_the_protocol_is_dialled_less_and_less_though_every_dial_succeeds(pauses):
    left_alone = []
    for _ in range(30):
        pauses.put_off(BOB, THERE, 0)
        pauses.ended(THERE, 0)  # which comes with every end of a link
        left_alone.append(pauses.of_address(THERE) / SECOND)
        pauses.forget(THERE)
    assert doubling(left_alone)


def test_nobody_else_pays_where_a_liars_record_names_their_address(pauses):
    for _ in range(10):
        pauses.put_off(BOB, None, 0)
    assert pauses.of_address(THERE) == pauses.of_node(CARL) == 0
    assert pauses.of_node(BOB) > 100 * SECOND


def test_remembered_offences_are_bounded(pauses, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 5)
    for number in range(20):
        pauses.put_off(NodeId(bytes([number + 2, *bytes(31)])), None, 0)
    assert len(pauses._put_off) == 5


def test_remembered_failures_are_bounded(pauses, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 5)
    for number in range(20):
        pauses.failed(Address("10.0.0.1", number + 1), 0)
    assert len(pauses._tried) == 5


def test_records_without_end_do_not_wash_failures_out(pauses, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 4)
    pause = pauses.failed(THERE, 0)
    for number in range(20):
        pauses.learned(Address("10.0.0.1", number + 1), 0, defer=False)
    assert pauses.of_address(THERE) == int(pause * SECOND)
    assert len(pauses._tried) == 4
