"""Pins while a node runs: names that belong to identities, by hand or on first use."""

import dataclasses

import pytest

from cards import Mark, Pin
from p2pnoise.gossip.effects import StorePeer, StorePin
from p2pnoise.node import effects as io


@pytest.fixture
def first_use(net):
    """A policy that trusts whoever comes first with a name, and needs no issuer for it."""
    return dataclasses.replace(net.policy, tofu="first-use")


def stranger(net, name):
    """A member whose card no accepted issuer granted."""
    keys = net.keys(name)
    card = net.card(name.partition(" ")[0], keys=keys, issuer=net.stranger)
    return net.member(name, keys=keys, card=card, policy=net.policy, target_links=0)


def met(net, ada, other):
    net.link(ada, other)
    return any(event.node_id == other.core.node_id for event in ada.told("peer-verified"))


def test_a_name_pinned_to_another_cuts_its_bearer_at_once(net):
    low, high = net.pair()
    net.give(low, io.PinsChanged({high.name: net.keys("somebody else")[1].public}))
    assert not low.up(high)
    assert low.core.table.by_node(high.core.node_id) is None
    assert "pin-changed" in {finding.code for finding in low.told("peer-lost")[0].findings}


def test_the_pins_that_come_next_replace_those_before(net):
    low, high = net.pair()
    net.give(low, io.PinsChanged({high.name: net.keys("somebody else")[1].public}))
    net.give(low, io.PinsChanged({}))
    net.link(high, low)
    assert low.up(high)


def test_a_pin_admits_its_identity_without_an_issuer(net):
    ada = net.member("ada", target_links=0)
    carl = stranger(net, "carl")
    assert not met(net, ada, carl)
    net.give(ada, io.PinsChanged({"carl": carl.identity.public}))
    assert met(net, ada, carl)


def test_who_is_met_first_is_pinned_and_it_is_stored_with_the_row(net, first_use):
    ada = net.member("ada", policy=first_use, target_links=0)
    carl = stranger(net, "carl")
    assert met(net, ada, carl)
    assert ada.core.table.pins["carl"] == carl.identity.public
    (pinned,) = [event for event in ada.told("peer-pinned") if event.name == "carl"]
    assert (pinned.node_id, pinned.identity) == (carl.core.node_id, carl.identity.public)
    (batch,) = [batch for batch in ada.batches if StorePin(Pin("carl", carl.identity.public)) in batch]
    assert any(isinstance(one, StorePeer) and one.peer.node_id == carl.core.node_id for one in batch)


def test_the_next_one_of_that_name_is_refused(net, first_use):
    ada = net.member("ada", policy=first_use, target_links=0)
    assert met(net, ada, stranger(net, "carl"))
    second = stranger(net, "carl again")
    assert not met(net, ada, second)
    assert "pin-changed" in {finding.code for finding in ada.told("peer-refused")[-1].findings}


def test_who_is_first_is_remembered_over_a_restart(net, first_use):
    carl = stranger(net, "carl")
    again = net.member("ada", policy=first_use, listening=False, target_links=0)
    net.give(again, io.TrustRestored((), {}, {"carl": carl.identity.public}))
    net.give(again, io.PinsChanged({}))
    net.listen(again)
    assert met(net, again, carl)
    assert not met(net, again, stranger(net, "carl again"))
    assert not [event for event in again.told("peer-pinned") if event.name == "carl"]


def test_a_pin_by_hand_goes_before_that_of_a_first_use(net, first_use):
    ada = net.member("ada", policy=first_use, target_links=0)
    first, second = stranger(net, "carl"), stranger(net, "carl again")
    assert met(net, ada, first)
    net.give(ada, io.PinsChanged({"carl": second.identity.public}))
    assert not ada.up(first)
    assert met(net, ada, second)


def test_a_name_that_is_untied_goes_to_the_next_who_comes(net, first_use):
    ada = net.member("ada", policy=first_use, target_links=0)
    first, second = stranger(net, "carl"), stranger(net, "carl again")
    assert met(net, ada, first)
    assert not met(net, ada, second)
    net.give(ada, io.PinsChanged({}, {"carl": first.identity.public}))
    assert "carl" not in ada.core.table.pins
    assert any(StorePin(Pin("carl", None)) in batch for batch in ada.batches)
    assert met(net, ada, second)
    assert ada.core.table.pins["carl"] == second.identity.public


def test_a_name_is_untied_from_that_identity_alone(net, first_use):
    ada = net.member("ada", policy=first_use, target_links=0)
    first, second = stranger(net, "carl"), stranger(net, "carl again")
    assert met(net, ada, first)
    net.give(ada, io.PinsChanged({}, {"carl": second.identity.public}))
    assert ada.core.table.pins["carl"] == first.identity.public


def test_who_was_untied_from_a_name_is_not_pinned_to_it_by_coming_first_again(net, first_use):
    carl = stranger(net, "carl")
    ada = net.member("ada", policy=first_use, target_links=0)
    net.give(ada, io.PinsChanged({}, {"carl": carl.identity.public}))
    assert met(net, ada, carl)
    assert "carl" not in ada.core.table.pins


def test_hearsay_is_no_first_use(net, first_use):
    """Anybody could have names pinned before their owners come."""
    ada, bob = (net.member(name, policy=first_use, target_links=0) for name in ("ada", "bob"))
    carl = stranger(net, "carl")
    assert met(net, bob, carl)
    net.link(ada, bob)
    net.wait(20)
    assert "carl" not in ada.core.table.pins
    assert ada.core.table.by_node(carl.core.node_id) is None


def test_a_pin_passes_to_the_heir_of_its_identity(net):
    ada = net.member("ada", target_links=0)
    carl, heir = stranger(net, "carl"), stranger(net, "carl again")
    net.give(ada, io.PinsChanged({"carl": carl.identity.public}))
    assert not met(net, ada, heir)
    net.give(ada, io.FactOffered(net.succession(carl.identity, heir.identity), "file"))
    assert met(net, ada, heir)
    assert not met(net, ada, carl)


# The heir at the address of the one before it (protocol rule P12).


@pytest.fixture
def ada(any_net):
    return any_net.member("ada", target_links=0)


@pytest.fixture
def carl(any_net, ada):
    """Whom ada has met, and who is gone."""
    carl = any_net.member("carl", target_links=0)
    any_net.link(ada, carl)
    assert ada.up(carl)
    carl.online = False
    any_net.cut(ada, carl)
    return carl


def dial_as(net, ada, carl, other):
    net.dial(ada, other.address, carl.core.node_id)
    net.pump()


def test_the_heir_of_an_identity_may_answer_for_it(any_net, ada, carl):
    heir = any_net.member("heir", target_links=0)
    any_net.give(ada, io.FactOffered(any_net.succession(carl.identity, heir.identity), "file"))
    dial_as(any_net, ada, carl, heir)
    assert ada.up(heir)
    (changed,) = ada.told("peer-key-changed")
    assert (changed.previous, changed.node_id) == (carl.core.node_id, heir.core.node_id)


def test_nobody_else_may_answer_for_it(any_net, ada, carl):
    heir, other = (any_net.member(name, target_links=0) for name in ("heir", "other"))
    any_net.give(ada, io.FactOffered(any_net.succession(carl.identity, heir.identity), "file"))
    dial_as(any_net, ada, carl, other)
    assert not ada.links


def test_without_the_succession_the_heir_may_not_either(any_net, ada, carl):
    heir = any_net.member("heir", target_links=0)
    dial_as(any_net, ada, carl, heir)
    assert not ada.links


def test_one_of_two_heirs_may_not_answer_since_one_must_be_a_thief_s(any_net, ada, carl):
    heir, other = (any_net.member(name, target_links=0) for name in ("heir", "other"))
    for one in (heir, other):
        any_net.give(ada, io.FactOffered(any_net.succession(carl.identity, one.identity), "file"))
    dial_as(any_net, ada, carl, heir)
    assert not ada.links


def test_an_heir_is_known_by_a_row_that_was_stored_before_it(net):
    ada = net.member("ada", target_links=0, listening=False)
    carl, heir = (net.member(name, target_links=0) for name in ("carl", "heir"))
    carl.online = False
    succession = net.succession(carl.identity, heir.identity)
    net.give(ada, io.TrustRestored((net.first_list, succession), {bytes(carl.identity.public): Mark(1, b"c" * 32)}))
    row = io.StoredPeer(carl.core.card, None, "live", 1, b"x" * 32)
    net.give(ada, io.TrustRestored((), {bytes(carl.identity.public): Mark(1, carl.core.card.card_id)}))
    net.give(ada, io.PeersRestored((row,)))
    net.listen(ada)
    dial_as(net, ada, carl, heir)
    assert ada.up(heir)
