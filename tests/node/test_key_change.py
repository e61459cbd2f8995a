"""A dialled node answers with another key: only its own identity with a newer card may (protocol rule P12)."""

import pytest

from cards import Verdict
from p2pnoise.node.frames import Code, encode_card, encode_refusal
from p2pnoise.node.link import APPLICATION_PROLOGUE, Link, Stage
from p2pnoise.noise import DecryptError, KeyPair
from p2pnoise.noisesocket import DEFAULT_FALLBACK, NoiseSocketConnection

XXFALLBACK_ANSWER = "0006" + "000101010110"


@pytest.fixture
def ada(any_net):
    return any_net.member("ada", target_links=0)


@pytest.fixture
def bob(any_net, ada):
    """Whom ada has met, and who is gone."""
    bob = any_net.member("bob", target_links=0)
    any_net.link(ada, bob)
    assert ada.up(bob)
    bob.online = False
    any_net.cut(ada, bob)
    return bob


def successor(net, bob, *, sequence=2, **options):
    """Bob's identity on a new node key."""
    keys = net.keys("bob's second key")[0], bob.identity
    card = net.card("bob", keys=keys, sequence=sequence, serial=2)
    return net.member("bob", keys=keys, card=card, target_links=0, **options)


def dial_as(net, ada, bob, other):
    """Ada dials the Node ID of `bob` where `other` listens now."""
    connection = net.dial(ada, other.address, bob.core.node_id)
    net.pump()
    return connection


def refused_for(member):
    return [finding.message for event in member.told("peer-refused") for finding in event.findings]


def test_the_same_identity_with_a_newer_card_comes_up_in_the_same_connection(any_net, ada, bob):
    again = successor(any_net, bob)
    connection = dial_as(any_net, ada, bob, again)
    assert ada.up(again)
    assert again.up(ada)
    assert ada.links[connection].pattern == "XXfallback"
    (changed,) = ada.told("peer-key-changed")
    assert (changed.previous, changed.node_id, changed.name) == (bob.core.node_id, again.core.node_id, "bob")
    assert ada.told("peer-verified")[-1].node_id == again.core.node_id
    assert ada.core.table.by_node(bob.core.node_id) is None
    assert ada.core.table.by_node(again.core.node_id).card.sequence == 2
    assert not again.told("peer-key-changed")


def test_another_valid_member_at_that_address_fails_to_connect(any_net, ada, bob):
    carl = any_net.member("carl", target_links=0)
    connection = dial_as(any_net, ada, bob, carl)
    assert not ada.up(carl)
    assert not ada.links
    assert not ada.told("peer-key-changed")
    assert f"answered for {bob.core.node_id.short}, without a newer card of the same identity" in refused_for(ada)[0]
    assert {finding.code for finding in ada.told("peer-refused")[0].findings} == {"node-mismatch"}
    # Not a byte of message 3, which would tell carl who we are.
    (first,) = {data for number, data in ada.sent.items() if number == connection}
    assert len(first) == 2 + 6 + 2 + int.from_bytes(first[8:10], "big")


def test_another_member_gets_in_once_the_identity_is_not_compared(any_net, ada, bob, monkeypatch):
    carl = any_net.member("carl", target_links=0)
    monkeypatch.setattr(ada.core.links.admission, "_judge_fallback", lambda _dialled, _claim, verdict: verdict)
    dial_as(any_net, ada, bob, carl)
    assert ada.up(carl)


def test_a_dialled_node_of_which_no_card_is_known_is_a_mismatch(any_net, ada):
    bob, carl = any_net.member("bob", target_links=0), any_net.member("carl", target_links=0)
    dial_as(any_net, ada, bob, carl)
    assert not ada.links
    assert f"answered for {bob.core.node_id.short}, of which no card is known" in refused_for(ada)[0]


def test_the_same_identity_without_a_higher_number_is_a_mismatch(any_net, ada, bob):
    again = successor(any_net, bob, sequence=1)
    dial_as(any_net, ada, bob, again)
    assert not ada.links
    assert any("without a newer card" in message for message in refused_for(ada))


def test_a_newer_card_that_does_not_count_is_refused_for_its_own_reason(any_net, ada, bob):
    keys = any_net.keys("bob's second key")[0], bob.identity
    again = any_net.member(
        "bob", keys=keys, card=any_net.card("bob", keys=keys, sequence=2, issuer=any_net.stranger), target_links=0
    )
    dial_as(any_net, ada, bob, again)
    assert not ada.links
    assert "threshold" in {finding.code for finding in ada.told("peer-refused")[0].findings}


def test_whoever_garbles_the_first_message_forces_no_fallback(any_net, ada, bob):
    """What each side saw of it is in the prologue of the fallback; the next dial is as good as ever."""
    bob.online = True
    garbled = []

    def garble(_source, target, data):
        if target is bob and not garbled:
            garbled.append(data)
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    any_net.tamper = garble
    any_net.link(ada, bob)
    assert bob.sent
    assert not ada.links
    any_net.link(ada, bob)
    assert [link.pattern for link in ada.links.values()] == ["IK"]
    assert not ada.told("peer-key-changed")


def test_ik_alone_answers_nobody_who_does_not_know_the_key(any_net, ada, bob):
    again = successor(any_net, bob, accept=("IK",))
    dial_as(any_net, ada, bob, again)
    assert not ada.links
    assert not again.sent
    any_net.link(ada, again, pattern="XX")
    assert not ada.up(again)
    any_net.link(ada, again)
    assert ada.up(again)


def test_ik_alone_follows_no_fallback(any_net):
    ada = any_net.member("ada", target_links=0, accept=("IK",))
    bob = any_net.member("bob", target_links=0)
    any_net.link(ada, bob)
    bob.online = False
    any_net.cut(ada, bob)
    again = successor(any_net, bob)
    dial_as(any_net, ada, bob, again)
    assert again.sent
    assert not ada.links


def test_a_reason_in_the_answer_of_a_stranger_is_not_believed(net):
    """Whoever is on the path can answer by XXfallback with any payload."""
    stranger = KeyPair.from_private(b"\x07" * 32)
    ada, bob = net.two()
    link = Link(
        initiator=True,
        address=bob.address,
        static=KeyPair.from_private(ada.key.static),
        own_card=ada.core.card.raw,
        entropy=lambda length: b"\x09" * length,
        now=0,
        rs=bob.core.node_id,
    )
    link.start()
    responder = NoiseSocketConnection(
        initiator=False, s=stranger, application_prologue=APPLICATION_PROLOGUE, entropy=lambda length: b"\x08" * length
    )
    responder.receive_data(link.take_output()[0])
    with pytest.raises(DecryptError):
        responder.next_event()
    responder.switch(DEFAULT_FALLBACK)
    (ended,) = list(link.receive(responder.send_handshake(encode_refusal(Code.REVOKED)), 0))
    assert "a refusal from whoever has not proven" in ended.fault
    assert link.closed_by is None


def test_a_first_message_that_cannot_be_read_touches_no_state(net):
    """P10 holds for what is answered by the fallback, too."""
    ada = net.member("ada", target_links=0)
    before, events = ada.state, len(ada.events)
    puppet = net.puppet(ada, "carl")
    first = bytearray(puppet.conn.send_handshake(encode_card(puppet.card.raw)))
    first[-1] ^= 1
    puppet.say(bytes(first))
    assert puppet.heard.hex().startswith(XXFALLBACK_ANSWER)
    assert puppet.link.stage is Stage.HANDSHAKE
    assert ada.state == before
    assert ada.events[events:] == []
    net.wait(11)
    assert puppet.ended
    assert ada.state == before


def test_a_verdict_of_a_fallback_keeps_every_other_finding(net):
    ada = net.member("ada", target_links=0)
    claim = net.card("carl", issuer=net.stranger)
    judged = ada.core.table.judge(claim.raw, net.unix)
    verdict = ada.core.links.admission._judge_fallback(ada.core.node_id, claim, judged)
    assert isinstance(verdict, Verdict)
    assert not verdict.ok
    assert [finding.code for finding in verdict.findings] == [f.code for f in judged.findings] + ["node-mismatch"]
