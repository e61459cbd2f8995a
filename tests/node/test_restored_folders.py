"""A node that was restored from a backup: the network gives it back what it has forgotten, and nobody else anything."""

import pytest

from p2pnoise.gossip import effects as gossip
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code, Kind
from p2pnoise.node.link import Stage

PATTERNS = pytest.mark.parametrize("pattern", ["IK", "XX"])


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def stored(member, other):
    """What the database of `member` has of `other`."""
    row = member.core.table.by_node(other.core.node_id)
    return io.StoredPeer(row.card, row.record, row.provenance, row.first_seen, row.learned_from)


def meet(net, ada, card, name="carl"):
    """carl runs with this card, is linked to ada, and ends."""
    carl = net.member(name, card=card, keys=net.keys("carl"), target_links=0, boot=str(net.now))
    net.link(carl, ada)
    assert carl.up(ada)
    net.wait(1)
    net.give(carl, io.Stop())
    carl.online = False
    return carl


def restored(net, card, rows=(), **options):
    """carl again, from what was saved of it."""
    carl = net.member("carl restored", keys=net.keys("carl"), card=card, target_links=0, listening=False, **options)
    net.give(carl, io.PeersRestored(tuple(rows)))
    net.listen(carl)
    return carl


# The address record


def test_a_record_from_before_the_backup_is_outdone_by_the_clock(net, ada):
    card = net.card("carl")
    first = meet(net, ada, card)
    row = stored(first, first)
    net.wait(3600)
    meet(net, ada, card)  # at another address
    net.wait(3600)
    carl = restored(net, card, [row])
    net.link(carl, ada)
    assert ada.core.table.by_node(carl.core.node_id).record.addresses == (carl.address,)


def test_a_record_is_made_anew_where_the_network_holds_a_later_one_with_other_addresses(net, ada):
    """The clock of the machine that it was restored on is behind."""
    card = net.card("carl")
    meet(net, ada, card)
    net.shift = -200  # within the leeway
    carl = restored(net, card)
    net.link(carl, ada)
    assert ada.core.table.by_node(carl.core.node_id).record.addresses != (carl.address,)
    net.wait(61)
    assert ada.core.table.by_node(carl.core.node_id).record.addresses == (carl.address,)


def test_two_copies_do_not_outbid_each_other_without_end(net, ada):
    carl = net.member("carl", target_links=0)
    bob = net.member("bob", target_links=0)
    copy = net.member("copy", keys=net.keys("carl"), card=carl.core.card, target_links=0)
    net.link(carl, ada)
    net.link(copy, bob)
    net.link(ada, bob)
    before = len(ada.told("address-learned"))
    net.wait(600)
    assert len(ada.told("address-learned")) - before <= 12


# The grant


@PATTERNS
def test_a_grant_from_before_a_renewal_that_holds_still_is_replaced(net, ada, pattern):
    old = net.card("carl", grant_lifetime=86_400)
    renewed = net.grant(old, serial=2, lifetime=10 * 86_400)
    meet(net, ada, renewed)
    carl = restored(net, old)
    net.link(carl, ada, pattern=pattern)
    assert carl.core.card.raw == renewed.raw
    assert [event.sequence for event in carl.told("own-card-learned")] == [1]


@PATTERNS
@pytest.mark.parametrize("dialler", ["restored", "peer"])
def test_a_grant_that_has_ended_since_is_replaced(net, ada, pattern, dialler):
    old = net.card("carl", grant_lifetime=86_400)
    renewed = net.grant(old, serial=2, lifetime=10 * 86_400)
    meet(net, ada, renewed)
    net.wait(2 * 86_400)
    carl = restored(net, old)
    assert carl.told("own-card-rejected")
    net.link(*((carl, ada) if dialler == "restored" else (ada, carl)), pattern=pattern)
    assert carl.up(ada)
    assert carl.core.card.raw == renewed.raw
    assert carl.core.table.by_node(carl.core.node_id).record.addresses == (carl.address,)


def test_a_grant_of_another_issuer_that_we_show_stays(net):
    both = net.both
    second = net.make_list(1, issuer=net.second)
    ada = net.member("ada", policy=both, lists=(net.first_list, second), target_links=0)
    bare = net.card("carl", grant_lifetime=86_400)
    stranger = net.grant(bare, issuer=net.stranger).grants[-1]
    old = bare.with_grants((*bare.grants, stranger))
    renewed = net.grant(bare, serial=2, lifetime=10 * 86_400)
    meet(net, ada, renewed)
    carl = restored(net, old)
    net.link(carl, ada)
    assert carl.core.card.grants == (renewed.grants[0], stranger)


def test_a_grant_of_nobody_that_we_asked_is_not_taken_over(net):
    second = net.make_list(1, issuer=net.second)
    lists = (net.first_list, second)
    ada = net.member("ada", policy=net.both, lists=lists, target_links=0)
    old = net.card("carl")
    more = net.grant(old, issuer=net.second)
    assert len(more.grants) == 2
    meet(net, ada, more)
    carl = restored(net, old, policy=net.both, lists=lists)
    net.link(carl, ada)
    assert carl.up(ada)
    assert carl.core.card.raw == old.raw


# The card


@PATTERNS
@pytest.mark.parametrize("dialler", ["restored", "peer"])
def test_a_card_from_before_a_newer_one_is_replaced(net, ada, pattern, dialler):
    old, new = net.card("carl"), net.card("carl", sequence=2)
    meet(net, ada, old)
    meet(net, ada, new)
    carl = restored(net, old)
    net.link(*((carl, ada) if dialler == "restored" else (ada, carl)), pattern=pattern)
    assert carl.up(ada)
    assert ada.up(carl)
    assert carl.core.card.raw == new.raw
    (told,) = carl.told("own-card-learned")
    assert (told.sequence, told.source) == (2, ada.core.node_id)
    own = carl.core.table.by_node(carl.core.node_id)
    assert (own.card.raw, own.provenance) == (new.raw, "live")
    assert not carl.told("card-refused")
    assert not ada.told("peer-refused")


def test_what_comes_back_is_stored_and_shown_to_the_next(net, ada):
    bob = net.member("bob", target_links=0)
    old, new = net.card("carl"), net.card("carl", sequence=2)
    meet(net, ada, new)
    carl = restored(net, old)
    net.link(carl, ada)
    (batch,) = [batch for batch in carl.batches if io.Emit(carl.told("own-card-learned")[0]) in batch]
    kept = [one.peer.card.raw for one in batch if isinstance(one, gossip.StorePeer)]
    assert new.raw in kept
    net.link(carl, bob)
    assert bob.core.table.by_node(carl.core.node_id).card.raw == new.raw


def test_what_came_back_and_was_stored_outlives_a_file_that_was_not_written(net, ada):
    old, new = net.card("carl"), net.card("carl", sequence=2)
    meet(net, ada, new)
    first = restored(net, old)
    net.link(first, ada)
    again = restored(net, old, [stored(first, first)])
    assert again.core.card.raw == new.raw
    assert [event.source for event in again.told("own-card-learned")] == [again.core.node_id]
    assert not again.told("own-card-rejected")


def test_a_card_that_its_operator_installs_afterwards_goes_before_it(net, ada):
    old, new, newest = (net.card("carl", sequence=number) for number in (1, 2, 3))
    meet(net, ada, new)
    carl = restored(net, old)
    net.link(carl, ada)
    net.give(carl, io.OwnCardChanged(newest))
    assert carl.core.card.raw == newest.raw
    net.wait(20)
    assert carl.core.card.raw == newest.raw
    assert len(carl.told("own-card-learned")) == 1


# What it opens to nobody


def forged(net, ada, card, **options):
    """Whoever has this card, and a node key of its own."""
    key, identity = net.keys("mallory")
    return net.puppet(ada, "mallory", keys=(key, identity), card=card, **options)


@PATTERNS
def test_whoever_found_an_old_card_has_not_its_key(net, ada, pattern):
    old, new = net.card("carl"), net.card("carl", sequence=2)
    meet(net, ada, new)
    thief = forged(net, ada, old, pattern=pattern).handshake()
    assert thief.ended
    assert "node-mismatch" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


@PATTERNS
def test_a_card_that_was_never_signed_is_no_old_one(net, ada, pattern):
    """The bearer proves carl's key, but what it shows was never carl's."""
    meet(net, ada, net.card("carl", sequence=2))
    good = net.card("carl")
    from cards import Card  # noqa: PLC0415 - one use

    bad = Card.parse(good.raw.replace(good.key_signature, bytes(64)))
    puppet = net.puppet(ada, "carl", card=bad, pattern=pattern).handshake()
    assert puppet.ended


def test_another_card_of_the_same_number_is_an_equivocation_still(net, ada):
    meet(net, ada, net.card("carl", sequence=2))
    puppet = net.puppet(ada, "carl", card=net.card("carl", sequence=2, lifetime=86_400)).handshake()
    assert puppet.ended
    assert "equivocation" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


def test_an_old_card_of_an_identity_that_is_revoked_brings_nothing_back(net, ada):
    meet(net, ada, net.card("carl", sequence=2))
    net.give(ada, io.FactOffered(net.make_list(2, revoked=[net.keys("carl")[1].public]), "file"))
    puppet = net.puppet(ada, "carl", card=net.card("carl")).handshake()
    assert puppet.ended
    assert puppet.payloads
    assert "revoked" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


def test_the_replay_of_an_old_first_message_touches_nothing(net, ada):
    puppet = net.puppet(ada, "carl", card=net.card("carl"))
    meet(net, ada, net.card("carl", sequence=2))
    before = ada.state
    puppet.handshake()
    assert puppet.link.stage is Stage.GREETING
    assert ada.state == before
    assert puppet.inbox[0][0] == Kind.HELLO


@pytest.fixture
def carl(net):
    return net.member("carl", target_links=0)


@pytest.fixture
def liar(net, carl):
    return net.puppet(carl, "liar").come_up()


def test_a_newer_card_of_our_identity_on_another_node_is_not_ours(net, carl, liar):
    """The owner moved the identity to another machine: this one must not take up a card that it has no key for."""
    keys = net.keys("carl on another node")[0], net.keys("carl")[1]
    give(net, carl, liar, net.card("carl", keys=keys, sequence=2))
    assert carl.core.card.sequence == 1
    assert not carl.told("own-card-learned")


def test_a_card_of_our_node_by_another_identity_is_not_ours(net, carl, liar):
    keys = net.keys("carl")[0], net.keys("mallory")[1]
    give(net, carl, liar, net.card("mallory", keys=keys, sequence=9))
    assert carl.core.card.sequence == 1
    assert not carl.told("own-card-learned")


def test_an_older_card_takes_no_newer_ones_place_that_does_not_count_here(net):
    """Its owner installed it before the issuer was known here: no mark keeps the older one out."""
    carl = net.member("carl", card=net.card("carl", sequence=2, issuer=net.stranger), target_links=0)
    liar = net.puppet(carl, "liar").come_up()
    give(net, carl, liar, net.card("carl"))
    assert carl.core.card.sequence == 2
    assert not carl.told("own-card-learned")


@PATTERNS
def test_a_member_with_anothers_old_card_is_not_taken_for_itself(net, ada, pattern):
    mallory = net.keys("mallory")
    net.puppet(ada, "mallory", card=net.card("mallory", sequence=5)).come_up().say(b"")
    thief = net.puppet(ada, "mallory", keys=mallory, card=net.card("carl"), pattern=pattern).handshake()
    assert thief.ended
    assert "node-mismatch" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


@PATTERNS
def test_a_card_for_the_node_before_is_not_taken_for_the_one_of_the_next(net, ada, pattern):
    old = net.card("carl")
    keys = net.keys("carl on another node")[0], net.keys("carl")[1]
    net.puppet(ada, "carl", keys=keys, card=net.card("carl", keys=keys, sequence=2)).come_up().say(b"")
    puppet = net.puppet(ada, "carl", keys=keys, card=old, pattern=pattern).handshake()
    assert puppet.ended
    assert "node-mismatch" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


@PATTERNS
def test_another_identity_on_the_same_node_is_not_taken_for_the_one_before(net, ada, pattern):
    meet(net, ada, net.card("carl", sequence=2))
    keys = net.keys("carl")[0], net.keys("mallory")[1]
    puppet = net.puppet(ada, "mallory", keys=keys, card=net.card("mallory", keys=keys), pattern=pattern).handshake()
    assert puppet.ended
    assert "node-conflict" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


def test_a_newer_card_of_ours_that_no_issuer_granted_is_not_taken_over(net, ada):
    """A thief of the identity key, or of both, is held by the issuers as ever."""
    carl = net.member("carl", target_links=0)
    net.link(carl, ada)
    liar = net.puppet(carl, "liar").come_up()
    newer = net.card("carl", sequence=2, issuer=net.stranger)
    give(net, carl, liar, newer)
    assert carl.core.card.sequence == 1
    assert not carl.told("own-card-learned")


def test_an_older_card_of_ours_is_not_taken_over(net, ada):
    carl = net.member("carl", card=net.card("carl", sequence=2), target_links=0)
    liar = net.puppet(carl, "liar").come_up()
    give(net, carl, liar, net.card("carl"))
    assert carl.core.card.sequence == 2
    assert not carl.told("own-card-learned")


def test_what_a_liar_adds_to_our_newer_card_is_left_out(net, ada):
    carl = net.member("carl", target_links=0)
    liar = net.puppet(carl, "liar").come_up()
    newer = net.card("carl", sequence=2)
    junk = net.grant(newer, issuer=net.stranger).grants[-1]
    give(net, carl, liar, newer.with_grants((*newer.grants, junk)))
    assert carl.core.card.raw == newer.raw


def give(net, member, puppet, card):
    """The puppet announces the body of this card and gives it when asked."""
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.items import body_id  # noqa: PLC0415
    from p2pnoise.gossip.messages import Announce, CardItem, Items  # noqa: PLC0415

    puppet.frame(Kind.GOSSIP, encode(Announce({body_id(card.card_id)})))
    puppet.frame(Kind.GOSSIP, encode(Items((CardItem(card.raw),), last=True)))
    assert puppet.link is not None
    assert puppet.told is not Code.NOT_TRUSTED
