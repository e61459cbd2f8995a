"""Trust that changes while a node runs: revocations, policies, cards and clocks, and who is cut and who stays."""

import dataclasses
import hashlib

import pytest

from cards import IssuerKey, Policy
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code
from p2pnoise.node.link import Stage

DAY = 86_400


def offer(net, member, one):
    net.give(member, io.FactOffered(one, "file"))


def trio(net, **options):
    """Three members in a line, each knowing all."""
    options = {"target_links": 0} | options
    ada, bob, carl = (net.member(name, **options) for name in ("ada", "bob", "carl"))
    net.link(ada, bob)
    net.link(carl, bob)
    assert len(ada.core.table) == 3
    return ada, bob, carl


def test_a_revocation_cuts_live_links_at_once_and_reaches_all(net):
    ada, bob, carl = trio(net)
    offer(net, ada, net.make_list(2, revoked=[carl.identity.public]))
    assert not bob.up(carl)
    assert [event.reason for event in carl.told("refused-by-peer")] == ["revoked"]
    assert [event.reason for event in bob.told("peer-lost")] == ["revoked"]
    for member in (ada, bob):
        assert member.core.table.by_node(carl.core.node_id) is None
        (applied,) = member.told("list-applied")
        assert applied.revoked == (carl.core.node_id,)
        assert applied.sequence == 2
    assert bob.up(ada)


def test_a_revocation_on_one_of_many_pages_reaches_all(net):
    ada, bob, carl = trio(net)
    others = [hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(5_000)]
    offer(net, ada, net.make_list(2, revoked=[carl.identity.public, *others]))
    assert not bob.up(carl)
    assert bob.up(ada)
    assert len(bob.core.table.revocations.by_issuer[net.issuer.public].entries) == 5_001


def test_a_peers_list_that_our_policy_does_not_take_is_told_with_the_key_to_set(net):
    lenient = dataclasses.replace(net.policy, list_lifetime=90 * DAY)
    ada = net.member("ada", target_links=0)
    bob = net.member("bob", policy=lenient, target_links=0)
    net.link(ada, bob)
    offer(net, bob, net.make_list(2, lifetime=90 * DAY))
    (event,) = ada.told("file-rejected")
    assert event.file == f"the list that {bob.core.node_id.short} gave"
    assert 'list_lifetime = "90d"' in event.reason
    assert ada.up(bob)


def test_the_revoked_node_learns_that_its_own_card_is_rejected(net):
    ada, bob, carl = trio(net)
    offer(net, bob, net.make_list(2, revoked=[carl.identity.public]))
    offer(net, carl, net.make_list(2, revoked=[carl.identity.public]))
    assert "revoked" in {finding.code for finding in carl.told("own-card-rejected")[0].findings}
    assert not ada.told("own-card-rejected")


def test_a_node_whose_own_card_is_gone_is_at_rest_and_says_so_daily(net):
    """It once asked for a tick in the past from then on, and span."""
    low, _ = net.two()
    offer(net, low, net.make_list(2, revoked=[low.identity.public]))
    net.wait(3 * DAY)
    assert len(low.told("own-card-rejected")) == 4


def test_a_node_says_once_why_its_own_card_does_not_count_until_something_is_different(net):
    low, _ = net.two()
    offer(net, low, net.make_list(2, revoked=[low.identity.public]))
    for again in (
        io.PolicyChanged(net.policy),
        io.PinsChanged({}),
        io.OwnCardChanged(low.core.card),
        io.PolicyChanged(net.policy),
    ):
        net.give(low, again)
    assert len(low.told("own-card-rejected")) == 1
    newer = net.card(low.name, keys=(low.key, low.identity), sequence=2)
    for _ in range(2):
        net.give(low, io.OwnCardChanged(newer))
    assert len(low.told("own-card-rejected")) == 2


def test_a_node_says_again_that_its_own_card_does_not_count_when_it_had_counted_meanwhile(net):
    low, _ = net.two()
    stranger = dataclasses.replace(net.policy, issuers={"lab": net.second.public})
    for policy in (stranger, net.policy, stranger):
        net.give(low, io.PolicyChanged(policy))
    assert len(low.told("own-card-rejected")) == 2


def test_a_revoked_node_does_not_come_back(net):
    ada, bob, carl = trio(net)
    offer(net, bob, net.make_list(2, revoked=[carl.identity.public]))
    net.link(carl, ada)
    net.link(carl, bob, pattern="XX")
    assert not ada.links_to(carl)
    assert not bob.up(carl)
    assert bob.core.table.by_node(carl.core.node_id) is None


def test_a_list_that_a_new_peer_brings_is_applied_before_it_is_verified(net):
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    carl = net.puppet(ada, "carl").come_up()
    offer(net, bob, net.make_list(2, revoked=[carl.identity.public]))
    net.link(bob, ada)
    assert carl.told is Code.REVOKED
    kinds = [event.kind for event in ada.events]
    assert kinds.index("list-applied") < len(kinds) - 1 - kinds[::-1].index("peer-verified")


def test_a_peer_revoked_by_the_very_list_that_it_brings_is_not_verified(net):
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    net.give(bob, io.FactOffered(net.make_list(2, revoked=[bob.identity.public]), "file"))
    net.link(bob, ada)
    assert not ada.told("peer-verified")
    assert ada.told("peer-refused")[0].reason == "revoked"


# Policies.


def lab(net):
    lists = (net.first_list, net.make_list(1, issuer=net.second))
    ada = net.member("ada", policy=net.both, lists=lists, target_links=0)
    bob = net.member("bob", policy=net.both, lists=lists, card=net.card("bob", issuer=net.second), target_links=0)
    net.link(bob, ada)
    assert ada.up(bob)
    return ada, bob


def test_peers_of_a_dropped_issuer_are_cut_and_leave_the_table(net):
    ada, bob = lab(net)
    net.give(ada, io.PolicyChanged(net.policy))
    assert not ada.links_to(bob) or not ada.up(bob)
    assert ada.core.table.by_node(bob.core.node_id) is None
    assert len(bob.told("peer-lost")) == 1
    assert ada.told("peer-lost")[0].findings


def test_the_same_policy_again_changes_nothing(net):
    ada, bob = lab(net)
    net.give(ada, io.PolicyChanged(net.both))
    assert ada.up(bob)
    assert not ada.told("peer-lost")


def test_an_issuer_that_comes_back_lets_its_peers_in_again(net):
    ada, bob = lab(net)
    net.give(ada, io.PolicyChanged(net.policy))
    net.give(ada, io.PolicyChanged(net.both))
    net.link(bob, ada)
    assert ada.up(bob)


# Our own card.


def test_a_renewed_card_of_ours_is_announced(net):
    ada, bob, carl = trio(net)
    renewed = net.grant(carl.core.card, serial=2)
    net.give(carl, io.OwnCardChanged(renewed))
    net.wait(1)  # it may be gathered with other news
    for member in (ada, bob):
        (peer,) = [peer for peer in member.core.table if peer.card.name == "carl"]
        assert [grant.serial for grant in peer.card.grants] == [2]


def test_a_new_body_of_ours_is_announced_and_no_link_is_cut(net):
    ada, bob, carl = trio(net)
    net.give(carl, io.OwnCardChanged(net.card("carl", sequence=2)))
    net.wait(60)
    assert ada.core.table.by_node(carl.core.node_id).card.sequence == 2
    assert bob.up(carl)
    assert not bob.told("peer-lost")


def test_the_node_that_an_identity_has_left_is_cut(net):
    """A new node key under a higher number: whoever still has the old one is no longer that identity's node."""
    ada = net.member("ada", target_links=0)
    old = net.member("carl", target_links=0)
    net.link(old, ada)
    keys = (net.keys("carl's new machine")[0], old.identity)
    new = net.member("carl-2", keys=keys, card=net.card("carl", keys=keys, sequence=2), target_links=0)
    net.link(new, ada)
    assert ada.up(new)
    assert not ada.up(old)
    assert len(ada.core.table) == 2


def test_the_end_of_a_grant_cuts_the_link_at_that_second(net):
    ada = net.member("ada", target_links=0)
    bob = net.member("bob", card=net.card("bob", grant_lifetime=700), target_links=0)
    net.link(bob, ada)
    net.wait(599)
    assert ada.up(bob)
    net.wait(1)
    assert not ada.up(bob)
    assert ada.told("peer-lost")[0].reason == "expired"
    assert ada.core.table.by_node(bob.core.node_id) is None


def test_a_grant_renewed_in_time_keeps_the_link_past_the_end_of_the_old_one(net):
    """The link was judged by the card that it began with, and was cut although gossip had brought the new grant."""
    ada = net.member("ada", target_links=0)
    bob = net.member("bob", card=net.card("bob", grant_lifetime=700), target_links=0)
    net.link(bob, ada)
    net.wait(300)
    net.give(bob, io.OwnCardChanged(net.grant(bob.core.card, serial=2)))
    net.wait(1000)
    assert ada.up(bob)
    assert bob.up(ada)
    assert not ada.told("peer-lost")


def test_many_expiries_at_one_second_are_survived(net):
    ada = net.member("ada", target_links=0)
    for number in range(8):
        bob = net.member(f"bob-{number}", card=net.card(f"bob-{number}", grant_lifetime=700), target_links=0)
        net.link(bob, ada)
    assert len(ada.core.table) == 9
    net.wait(2000)
    assert len(ada.core.table) == 1


# Lists that are late.


@pytest.fixture
def late(net):
    """Two linked members whose issuer stops making lists; their first is due in 30 days."""
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    net.link(bob, ada)
    return ada, bob


def pass_days(net, days):
    """Days on the wall clock, an hour on the other: the links need not be pinged a month long."""
    net.shift += days * DAY - 3600
    net.wait(3600)


def test_when_a_list_is_overdue_old_peers_stay_and_new_ones_are_refused(net, late):
    ada, bob = late
    pass_days(net, 29)
    assert net.puppet(ada, "early").come_up()
    pass_days(net, 3)
    assert ada.up(bob)
    puppet = net.puppet(ada, "newcomer").handshake().hello().heads()
    assert puppet.told is not None
    assert ada.told("peer-refused")[-1].reason == "not-trusted"
    assert "revocation-stale" in {finding.code for finding in ada.told("peer-refused")[-1].findings}
    offer(net, ada, net.make_list(2, now=net.unix))
    assert net.puppet(ada, "newcomer").come_up()


def test_a_list_that_is_due_soon_is_told_of_daily(net, late):
    ada, bob = late
    net.give(bob, io.Stop())
    net.shift += 26 * DAY
    net.wait(3 * DAY)
    dues = ada.told("list-due")
    assert 2 <= len(dues) <= 4
    assert dues[0].seconds_left > dues[-1].seconds_left > 0


def test_a_list_of_an_issuer_that_has_left_the_policy_is_due_to_nobody(net):
    lists = (net.first_list, net.make_list(1, issuer=net.second, lifetime=DAY))
    ada = net.member("ada", target_links=0, policy=net.both, lists=lists)
    assert ada.told("list-due")
    again = net.member("ada", target_links=0, lists=lists, boot="again")
    net.wait(3 * DAY)
    assert not again.told("list-due")


def test_without_any_list_of_its_issuer_a_node_waits_and_lets_the_peer_bring_it(net):
    ada = net.member("ada", lists=(), target_links=0)
    bob = net.member("bob", target_links=0)
    assert len(ada.core.table) == 0
    net.link(bob, ada)
    assert ada.up(bob)
    assert bob.up(ada)
    assert ada.core.table.by_node(ada.core.node_id) is not None


def test_two_nodes_without_the_list_do_not_verify_each_other(net):
    ada, bob = (net.member(name, lists=(), target_links=0) for name in ("ada", "bob"))
    net.link(bob, ada)
    assert not ada.told("peer-verified")
    assert not bob.told("peer-verified")


# Clocks.


def test_a_clock_that_jumps_back_a_day_brings_nothing_back(net):
    ada, bob, carl = trio(net)
    offer(net, ada, net.make_list(2, revoked=[carl.identity.public]))
    net.shift = -DAY
    net.wait(120)
    net.link(carl, ada)
    assert not ada.links_to(carl) or not ada.up(carl)
    assert ada.up(bob)


def test_a_card_that_began_later_by_a_clock_that_was_behind_counts_a_minute_after_it_is_right(net):
    net.shift = -1300
    ada = net.member("ada", target_links=0, lists=(net.make_list(1, now=net.START - 2 * DAY),))
    net.wait(600)
    assert ada.core.table.by_node(ada.core.node_id) is None
    assert len(ada.told("own-card-rejected")) == 1
    net.shift = 0
    net.wait(60)
    assert ada.core.table.by_node(ada.core.node_id).record is not None


def test_a_card_that_ended_by_a_clock_that_was_ahead_counts_again(net):
    ada = net.member("ada", target_links=0)
    net.shift = 4000 * DAY
    net.wait(DAY)
    assert ada.core.table.by_node(ada.core.node_id) is None
    net.shift = 0
    net.wait(60)
    assert ada.core.table.by_node(ada.core.node_id) is not None


def test_whoever_uses_up_the_numbers_of_our_records_does_not_break_us(net):
    from cards import make_record  # noqa: PLC0415
    from cards.codec import MAX_INT  # noqa: PLC0415

    low, _ = net.two()
    record = make_record(low.key, network=net.NETWORK, addresses=[], sequence=MAX_INT, now=net.START)
    low.core.table.offer_record(record, net.unix)
    net.wait(2 * DAY)
    assert low.core.table.by_node(low.core.node_id).record.sequence == MAX_INT
    assert net.now > SECOND


def test_a_link_stays_closed_to_gossip_while_its_end_is_awaited(net):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").come_up()
    offer(net, ada, net.make_list(2, revoked=[puppet.identity.public]))
    heard = len(puppet.heard)
    assert puppet.link.stage is Stage.CLOSING
    puppet.heads()
    assert len(puppet.heard) == heard


# Of two issuers one means no good, and no card of its own is in play.


def link_both_ways(net, one, other):
    for dialler, dialled in ((one, other), (other, one)):
        net.link(dialler, dialled)
        net.wait(30)
    return one.up(other) and other.up(one)


@pytest.mark.parametrize("is_retired", [False, True])
def test_lists_that_some_had_one_by_one_and_others_only_the_last_of_keep_nobody_apart(net, is_retired):
    """Each leaves out whom the one before revoked: of so many nobody takes one more."""
    lists = [net.make_list(number, issuer=net.second, revoked=[bytes([number]) * 32]) for number in range(1, 11)]
    ended = [net.retirement(net.second)] * is_retired
    ada = net.member("ada", target_links=0, policy=net.both, lists=(net.first_list, *lists[:9], *ended))
    bob = net.member("bob", target_links=0, policy=net.both, lists=(net.first_list, lists[9], *ended))
    assert link_both_ways(net, ada, bob)


def test_a_list_that_one_policy_takes_and_another_does_not_keeps_nobody_apart(net):
    lists = (net.first_list, net.make_list(1, issuer=net.second))
    ada = net.member("ada", target_links=0, policy=net.both, lists=lists)
    lenient = dataclasses.replace(net.both, list_lifetime=100 * DAY)
    long = net.make_list(2, issuer=net.second, lifetime=90 * DAY)
    bob = net.member("bob", target_links=0, policy=lenient, lists=(*lists, long))
    assert link_both_ways(net, ada, bob)


def test_a_member_that_is_granted_more_stays_linked_when_its_old_grant_ends(net):
    """Of four issuers each has a quarter of the envelope, which the old grant fits and the new one does not."""
    issuers = [net.issuer, net.second, *(IssuerKey(hashlib.sha256(name).digest()) for name in (b"third", b"fourth"))]
    policy = Policy(network=net.NETWORK, issuers={f"i{number}": one.public for number, one in enumerate(issuers)})
    lists = tuple(net.make_list(1, issuer=one) for one in issuers)
    bare = net.card("bob").with_grants(())
    groups = ("operators-of-the-north", "operators-of-the-south", "west")
    ada = net.member("ada", policy=policy, lists=lists)
    bob = net.member("bob", policy=policy, lists=lists, card=net.grant(bare, lifetime=700, groups=("a",)))
    net.teach(bob, ada, ada.address)
    net.give(bob, io.Tick())
    net.wait(300)
    net.give(bob, io.OwnCardChanged(net.grant(bare, serial=2, lifetime=6_100, groups=groups)))
    net.wait(900)
    assert ada.up(bob)
    assert not ada.told("peer-lost")
