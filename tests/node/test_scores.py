"""Scores: faults are counted by key, over links and for a while; who commits too many is refused for an hour."""

import pytest

from cards import Address, NodeId
from p2pnoise.gossip.effects import StoreScore
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.bans import MAX_MADE, Ban, Bans
from p2pnoise.node.frames import Kind
from p2pnoise.node.scores import BANNED, HALF_LIFE, MAX_REMEMBERED, THROTTLED, Scores, ban_for

NODE = NodeId(bytes(31) + b"\1")
PUBLIC, PRIVATE = Address("20.4.1.1", 7060), Address("10.4.1.1", 7060)


@pytest.fixture
def scores():
    return Scores()


def test_the_third_fault_in_quick_succession_is_one_too_many(scores):
    assert [scores.blame(NODE, second * SECOND) for second in range(3)] == [False, False, True]


def test_faults_are_halved_every_ten_minutes(scores):
    scores.blame(NODE, 0)
    assert scores.of(NODE, HALF_LIFE) == 0.5
    assert not any(scores.blame(NODE, number * HALF_LIFE) for number in range(1, 10))


def test_after_a_ban_the_score_begins_anew(scores):
    for _ in range(3):
        scores.blame(NODE, 0)
    assert scores.of(NODE, 0) == 0


def test_faults_are_halved_while_we_are_down(scores):
    scores.restore({NODE: (2.0, 1_000)}, Instant(5 * SECOND, 1_000 + HALF_LIFE // SECOND))
    assert scores.of(NODE, 5 * SECOND) == 1.0
    assert scores.of(NODE, 5 * SECOND + HALF_LIFE) == 0.5


def test_faults_of_a_time_that_is_yet_to_come_are_as_of_now(scores):
    """A clock was put back: nobody is blamed for more than there was."""
    scores.restore({NODE: (2.0, 9_000)}, Instant(5 * SECOND, 1_000))
    assert scores.of(NODE, 5 * SECOND) == 2.0


def test_scores_and_waiting_hosts_are_bounded(scores):
    for number in range(MAX_REMEMBERED + 10):
        scores.blame(NodeId(number.to_bytes(31, "big") + b"\1"), 0)
        scores.throttle(Address(f"20.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1), 0)
    assert len(scores._faults) == len(scores._waiting) == MAX_REMEMBERED


def test_an_address_waits_for_ten_minutes_and_its_neighbours_do_not(scores):
    scores.throttle(PUBLIC, 0)
    assert scores.waits(PUBLIC._replace(port=1), THROTTLED - 1)
    assert not scores.waits(PUBLIC, THROTTLED)
    assert not scores.waits(Address("20.4.1.2", 7060), 0)


def test_a_private_address_never_waits(scores):
    scores.throttle(PRIVATE, 0)
    assert not scores.waits(PRIVATE, 0)


def test_a_reason_can_be_printed_whatever_a_peer_wrote():
    ban = ban_for(NODE, None, "\x1b[2J\n" + "x" * 500, 7)
    assert ban.reason.isprintable()
    assert len(ban.reason) == 200


# Bans that a node makes


@pytest.fixture
def bans():
    return Bans(None)


def test_a_ban_of_the_node_outlives_what_the_operator_says_of_others(bans):
    bans.make(ban_for(NODE, None, "why", 0), 0)
    bans.put([], 1)
    assert bans.of_key(NODE) is not None
    bans.lift(BANNED)
    assert bans.of_key(NODE) is None


def test_the_operator_who_was_given_a_ban_may_lift_it(bans):
    bans.make(ban_for(NODE, None, "why", 0), 0)
    bans.put(bans.made, 1)
    assert bans.made == ()
    assert bans.of_key(NODE) is not None
    bans.put([], 2)
    assert bans.of_key(NODE) is None


def test_a_longer_ban_of_the_operator_stays(bans):
    mine = Ban(key=NODE, since=0, reason="mine")
    bans.put([mine], 0)
    bans.make(ban_for(NODE, None, "why", 0), 0)
    assert bans.of_key(NODE) is mine


def test_the_bans_that_a_node_makes_are_bounded(bans):
    for number in range(MAX_MADE + 10):
        bans.make(ban_for(NodeId(number.to_bytes(31, "big") + b"\1"), None, "why", 0), 0)
    assert len(bans) == MAX_MADE


# On links


def offend(net, ada, name):
    eve = net.puppet(ada, name)
    eve.come_up()
    eve.frame(Kind.GOSSIP, b"\xc1")
    return eve


def test_whoever_breaks_the_protocol_again_and_again_is_banned_whatever_link_it_comes_by(net):
    ada = net.member("ada")
    for _ in range(2):
        offend(net, ada, "eve")
        net.wait(1)
    assert not ada.told("peer-banned")
    eve = offend(net, ada, "eve")
    (told,) = ada.told("peer-banned")
    assert told.node_id == eve.key.public
    assert told.until == net.unix + BANNED
    again = net.puppet(ada, "eve")
    again.handshake().hello()
    assert not [link for link in ada.links.values() if link.greeted]


def stored_scores(member):
    """As a database has them: the last of each node, those without a fault left out."""
    last = {one.node_id: (one.faults, one.at) for one in member.effects if isinstance(one, StoreScore)}
    return {node_id: score for node_id, score in last.items() if score[0]}


def test_faults_before_a_restart_count_after_it(net):
    ada = net.member("ada")
    for _ in range(2):
        offend(net, ada, "eve")
        net.wait(1)
    kept = stored_scores(ada)
    assert kept
    ada.online = False
    again = net.member("ada again", keys=net.keys("ada"), card=ada.core.card, listening=False)
    net.give(again, io.TrustRestored((net.first_list,), {}, {}, kept))
    net.listen(again)
    offend(net, again, "eve")
    assert again.told("peer-banned")
    assert not stored_scores(again)
