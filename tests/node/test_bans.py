"""Bans: whom the operator refuses has no link to us, at once and until the ban ends; gossip takes no notice of them."""

import itertools

import pytest

from p2pnoise.config import Bootstrap
from p2pnoise.node import effects as io
from p2pnoise.node.bans import MAX_TIME, Ban
from p2pnoise.node.frames import Code
from p2pnoise.node.link import Stage


def ban(member, *, node=False, **options):
    """A ban of this member, by its identity or its node."""
    key = member.core.node_id if node else member.identity.public
    return Ban(key=key, since=0, **options)


def give_bans(net, member, *bans):
    return net.give(member, io.BansChanged(tuple(bans)))


@pytest.mark.parametrize("node", [False, True], ids=["identity", "node"])
def test_a_banned_peer_is_cut_at_once_and_told_no_more_than_not_trusted(net, node):
    low, high = net.pair()
    give_bans(net, low, ban(high, node=node, reason="spams"))
    assert not low.up(high)
    assert not high.up(low)
    (lost,) = low.told("peer-lost")
    assert [finding.code for finding in lost.findings] == ["banned"]
    assert "spams" in lost.findings[0].message
    assert [event.reason for event in high.told("refused-by-peer")] == ["not-trusted"]


@pytest.mark.parametrize("node", [False, True], ids=["identity", "node"])
@pytest.mark.parametrize("pattern", ["IK", "XX"])
def test_a_banned_peer_that_dials_is_refused(net, node, pattern):
    low, high = net.two()
    give_bans(net, low, ban(high, node=node))
    net.link(high, low, pattern=pattern)
    assert not low.up(high)
    assert "banned" in {finding.code for finding in low.told("peer-refused")[0].findings}
    assert [event.reason for event in high.told("refused-by-peer")] == ["not-trusted"]


@pytest.mark.parametrize("pattern", ["IK", "XX"])
def test_a_banned_peer_that_answers_our_dial_is_refused(net, pattern):
    low, high = net.two()
    give_bans(net, low, ban(high))
    net.link(low, high, pattern=pattern)
    assert not low.links
    assert "banned" in {finding.code for finding in low.told("peer-refused")[0].findings}


def test_a_ban_made_while_lists_are_compared_counts(net):
    low = net.member("ada", target_links=0)
    puppet = net.puppet(low, "carl").handshake().hello()
    give_bans(net, low, Ban(key=puppet.identity.public, since=0))
    assert puppet.told is Code.NOT_TRUSTED


def test_a_ban_made_before_the_first_frame_counts(net):
    low = net.member("ada", target_links=0)
    puppet = net.puppet(low, "carl").handshake()
    give_bans(net, low, Ban(key=puppet.identity.public, since=0))
    puppet.hello().heads()
    assert puppet.told is Code.NOT_TRUSTED
    assert not any(link.stage is Stage.UP for link in low.links.values())


def test_the_replay_of_a_banned_peers_first_message_touches_nothing(net):
    low, high = net.two()
    give_bans(net, low, ban(high))
    before = low.state
    net.puppet(low, high.name, keys=(high.key, high.identity)).handshake()
    assert low.state == before


def test_a_banned_peer_is_not_dialled_by_its_record_or_as_bootstrap(net):
    bob = net.member("bob", target_links=0)
    ada = net.member("ada", listening=False, bootstrap=(Bootstrap(bob.address, bob.core.node_id),))
    net.teach(ada, bob, bob.address)
    give_bans(net, ada, ban(bob))
    net.listen(ada)
    net.wait(60)
    assert not ada.dialled
    give_bans(net, ada)
    net.wait(60)
    assert ada.up(bob)


def test_no_stream_is_opened_to_a_banned_peer_and_the_reason_is_told(net):
    low, high = net.two()
    net.teach(low, high, high.address)
    give_bans(net, low, ban(high, reason="spams"))
    ticket = net.want(low, high)
    assert low.refusal(ticket) is io.Refusal.NOT_TRUSTED
    assert "spams" in low.answer(ticket).reason
    assert not low.dialled


def test_a_ban_changes_nothing_of_what_is_kept_and_passed_on(net):
    low, high = net.pair()
    carl = net.member("carl", target_links=0)
    before = set(low.core.table.items)
    give_bans(net, low, ban(high))
    assert set(low.core.table.items) == before
    net.link(carl, low)
    assert carl.core.table.by_node(high.core.node_id) is not None  # from whoever bans it
    assert frozenset(carl.core.table.items) == frozenset(low.core.table.items)


def test_news_of_a_banned_peer_is_taken_and_passed_on(net):
    low, high = net.pair()
    carl, dora = (net.member(name, target_links=0) for name in ("carl", "dora"))
    give_bans(net, low, ban(high))
    net.link(carl, low)
    net.link(dora, low)
    newer = net.card(high.name, keys=(high.key, high.identity), sequence=2)
    net.give(high, io.OwnCardChanged(newer))
    net.link(carl, high)
    net.wait(1)
    for member in (low, carl, dora):
        assert member.core.table.by_node(high.core.node_id).card.sequence == 2


def test_a_ban_lifts_by_itself_at_its_end_and_the_peer_is_dialled(net):
    bob = net.member("bob", target_links=0)
    ada = net.member("ada")
    net.teach(ada, bob, bob.address)
    give_bans(net, ada, ban(bob, until=net.unix + 600))
    net.wait(599)
    assert not ada.dialled
    assert not ada.up(bob)
    net.wait(2)
    assert ada.up(bob)
    assert len(ada.core.bans) == 0


def test_a_ban_that_has_ended_already_is_none(net):
    low, high = net.pair()
    give_bans(net, low, ban(high, until=net.unix))
    assert low.up(high)
    assert len(low.core.bans) == 0


def test_the_next_bans_replace_those_before(net):
    low, high = net.two()
    give_bans(net, low, ban(high))
    give_bans(net, low)
    net.link(high, low)
    assert low.up(high)


def test_the_ban_of_another_cuts_nobody(net):
    low, high = net.pair()
    give_bans(net, low, Ban(key=net.keys("carl")[1].public, since=0), Ban(key=net.keys("carl")[0].public, since=0))
    assert low.up(high)


def test_a_ban_of_an_identity_holds_for_its_next_node_too(net):
    low, high = net.two()
    give_bans(net, low, ban(high))
    moved = net.keys("another node")[0]
    card = net.card(high.name, keys=(moved, high.identity), sequence=2)
    puppet = net.puppet(low, high.name, keys=(moved, high.identity), card=card).handshake()
    assert "banned" in {finding.code for finding in low.told("peer-refused")[-1].findings}
    assert puppet.link is None


@pytest.mark.parametrize("known", [True, False], ids=["before", "after"])
def test_a_ban_of_an_identity_holds_for_whomever_it_hands_over_to_over_all_steps(net, known):
    ada = net.member("ada", target_links=0)
    people = [net.member(name, target_links=0) for name in ("carl", "next", "last")]
    steps = [net.succession(old.identity, new.identity) for old, new in itertools.pairwise(people)]
    carl, _, last = people
    give_bans(net, ada, ban(carl, reason="spams"))
    if not known:
        net.link(last, ada)
        assert ada.up(last)
    for step in steps:
        net.give(ada, io.FactOffered(step, "file"))
    if known:
        net.link(last, ada)
    assert not ada.up(last)
    finding = (ada.told("peer-refused") or ada.told("peer-lost"))[-1].findings[-1]
    assert (finding.code, finding.message) == (
        "banned",
        f"its identity before: {carl.identity.public.short} is banned here: spams",
    )
    assert ada.core.bans.of_card(last.core.card) is not None


def test_a_ban_of_an_identity_leaves_whom_it_had_succeeded(net):
    ada, carl, heir = (net.member(name, target_links=0) for name in ("ada", "carl", "heir"))
    net.give(ada, io.FactOffered(net.succession(carl.identity, heir.identity), "file"))
    give_bans(net, ada, ban(heir))
    assert ada.core.bans.of_card(carl.core.card) is None
    assert ada.core.bans.of_card(heir.core.card) is not None


def test_a_ban_names_its_end_and_its_reason(net):
    carl = net.keys("carl")[1].public
    finding = Ban(key=carl, since=0, until=net.START, reason="it spams").finding
    assert finding.message == f"{carl.short} is banned here until 2027-01-15 08:00 UTC: it spams"
    assert "p2pnoise unban" in finding.hint


def test_a_ban_beyond_all_calendars_is_refused(net):
    with pytest.raises(ValueError, match=str(MAX_TIME)):
        Ban(key=net.keys("carl")[1].public, since=0, until=MAX_TIME + 1)
