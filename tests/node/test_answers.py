"""What one peer can draw from a node: answers are given once, output is bounded, and who overdoes it is told of."""

import pytest

from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import WantLists
from p2pnoise.node import effects as io
from p2pnoise.node import gossiping as module
from p2pnoise.node.frames import Kind, encode_frame
from p2pnoise.node.link import Stage


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def wants(ada, count):
    issuers = tuple(ada.core.table.revocations.by_issuer)
    return [encode_frame(Kind.GOSSIP, encode(WantLists(issuers)))] * count


def test_a_list_is_given_once_on_a_link_however_often_it_is_asked_for(net, ada):
    carl = net.puppet(ada, "carl").come_up()
    before = len(carl.heard)
    carl.message(*wants(ada, 1))
    once = len(carl.heard) - before
    carl.message(*wants(ada, 500))
    assert len(carl.heard) - before == once
    assert carl.link.stage is Stage.UP


def test_a_peer_that_draws_more_than_one_input_may_draw_loses_its_link(net, ada, monkeypatch):
    carl = net.puppet(ada, "carl").come_up()
    monkeypatch.setattr(module, "MAX_ANSWERS", 100)
    carl.message(*wants(ada, 1))
    assert carl.link is None
    (event,) = ada.told("peer-lost")
    assert event.reason == "it asked for more than 100 bytes at once"


def test_a_peer_that_breaks_the_protocol_before_it_is_verified_is_told_of(net, ada):
    carl = net.puppet(ada, "carl").handshake().hello()
    carl.frame(Kind.GOSSIP, b"no message")
    assert carl.link is None
    (event,) = ada.told("connection-failed")
    assert event.reason.startswith("it broke the protocol")


def test_a_card_of_ours_that_does_not_count_leaves_the_one_in_use(net, ada):
    good = ada.core.card
    net.give(ada, io.OwnCardChanged(good.with_grants(())))
    assert ada.core.card is good
    assert ada.told("own-card-rejected")
    assert net.puppet(ada, "carl").come_up()
