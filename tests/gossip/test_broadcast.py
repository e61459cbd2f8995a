"""Broadcast: news finds a tree and keeps to it, the tree heals, and whoever pushes too much is not read."""

import itertools

import pytest

from cards import AddressRecord, Card
from p2pnoise.gossip import broadcast, effects, exchange
from p2pnoise.gossip.items import body_id, record_id
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GivenList,
    GrantItem,
    Items,
    Prune,
    Push,
    RecordItem,
    Want,
)
from p2pnoise.gossip.round_trips import GUESS
from p2pnoise.instant import SECOND

NAMES = ["ada", "bob", "carl", "dora", "emil", "fred"]
FIRST = (broadcast.FIRST_WAIT + broadcast.SPREAD) * GUESS / SECOND  # seconds until what was told of is asked for


@pytest.fixture
def whole_mesh(mesh):
    """Six overlays, all linked with all, that have been silent for long."""
    for name in NAMES:
        mesh.add(name)
    for one, other in itertools.combinations(mesh.speakers.values(), 2):
        mesh.join(one, other)
    settle(mesh)
    return mesh


@pytest.fixture
def ada(mesh):
    return mesh.add("ada")


@pytest.fixture
def eve(mesh, ada):
    return mesh.puppet("eve", ada)


@pytest.fixture
def bob(mesh, ada):
    return mesh.puppet("bob", ada)


def settle(mesh):
    mesh.wait(30)
    assert mesh.converged
    for speaker in [*mesh.speakers.values(), *mesh.puppets.values()]:
        speaker.heard.clear()


def publish(mesh, speaker, sequence):
    """A new address record of its own: one item."""
    record = mesh.place.record(speaker.name, sequence=sequence)
    mesh.carry_out(speaker, speaker.overlay.offer_record(record, mesh.instant))
    mesh.pump()
    return record


def heard(mesh, kind):
    return sum(len(speaker.heard_of(kind)) for speaker in mesh.speakers.values())


def is_eager(speaker, other):
    return not speaker.overlay._broadcast._lazy[speaker.links[other.name]]


def eager_links(mesh):
    return {
        frozenset((one.name, other.name))
        for one, other in itertools.permutations(mesh.speakers.values(), 2)
        if other.name in one.links and is_eager(one, other)
    }


def prune(mesh, eve, ada):
    mesh.say(eve, ada, Prune())


def card_of(mesh, name):
    card = mesh.place.card(name)
    return CardItem(card.raw), body_id(card.card_id)


# The tree


def test_news_is_pushed_at_once_and_whole(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    settle(mesh)
    record = publish(mesh, ada, 2)
    assert bob.heard == [Push((RecordItem(record.raw),))]
    assert ada.heard == []
    mesh.wait(1)
    assert heard(mesh, Announce) == 0


def test_the_second_broadcast_goes_along_a_tree(whole_mesh):
    mesh, (ada, *_) = whole_mesh, whole_mesh.speakers.values()
    publish(mesh, ada, 2)
    assert mesh.converged
    assert heard(mesh, Push) > len(NAMES) - 1
    assert len(eager_links(mesh)) == len(NAMES) - 1
    settle(mesh)
    publish(mesh, ada, 3)
    assert mesh.converged
    assert (heard(mesh, Push), heard(mesh, Prune), heard(mesh, Want)) == (len(NAMES) - 1, 0, 0)


def test_whoever_has_news_it_goes_along_the_same_tree(whole_mesh):
    mesh = whole_mesh
    publish(mesh, mesh.speakers["ada"], 2)
    tree = eager_links(mesh)
    for sequence, speaker in enumerate(mesh.speakers.values(), 3):
        settle(mesh)
        publish(mesh, speaker, sequence)
        assert mesh.converged
        assert heard(mesh, Push) == len(NAMES) - 1
    assert eager_links(mesh) == tree


def test_over_lazy_links_news_is_told_by_id_to_each_end_that_may_lack_it(whole_mesh):
    mesh = whole_mesh
    publish(mesh, mesh.speakers["ada"], 2)
    settle(mesh)
    record = publish(mesh, mesh.speakers["ada"], 3)
    assert heard(mesh, Announce) == 0
    mesh.wait(broadcast.ANNOUNCE_PAUSE / SECOND)
    told = [message for speaker in mesh.speakers.values() for message in speaker.heard_of(Announce)]
    assert {frozenset(message.ids) for message in told} == {frozenset({record_id(record)})}
    lazy = len(NAMES) * (len(NAMES) - 1) // 2 - (len(NAMES) - 1)
    assert lazy <= len(told) <= 2 * lazy


def test_the_tree_heals_when_a_node_of_it_goes(whole_mesh):
    """The first news after that may be late by what a push is waited for, the second is not."""
    mesh = whole_mesh
    publish(mesh, mesh.speakers["ada"], 2)
    settle(mesh)
    gone = mesh.speakers.pop("ada")  # whom all have their news from
    for name in NAMES[1:]:
        gone.links.pop(name)
        speaker = mesh.speakers[name]
        mesh.carry_out(speaker, speaker.overlay.peer_down(speaker.links.pop("ada"), mesh.instant))
    assert len(eager_links(mesh)) < len(mesh.speakers) - 1
    for sequence in (3, 4):
        publish(mesh, mesh.speakers["bob"], sequence)
        mesh.wait(2)
        assert mesh.converged
    publish(mesh, mesh.speakers["bob"], 5)
    assert mesh.converged


def test_a_link_that_breaks_while_the_other_end_is_pushed_to_costs_nobody_the_news(mesh):
    ada, bob, carl = (mesh.add(name) for name in ("ada", "bob", "carl"))
    for one, other in itertools.combinations((ada, bob, carl), 2):
        mesh.join(one, other)
    settle(mesh)
    publish(mesh, ada, 2)
    settle(mesh)
    mesh.part(ada, carl)
    publish(mesh, ada, 3)
    mesh.wait(2)
    assert mesh.converged
    assert is_eager(bob, carl)
    assert is_eager(carl, bob)


def test_a_new_link_begins_eager(mesh, ada, eve):
    assert is_eager(ada, eve)


# Prunes and grafts


def test_what_is_held_already_is_answered_by_a_prune(mesh, ada, eve):
    eve.heard.clear()
    mesh.say(eve, ada, Push((CardItem(mesh.place.card("ada").raw),)))
    assert eve.heard == [Prune()]
    assert not is_eager(ada, eve)
    assert not ada.blamed


def test_a_push_that_brings_something_new_is_not_pruned(mesh, ada, eve):
    item, _ = card_of(mesh, "carl")
    mesh.say(eve, ada, Push((CardItem(mesh.place.card("ada").raw), item)))
    assert not eve.heard_of(Prune)
    assert is_eager(ada, eve)


def test_an_empty_push_is_needless(mesh, ada, eve):
    mesh.say(eve, ada, Push(()))
    assert not is_eager(ada, eve)


def test_a_pruned_peer_is_told_by_id_and_gets_what_it_then_asks_for(mesh, ada, eve):
    prune(mesh, eve, ada)
    eve.heard.clear()
    record = publish(mesh, ada, 2)
    mesh.wait(1)
    assert eve.heard == [Announce({record_id(record)})]
    mesh.say(eve, ada, Want(frozenset({record_id(record)}), graft=True))
    assert eve.heard[-1] == Items((RecordItem(record.raw),), last=True)
    assert is_eager(ada, eve)


def test_a_question_without_a_graft_leaves_the_link_lazy(mesh, ada, eve):
    prune(mesh, eve, ada)
    mesh.say(eve, ada, Want(frozenset()))
    assert not is_eager(ada, eve)


def test_ends_that_do_not_agree_come_to_agree(mesh):
    """A prune and a graft have crossed: one end pushes, the other tells by id."""
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    settle(mesh)
    ada.overlay._broadcast.pruned(ada.links["bob"])
    publish(mesh, bob, 2)  # is pushed, and new: it is well so
    publish(mesh, ada, 2)
    mesh.wait(1)
    assert mesh.converged
    assert is_eager(ada, bob)
    assert is_eager(bob, ada)
    assert len(ada.heard_of(Want)) == 1


def test_prunes_and_grafts_without_end_draw_one_answer_each(mesh, ada, eve):
    mesh.wait(1)
    eve.heard.clear()
    for _ in range(100):
        mesh.say(eve, ada, Prune(), Want(frozenset(), graft=True), Push(()))
    kinds = [type(message).__name__ for message in eve.heard]
    assert (kinds.count("Prune"), kinds.count("Items"), len(kinds)) == (100, 100, 200)
    assert not ada.blamed


def test_of_much_news_under_way_a_circle_is_not_cut_at_every_link(mesh):
    """Each of twenty pieces of news shows that a circle is one; it is to be cut once."""
    speakers = [mesh.add(f"node-{number}") for number in range(20)]
    for one, other in itertools.pairwise([*speakers, speakers[0]]):
        mesh.join(one, other)
    settle(mesh)
    records = [mesh.place.record(speaker.name, sequence=2) for speaker in speakers]
    for speaker, record in zip(speakers, records, strict=True):
        mesh.carry_out(speaker, speaker.overlay.offer_record(record, mesh.instant))
    mesh.wait(5)
    assert mesh.converged
    assert len(eager_links(mesh)) >= len(speakers) - 3


# What is lost is asked for


def test_what_was_told_of_is_not_asked_for_while_somebody_may_push_it(mesh, ada, eve, bob):
    item, wanted = card_of(mesh, "carl")
    prune(mesh, eve, ada)
    mesh.say(eve, ada, Announce({wanted}))
    mesh.say(bob, ada, Push((item,)))
    mesh.wait(2 * FIRST)
    assert not eve.heard_of(Want)
    assert not is_eager(ada, eve)


def test_what_nobody_pushes_is_asked_for_and_the_link_is_grafted(mesh, ada, eve):
    _, wanted = card_of(mesh, "carl")
    prune(mesh, eve, ada)
    mesh.say(eve, ada, Announce({wanted}))
    mesh.wait(broadcast.FIRST_WAIT * GUESS / SECOND - 0.001)
    assert not eve.heard_of(Want)
    mesh.wait(FIRST)
    assert eve.heard_of(Want) == [Want(frozenset({wanted}), graft=True)]
    assert is_eager(ada, eve)


def test_what_is_told_over_an_eager_link_is_asked_for_at_once(mesh, ada, eve):
    _, wanted = card_of(mesh, "carl")
    mesh.say(eve, ada, Announce({wanted}))
    assert eve.heard_of(Want) == [Want(frozenset({wanted}), graft=True)]


def test_whoever_told_first_is_asked_first_and_the_next_after_a_round_trip(mesh, ada, eve, bob):
    _, wanted = card_of(mesh, "carl")
    for puppet in (eve, bob):
        prune(mesh, puppet, ada)
    mesh.say(bob, ada, Announce({wanted}))
    mesh.say(eve, ada, Announce({wanted}))
    while not bob.heard_of(Want):
        mesh.wait(0.01)
        assert mesh.now < FIRST * SECOND
    assert not eve.heard_of(Want)
    mesh.wait(broadcast.NEXT_WAIT * GUESS / SECOND)
    assert [len(puppet.heard_of(Want)) for puppet in (bob, eve)] == [1, 1]
    assert eve.heard_of(Want)[0].graft


def test_what_the_first_gives_after_all_is_taken(mesh, ada, eve, bob):
    item, wanted = card_of(mesh, "carl")
    for puppet in (eve, bob):
        prune(mesh, puppet, ada)
        mesh.say(puppet, ada, Announce({wanted}))
    mesh.wait(FIRST + 2 * broadcast.NEXT_WAIT * GUESS / SECOND)
    mesh.give(eve, ada, item)
    assert wanted in ada.table.items
    mesh.give(bob, ada, item)
    assert not ada.blamed
    assert ada.overlay.redundancy == (2, 1)


def test_when_the_first_is_late_and_then_has_nothing_no_third_is_asked_while_the_second_is(mesh, ada, eve, bob):
    dora = mesh.puppet("dora", ada)
    _, wanted = card_of(mesh, "carl")
    for puppet in (eve, bob, dora):
        prune(mesh, puppet, ada)
    for puppet in (eve, bob):
        mesh.say(puppet, ada, Announce({wanted}))
    mesh.wait(FIRST + 1.5 * broadcast.NEXT_WAIT * GUESS / SECOND)
    assert [len(puppet.heard_of(Want)) for puppet in (eve, bob)] == [1, 1]
    mesh.say(dora, ada, Announce({wanted}))
    mesh.say(eve, ada, Items((), last=True))
    assert not dora.heard_of(Want)


def test_what_was_told_of_by_a_peer_that_left_is_asked_of_another(mesh, ada, eve, bob):
    _, wanted = card_of(mesh, "carl")
    for puppet in (eve, bob):
        prune(mesh, puppet, ada)
        mesh.say(puppet, ada, Announce({wanted}))
    mesh.carry_out(ada, ada.overlay.peer_down(ada.links.pop("eve"), mesh.instant))
    mesh.wait(FIRST)
    assert len(bob.heard_of(Want)) == 1


def test_the_wait_follows_what_answers_take_and_one_peer_does_not_set_it(mesh, ada, eve, bob):
    dora = mesh.puppet("dora", ada)
    trips = ada.overlay._exchange.round_trips
    assert trips.typical == GUESS
    for number, (puppet, took) in enumerate([(eve, 9.0), (bob, 0.03), (dora, 0.04)]):
        item, wanted = card_of(mesh, f"node-{number}")
        mesh.say(puppet, ada, Announce({wanted}))
        mesh.wait(took)
        mesh.give(puppet, ada, item)
    assert trips.typical == pytest.approx(0.04 * SECOND, rel=0.01)


# Much news


def test_a_storm_is_told_by_id_alone(mesh, ada, eve):
    eve.heard.clear()
    for number in range(broadcast.OUR_BURST):
        card = mesh.place.card(f"node-{number}")
        mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=True))
    mesh.pump()
    mesh.wait(1)
    assert sum(len(push.items) for push in eve.heard_of(Push)) <= broadcast.OUR_BURST // 2
    told = set().union(*(message.ids for message in eve.heard_of(Announce)))
    pushed = {body_id(Card.parse(item.raw).card_id) for push in eve.heard_of(Push) for item in push.items}
    assert pushed | told >= {item for item in ada.table.items if item[0] >> 6 == 0} - {
        body_id(mesh.place.card("ada").card_id)
    }


def test_after_a_storm_news_is_pushed_again(mesh, ada, eve):
    for number in range(broadcast.OUR_BURST):
        card = mesh.place.card(f"node-{number}")
        mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=True))
    mesh.wait(1)
    eve.heard.clear()
    publish(mesh, ada, 2)
    mesh.wait(broadcast.OUR_BURST / broadcast.OUR_RATE)
    assert not eve.heard_of(Push)
    publish(mesh, ada, 3)
    assert len(eve.heard_of(Push)) == 1


def test_a_push_is_as_large_as_items_are(mesh, ada, eve, monkeypatch):
    monkeypatch.setattr(exchange, "MAX_ITEMS_BYTES", 1_000)
    monkeypatch.setattr(broadcast, "PUSH_PAUSE", SECOND // 10)
    publish(mesh, ada, 2)
    eve.heard.clear()
    if mesh.place.dense:
        pytest.skip("what is plain has bounds of its own")
    for number in range(9):
        card = mesh.place.card(f"node-{number}")
        mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=True))
    mesh.wait(1)
    assert len(eve.heard_of(Push)) > 1
    assert sum(len(push.items) for push in eve.heard_of(Push)) == 9


# Hostile pushes


def test_what_comes_by_a_push_is_not_asked_for_any_more(mesh, ada, eve, bob):
    item, wanted = card_of(mesh, "carl")
    mesh.say(eve, ada, Announce({wanted}))
    mesh.say(bob, ada, Push((item,)), Announce({wanted}))
    mesh.say(eve, ada, Items((), last=True))
    assert [len(puppet.heard_of(Want)) for puppet in (eve, bob)] == [1, 0]
    assert ada.did(effects.Learned)[0].source == bob.node_id


def test_a_push_of_what_the_same_peer_was_asked_for_is_its_answer(mesh, ada, eve):
    item, wanted = card_of(mesh, "carl")
    mesh.say(eve, ada, Announce({wanted}), Push((item,)))
    assert not ada.overlay._exchange.wants.waiting(ada.links["eve"])
    mesh.give(eve, ada, item)
    assert not ada.blamed
    assert len(ada.did(effects.Learned)) == 1


def test_a_push_does_not_end_what_is_asked_of_its_sender(mesh, ada, eve):
    (item, _), (other, wanted) = card_of(mesh, "carl"), card_of(mesh, "dora")
    mesh.say(eve, ada, Announce({wanted}), Push((item,)))
    mesh.give(eve, ada, other)
    assert wanted in ada.table.items


def test_who_pushed_what_we_are_about_to_tell_is_not_told(mesh, ada, eve, bob):
    item, _ = card_of(mesh, "carl")
    for puppet in (eve, bob):
        prune(mesh, puppet, ada)
    mesh.say(eve, ada, Push((item,)))
    mesh.say(bob, ada, Push((item,)))
    mesh.wait(1)
    assert not eve.heard_of(Announce)
    assert not bob.heard_of(Announce)


def test_more_than_a_peer_may_push_is_not_read_and_pruned(mesh, ada, eve, monkeypatch):
    junk = Push(tuple(CardItem(mesh.place.card("ada").raw) for _ in range(500)))
    for _ in range(broadcast.THEIR_BURST // 500):
        mesh.say(eve, ada, junk)
    eve.heard.clear()
    item, wanted = card_of(mesh, "carl")
    with monkeypatch.context() as patch:
        patch.setattr(ada.table, "read_card", lambda _raw: pytest.fail("it was read"))
        mesh.say(eve, ada, Push((item,)))
    assert eve.heard == [Prune()]
    mesh.wait(1)
    mesh.say(eve, ada, Push((item,)))
    assert wanted in ada.table.items
    assert not ada.blamed


def test_what_was_dropped_comes_by_reconciliation(mesh, ada):
    bob = mesh.add("bob")
    mesh.join(ada, bob)
    settle(mesh)
    bob.overlay._broadcast.admits = lambda *_: False
    card = mesh.place.card("carl")
    mesh.carry_out(ada, ada.overlay.offer_card(card, mesh.instant, live=True))
    mesh.pump()
    assert bob.table.by_node(card.node_id) is None
    mesh.wait(80)
    assert mesh.converged


def test_what_is_held_refused_or_older_costs_no_signature_check(mesh, ada, eve, monkeypatch):
    place = mesh.place
    alien = place.card("alien", issuer=place.stranger)
    mesh.say(eve, ada, Push((CardItem(alien.raw),)))
    publish(mesh, ada, 5)
    for kind in (Card, AddressRecord):
        monkeypatch.setattr(kind, "check" if kind is AddressRecord else "verify_signatures", _never, raising=False)
    ours = place.card("ada")
    grant = ours.grants[0]
    mesh.say(
        eve,
        ada,
        Push(
            (
                CardItem(ours.raw),
                GrantItem(ours.card_id, grant.kid, grant.attrs, grant.signature),
                RecordItem(place.record("ada", sequence=4).raw),
                CardItem(alien.raw),
            )
        ),
    )
    assert not ada.blamed
    assert len(ada.did(effects.Refused)) == 1


def _never(*_given, **_options):
    pytest.fail("a signature was checked")


@pytest.mark.parametrize("what", ["garbage", "a broken card", "a broken record"])
def test_a_broken_push_is_misbehaviour_and_changes_nothing(mesh, ada, eve, what):
    place = mesh.place
    carl = place.card("carl")
    record = place.record("ada", sequence=9)
    item = {
        "garbage": CardItem(b"garbage"),
        "a broken card": CardItem(carl.raw[:-1] + bytes([carl.raw[-1] ^ 1])),
        "a broken record": RecordItem(AddressRecord.from_parts(record.body, place.record("bob").signatures[0]).raw),
    }[what]
    before = sorted(ada.table.items)
    mesh.say(eve, ada, Push((item,)))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert sorted(ada.table.items) == before


def test_a_record_that_is_pushed_before_its_card_waits_for_it(mesh, ada, eve, bob):
    place = mesh.place
    mesh.say(eve, ada, Push((RecordItem(place.record("carl").raw),)))
    mesh.say(bob, ada, Push((CardItem(place.card("carl").raw),)))
    assert ada.table.by_node(place.card("carl").node_id).record == place.record("carl")


def test_a_pushed_grant_of_a_card_that_is_not_here_changes_nothing(mesh, ada, eve):
    carl = mesh.place.card("carl")
    grant = carl.grants[0]
    before = sorted(ada.table.items)
    mesh.say(eve, ada, Push((GrantItem(carl.card_id, grant.kid, grant.attrs, grant.signature),)))
    assert sorted(ada.table.items) == before
    assert not ada.blamed


def test_what_is_told_of_without_end_is_waited_for_in_bounds(mesh, ada, eve):
    prune(mesh, eve, ada)
    for start in range(20):
        ids = frozenset((start * 3_000 + number).to_bytes(16, "big") for number in range(3_000))
        mesh.say(eve, ada, Announce(ids))
    waiting = sum(len(ids) for _, _, _, ids in ada.overlay._broadcast._expected)
    assert waiting <= 30_000
    assert len(ada.overlay._exchange.wants._expected) <= 30_000


def test_nothing_of_a_link_is_left_behind(mesh, ada, eve):
    _, wanted = card_of(mesh, "carl")
    mesh.say(eve, ada, Push(()), Announce({wanted}))
    mesh.carry_out(ada, ada.overlay.peer_down(ada.links.pop("eve"), mesh.instant))
    mesh.wait(10)
    tree = ada.overlay._broadcast
    for left in (tree._lazy, tree._known, tree._expected, tree._asked):
        assert not left
    assert not ada.overlay._exchange.wants._expected
    assert ada.overlay.deadline() is None


def test_lists_go_ahead_of_items(mesh):
    """What a list takes out is not pushed, and the list is said first."""
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob", names=["carl"])
    mesh.join(ada, bob)
    settle(mesh)
    carl = mesh.place.card("carl")
    done = ada.overlay.offer_record(mesh.place.record("ada", sequence=2), mesh.instant)
    done += ada.overlay.offer_record(mesh.place.record("ada", sequence=3), mesh.instant)  # waits for the next push
    done += ada.overlay.offer_fact(mesh.place.make_list(2, revoked=[carl.identity]), mesh.instant)
    mesh.carry_out(ada, done)
    mesh.wait(1)
    kinds = [type(message) for message in bob.heard]
    assert kinds == [Push, GivenList, Push]
    assert bob.table.by_node(carl.node_id) is None
