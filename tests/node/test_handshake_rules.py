"""Who is let in: cards bound to keys, silence before proof, reasons for members, and nothing before the first frame."""

import pytest

from cards import Card, IdentityKey
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code, encode_card, encode_refusal
from p2pnoise.node.link import Stage

PATTERNS = pytest.mark.parametrize("pattern", ["IK", "XX"])


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@PATTERNS
def test_two_members_verify_each_other(any_net, pattern):
    low, high = any_net.two()
    any_net.link(high, low, pattern=pattern)
    for one, other in ((low, high), (high, low)):
        (event,) = one.told("peer-verified")
        assert event.node_id == other.core.node_id
        assert event.pattern == pattern
        assert event.dialled is (one is high)
        assert one.core.table.by_node(other.core.node_id).provenance == "live"


@PATTERNS
def test_a_puppet_that_does_everything_right_comes_up(net, ada, pattern):
    assert net.puppet(ada, "carl", pattern=pattern).come_up()


# P3, P4: the node signature travels, and nothing is believed without it.


@PATTERNS
def test_the_card_of_a_handshake_carries_its_node_signature(net, ada, pattern):
    puppet = net.puppet(ada, "carl", pattern=pattern).handshake()
    sent = b"".join(puppet.payloads)
    assert ada.core.card.node_signature in sent
    assert len(ada.core.card.node_signature) == 64


@PATTERNS
def test_a_card_without_a_node_signature_is_refused_in_silence(net, ada, pattern):
    card = net.card("carl")
    bare = Card.from_body(card.body, card.key_signature, b"").with_grants(card.grants)
    puppet = net.puppet(ada, "carl", card=bare, pattern=pattern).handshake()
    assert puppet.ended
    assert ada.told("peer-refused")[0].told is False
    assert len(ada.core.table) == 1


@PATTERNS
def test_a_stolen_card_is_refused_in_silence(net, ada, pattern):
    puppet = net.puppet(ada, "mallory", card=net.card("carl"), pattern=pattern).handshake()
    (refused,) = ada.told("peer-refused")
    assert puppet.ended
    assert "node-mismatch" in {finding.code for finding in refused.findings}
    assert not ada.told("peer-verified")


def test_a_stolen_card_gets_in_once_the_binding_is_not_checked(net, ada, monkeypatch):
    judge = ada.core.table.judge
    monkeypatch.setattr(ada.core.table, "judge", lambda *args, **more: judge(*args, **more | {"peer_static": None}))
    net.puppet(ada, "mallory", card=net.card("carl")).handshake()
    assert not ada.told("peer-refused")


def test_a_card_that_claims_a_strangers_node_id_is_refused(net, ada):
    carl, _ = net.keys("carl")
    mallory = IdentityKey.generate(lambda size: b"m" * size)
    card = net.card("carl", keys=(carl, mallory))
    forged = Card.from_body(card.body, card.key_signature, net.card("carl").node_signature).with_grants(card.grants)
    net.puppet(ada, "carl", card=forged).handshake()
    assert "node-signature-invalid" in {finding.code for finding in ada.told("peer-refused")[0].findings}


def test_our_own_card_and_key_coming_back_is_a_self_peer(net, ada):
    puppet = net.puppet(ada, "ada", keys=(ada.key, ada.identity)).handshake()
    assert puppet.ended
    assert "self-peer" in {finding.code for finding in ada.told("peer-refused")[0].findings}


def test_our_own_identity_on_another_node_is_a_self_peer(net, ada):
    key, _ = net.keys("carl")
    net.puppet(ada, "carl", keys=(key, ada.identity)).handshake()
    assert "self-peer" in {finding.code for finding in ada.told("peer-refused")[0].findings}


def test_dialling_ourselves_through_a_bootstrap_address_is_given_up(net):
    ada = net.member("ada", target_links=0)
    net.link(ada, ada, pattern="XX")
    assert not ada.links
    assert ada.told("dial-failed")


@PATTERNS
def test_a_dialler_refuses_the_card_of_another_node(net, pattern):
    """The responder holds the dialled key but shows somebody else's card."""
    low, high = net.two()
    low.core.table.own_card = net.card("carl")
    net.link(high, low, pattern=pattern)
    assert "node-mismatch" in {finding.code for finding in high.told("peer-refused")[0].findings}
    assert not high.links
    assert not low.told("peer-verified")


# P10: a first message proves nothing.


def recorded_first_message(net, ada):
    """Carl's own first message to ada, which later goes up, as somebody on the path saw it."""
    puppet = net.puppet(ada, "carl")
    first = puppet.conn.send_handshake(encode_card(puppet.card.raw))
    puppet.say(first).hello().heads()
    assert puppet.link.stage is Stage.UP
    return puppet, first


def test_a_replayed_first_message_touches_no_state(net, ada):
    carl, first = recorded_first_message(net, ada)
    before, events, heard = ada.state, len(ada.events), len(carl.heard)
    replay = net.puppet(ada, "replayer")
    replay.say(first)
    assert replay.link.stage is Stage.GREETING
    net.wait(4)
    assert ada.state == before
    assert ada.events[events:] == []
    assert carl.link.stage is Stage.UP
    assert len(carl.heard) == heard  # not so much as a ping
    net.wait(7)
    assert replay.ended
    assert ada.state == before


def test_a_replay_after_the_link_is_gone_brings_no_peer(net, ada):
    carl, first = recorded_first_message(net, ada)
    carl.say(b"")
    verified = len(ada.told("peer-verified"))
    net.puppet(ada, "replayer").say(first)
    net.wait(30)
    assert len(ada.told("peer-verified")) == verified
    assert not ada.links


def test_a_replay_would_count_if_the_card_alone_did(net, ada, monkeypatch):
    """The companion: were the link greeted by the card, the replay would start duplicate handling."""
    from p2pnoise.node.frames import Hello  # noqa: PLC0415
    from p2pnoise.node.link import Link  # noqa: PLC0415

    carl, first = recorded_first_message(net, ada)
    accept, links = Link.accept, ada.core.links

    def hasty(link, hello, now):
        accept(link, hello, now)
        number = next(number for number, other in links.all.items() if other is link)
        links.admission.greeted(number, link, Hello(b"x" * 16, b""), net.instant)

    monkeypatch.setattr(Link, "accept", hasty)
    heard = len(carl.heard)
    net.puppet(ada, "replayer").say(first)
    assert len(carl.heard) > heard


def test_a_replay_does_not_keep_us_from_dialling_the_real_node(net):
    ada = net.member("ada", target_links=2)
    bob = net.member("bob", target_links=0)
    puppet = net.puppet(ada, "bob", keys=(bob.key, bob.identity), card=bob.core.card)
    puppet.handshake()  # as a replay would: no first frame follows
    other = net.member("dora", target_links=0)
    net.link(other, bob)
    net.link(other, ada)  # gossip brings bob's address
    assert ada.core.table.by_node(bob.core.node_id).record is not None
    net.wait(4)
    assert puppet.link.stage is Stage.GREETING
    assert ada.up(bob)


# P13, P14: who hears a reason.


def outsider(net):
    return net.card("carl", issuer=net.stranger)


def test_an_outsider_hears_nothing_by_ik(net, ada):
    puppet = net.puppet(ada, "carl", card=outsider(net)).handshake()
    assert puppet.ended
    assert puppet.heard == b""
    assert ada.told("peer-refused")[0].told is False


def test_an_outsider_hears_nothing_after_its_card_by_xx(net, ada):
    puppet = net.puppet(ada, "carl", card=outsider(net), pattern="XX")
    puppet.say(puppet.conn.send_handshake(b""))
    heard = puppet.heard
    puppet.say(puppet.conn.send_handshake(encode_card(puppet.card.raw)))
    assert puppet.ended
    assert puppet.heard == heard


def test_a_forged_grant_of_our_issuer_is_an_outsiders(net, ada):
    card, genuine = outsider(net), net.card("carl")
    forged = card.with_grants(
        (type(genuine.grants[0]).parse(genuine.grants[0].kid, card.grants[0].attrs, card.grants[0].signature),)
    )
    puppet = net.puppet(ada, "carl", card=forged).handshake()
    assert puppet.heard == b""


REASONS = [
    ("revoked", Code.REVOKED),
    ("expired", Code.EXPIRED),
    ("expired-app", Code.EXPIRED),
    ("wrong-network", Code.WRONG_NETWORK),
    ("rollback", Code.NOT_TRUSTED),
]


def refusable(net, ada, reason):
    match reason:
        case "revoked":
            _, identity = net.keys("carl")
            net.give(ada, io.FactOffered(net.make_list(2, revoked=[identity.public]), "file"))
            return net.card("carl")
        case "expired":
            return net.card("carl", now=net.START - 2000, lifetime=1950)
        case "expired-app":
            return net.card("carl", grant_lifetime=50)
        case "wrong-network":
            return net.card("carl", network="other-net")
        case "rollback":  # since then it has moved to another node
            keys = net.keys("carl on another node")[0], net.keys("carl")[1]
            net.puppet(ada, "carl", keys=keys, card=net.card("carl", keys=keys, sequence=5)).come_up().say(b"")
            return net.card("carl", sequence=4)


@PATTERNS
@pytest.mark.parametrize(("reason", "code"), REASONS)
def test_whom_an_issuer_once_vouched_for_hears_why(net, ada, pattern, reason, code):
    card = refusable(net, ada, reason)
    puppet = net.puppet(ada, "carl", card=card, pattern=pattern).handshake()
    refused = ada.told("peer-refused")[-1]
    assert puppet.ended
    assert refused.told is True
    assert refused.reason == code.label
    assert reason in {finding.code for finding in refused.findings}
    if pattern == "IK":
        assert puppet.payloads == [encode_refusal(code)]  # in place of our card
    else:
        assert puppet.told is code


@PATTERNS
def test_the_refused_member_reports_the_reason_and_backs_off(net, pattern):
    low, high = net.two()
    net.give(low, io.FactOffered(net.make_list(2, revoked=[high.identity.public]), "file"))
    net.link(high, low, pattern=pattern)
    assert [event.reason for event in high.told("refused-by-peer")] == ["revoked"]
    assert [event.reason for event in high.told("dial-failed")] == ["revoked"]
    assert not high.links
    assert not low.links


def test_a_dialler_that_refuses_by_xx_sends_no_third_message(net):
    low, high = net.two()
    low.core.table.own_card = net.card(low.name, keys=(low.key, low.identity), issuer=net.stranger)
    number = net.link(high, low, pattern="XX")
    (length,) = {len(data) for connection, data in high.sent.items() if connection == number}
    assert length == 2 + 6 + 2 + 32  # negotiation data and e
    assert high.told("peer-refused")


def test_a_stranger_cannot_say_that_it_refuses_us(net, ada):
    net.puppet(ada, "carl").handshake(encode_refusal(Code.REVOKED))
    assert not ada.told("refused-by-peer")
    assert ada.told("connection-failed")


def test_an_outsider_would_hear_something_if_reasons_went_to_everybody(net, ada, monkeypatch):
    """The companion of P13's silence."""
    from cards import Verdict  # noqa: PLC0415

    verdict = ada.core.table.judge

    def generous(*args, **more):
        found = verdict(*args, **more)
        return Verdict(level=found.level, findings=found.findings, claim=found.claim, endorsed=True)

    monkeypatch.setattr(ada.core.table, "judge", generous)
    assert net.puppet(ada, "carl", card=outsider(net)).handshake().heard != b""
