"""Overlays that talk: tables converge, lists come first, revocations reach everybody, nobody is believed unasked."""

import itertools

import pytest

from p2pnoise.gossip import effects
from p2pnoise.gossip.messages import MAX_WANT, Heads, Items, Push, Ranges, Sample, Want


def line(mesh, called, **options):
    speakers = [mesh.add(name, **options) for name in called]
    for one, other in itertools.pairwise(speakers):
        mesh.join(one, other)
    return speakers


NAMES = ["ada", "bob", "carl", "dora", "emil"]


@pytest.mark.parametrize("count", [2, 5])
def test_overlays_in_a_line_converge(mesh, count):
    speakers = line(mesh, NAMES[:count])
    mesh.wait(40)
    assert mesh.converged
    for speaker in speakers:
        assert sorted(peer.card.name for peer in speaker.table) == NAMES[:count]
        assert all(peer.record is not None for peer in speaker.table)


def test_converged_overlays_say_no_more_than_heads_samples_and_one_range(mesh):
    speakers = line(mesh, NAMES)
    mesh.wait(10)
    for speaker in speakers:
        speaker.heard.clear()
    mesh.wait(75)
    heard = [message for speaker in speakers for message in speaker.heard]
    assert {type(message) for message in heard} == {Heads, Ranges, Sample}
    said = [message for message in heard if isinstance(message, Ranges)]
    assert len(speakers) <= len(said) <= 2 * len(speakers)
    assert all(len(ranges) == 1 for message in said for _, ranges in message.groups)


def test_a_latecomer_learns_all_and_all_learn_it(mesh):
    line(mesh, NAMES[:4])
    mesh.wait(40)
    mesh.join(mesh.add("emil"), mesh.speakers["ada"])
    mesh.wait(40)
    assert mesh.converged
    assert len(mesh.speakers["dora"].table) == 5


def test_news_travel_at_once_without_waiting_for_a_round(mesh):
    ada, bob = line(mesh, ["ada", "bob"])
    card = mesh.place.card("carl")
    mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=True))
    mesh.pump()
    assert bob.table.by_node(card.node_id).provenance == "proven"
    assert bob.did(effects.Learned)[-1].source == ada.node_id


def test_a_renewed_grant_travels_alone(mesh):
    ada, bob = line(mesh, ["ada", "bob"])
    renewed = mesh.place.card("ada", serial=2)
    bob.heard.clear()
    mesh.carry_out(ada, ada.overlay.offer_card(renewed, mesh.instant, live=True, own=True))
    mesh.pump()
    (peer,) = [peer for peer in bob.table if peer.card.name == "ada"]
    assert [grant.serial for grant in peer.card.grants] == [2]
    items = [item for message in bob.heard_of(Push) for item in message.items]
    assert [type(item).__name__ for item in items] == ["GrantItem"]


def test_both_sides_of_a_split_meet_again(mesh):
    ada, bob, carl, dora = line(mesh, NAMES[:4])
    mesh.wait(30)
    mesh.part(bob, carl)
    for speaker, name in ((ada, "news-1"), (dora, "news-2")):
        mesh.carry_out(speaker, speaker.overlay.offer_card(mesh.place.card(name), mesh.instant, live=True))
        mesh.pump()
    assert not mesh.converged
    mesh.join(bob, carl)
    mesh.wait(30)
    assert mesh.converged
    assert len(ada.table) == 6


# Lists first.


def test_who_lacks_the_list_gets_it_before_it_judges(mesh):
    ada = mesh.add("ada")
    bob = mesh.add("bob", lists=())
    mesh.join(ada, bob)
    assert bob.table.revocations.heads == ada.table.revocations.heads
    order = [type(effect).__name__ for effect in bob.done]
    assert order.index("StoreRevocations") < order.index("ListsCompared")


def test_a_peer_is_not_compared_before_it_gave_the_list_that_it_named(mesh):
    ada = mesh.add("ada")
    (head,) = ada.table.revocations.heads
    puppet = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(puppet, ada)
    mesh.say(puppet, ada, Heads((head._replace(sequence=9),)))
    assert not ada.did(effects.ListsCompared)
    mesh.wait(60)
    assert not ada.did(effects.ListsCompared)
    mesh.say(puppet, ada, mesh.place.given(mesh.place.make_list(8)))
    assert not ada.did(effects.ListsCompared)
    mesh.say(puppet, ada, mesh.place.given(mesh.place.make_list(9)))
    assert len(ada.did(effects.ListsCompared)) == 1


def test_a_head_of_an_issuer_that_we_do_not_accept_holds_nothing_up(mesh):
    ada = mesh.add("ada")
    (head,) = ada.table.revocations.heads
    puppet = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(puppet, ada)
    mesh.say(puppet, ada, Heads((head, head._replace(issuer=bytes(mesh.place.stranger.public), sequence=99))))
    assert ada.did(effects.ListsCompared)


def test_no_item_is_given_to_or_taken_from_a_peer_that_is_not_judged(mesh):
    ada = mesh.add("ada")
    puppet = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(puppet, ada)
    mesh.say(puppet, ada, Want({*ada.table.items}))
    assert not puppet.heard_of(Items)


def test_heads_name_only_issuers_of_the_policy(mesh):
    """The lists of issuers that are gone may be many, and more than 16 heads are no message."""
    place = mesh.place
    ada = mesh.add("ada", policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))
    ada.table.policy = place.policy
    mesh.carry_out(ada, ada.overlay.trust_changed(mesh.instant))
    puppet = mesh.puppet("eve", ada)
    assert [head.issuer for head in puppet.heard_of(Heads)[0].heads] == [place.issuer.public]


# Revocation.


def test_a_revocation_takes_the_card_and_its_items_out_everywhere(mesh):
    speakers = line(mesh, NAMES)
    mesh.wait(40)
    victim = mesh.place.card("carl")
    new = mesh.place.make_list(2, revoked=[victim.identity])
    items = set(speakers[0].table.by_node(victim.node_id).item_ids)
    assert len(items) == 3
    mesh.carry_out(speakers[0], speakers[0].overlay.offer_fact(new, mesh.instant))
    mesh.pump()
    for speaker in speakers:
        assert speaker.table.by_node(victim.node_id) is None
        assert not items & set(speaker.table.items)
        (applied,) = speaker.did(effects.FactApplied)
        assert [peer.node_id for peer in applied.gone] == [victim.node_id]
    mesh.wait(60)
    assert all(speaker.table.by_node(victim.node_id) is None for speaker in speakers)


def test_twin_lists_hold_in_union_and_a_later_list_heals_them(mesh):
    ada, bob = mesh.add("ada", names=["carl", "dora"]), mesh.add("bob")
    carl, dora = mesh.place.card("carl"), mesh.place.card("dora")
    twins = [mesh.place.make_list(2, revoked=[card.identity]) for card in (carl, dora)]
    for speaker, one in zip((ada, bob), twins, strict=True):
        mesh.carry_out(speaker, speaker.overlay.offer_fact(one, mesh.instant))
    mesh.join(ada, bob)
    mesh.wait(20)
    assert mesh.converged
    for speaker in (ada, bob):
        (state,) = speaker.table.revocations.by_issuer.values()
        assert {carl.identity, dora.identity} <= set(state.entries)
        assert state.disputed
        assert len(speaker.table) == 2
    healing = mesh.place.make_list(3, revoked=[carl.identity, dora.identity], heals=[one.digest for one in twins])
    mesh.carry_out(ada, ada.overlay.offer_fact(healing, mesh.instant))
    mesh.pump()
    (state,) = bob.table.revocations.by_issuer.values()
    assert not state.disputed
    assert state.sequence == 3


def test_a_later_list_does_not_quietly_un_revoke(mesh):
    ada, bob = line(mesh, ["ada", "bob"], names=["carl"])
    carl = mesh.place.card("carl")
    for one in (mesh.place.make_list(2, revoked=[carl.identity]), mesh.place.make_list(3)):
        mesh.carry_out(ada, ada.overlay.offer_fact(one, mesh.instant))
    mesh.pump()
    late = mesh.add("late", lists=())
    mesh.join(late, bob)
    for speaker in (ada, bob, late):
        assert not speaker.table.judge(carl, mesh.instant.unix).ok


def test_another_policy_lets_in_what_was_refused_before(mesh):
    """A card by an issuer that is accepted only now was looked at once, and is asked for again."""
    place = mesh.place
    lists = (place.first_list, place.make_list(1, issuer=place.second))
    ada = mesh.add("ada", lists=lists)
    bob = mesh.add("bob", policy=place.both, lists=lists)
    mesh.join(ada, bob)
    lab = place.card("lab-1", issuer=place.second)
    mesh.carry_out(bob, bob.overlay.offer_card(lab, mesh.instant, live=True))
    mesh.wait(30)
    assert ada.did(effects.Refused)
    assert ada.table.by_node(lab.node_id) is None
    ada.table.policy = place.both
    mesh.carry_out(ada, ada.overlay.trust_changed(mesh.instant))
    mesh.wait(30)
    assert ada.table.by_node(lab.node_id) is not None


# Large tables.


def test_a_hundred_cards_come_in_batches_that_each_were_asked_for(mesh):
    ada = mesh.add("ada", names=[f"node-{number}" for number in range(60)])
    bob = mesh.add("bob")
    mesh.join(ada, bob)
    mesh.wait(30)
    assert mesh.converged
    assert max(len(want.ids) for want in ada.heard_of(Want)) <= MAX_WANT
