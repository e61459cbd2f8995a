"""Views: who is a neighbour, who a visitor, and whom a node hears of from others."""

import pytest

from p2pnoise.gossip import effects, views
from p2pnoise.gossip.candidates import PASSIVE
from p2pnoise.gossip.items import body_id, record_id
from p2pnoise.gossip.messages import MAX_SAMPLE, Announce, Ranges, Sample, Want
from p2pnoise.gossip.views import LONGEST_SEARCH, MOST, PATIENT, SEARCH, SHUFFLE, VISIT
from p2pnoise.instant import SECOND

NAMES = [f"node-{number}" for number in range(30)]


@pytest.fixture
def hub(mesh):
    """A node with as many neighbours as it takes in, all of which have dialled it."""
    hub = mesh.add("hub")
    for name in NAMES[:MOST]:
        mesh.join(mesh.add(name), hub)
    return hub


def ids_of(mesh, name):
    return {body_id(mesh.place.card(name).card_id), record_id(mesh.place.record(name))}


def neighbours(speaker):
    names = {link: name for name, link in speaker.links.items()}
    return {names[link] for link in speaker.overlay.views.active}


def named(mesh, sample):
    """Whose cards and records a sample names."""
    everybody = {**mesh.speakers, **mesh.puppets}
    return {name for name in everybody if ids_of(mesh, name) <= set(sample.ids)}


# Who is a neighbour


def test_both_ends_of_a_link_are_neighbours_and_one_side_begins_to_compare(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    assert (neighbours(ada), neighbours(bob)) == ({"bob"}, {"ada"})
    assert len(bob.heard_of(Ranges)) == 1
    assert not [message for message in ada.heard_of(Ranges) if not message.told]
    assert mesh.converged


def test_a_node_says_which_neighbours_are_its_own_choice(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    assert list(ada.overlay.views.active.values()) == [True]
    assert list(bob.overlay.views.active.values()) == [False]


def test_one_too_many_is_a_visitor_that_learns_of_others_and_is_given_no_table(mesh, hub):
    late = mesh.add("late")
    mesh.join(late, hub)
    assert "late" not in neighbours(hub)
    assert neighbours(late) == set()
    (sample,) = late.heard_of(Sample)
    assert sample.full
    assert named(mesh, sample)
    assert not late.heard_of(Ranges)
    assert 1 < len(late.table) <= 1 + MAX_SAMPLE


def test_a_visitor_goes_once_it_has_a_neighbour_and_its_answers(mesh, hub):
    late = mesh.add("late")
    mesh.join(late, hub)
    assert not late.did(effects.LeaveLink)
    mesh.join(late, mesh.add("other"))
    assert late.did(effects.LeaveLink) == [effects.LeaveLink(late.links["hub"])]


def test_a_visitor_that_stays_is_taken_in(mesh, hub):
    late = mesh.add("late")
    mesh.join(late, hub)
    mesh.carry_out(hub, hub.overlay.peer_stays(hub.links["late"], mesh.instant))
    mesh.pump()
    assert "late" in neighbours(hub)
    assert neighbours(late) == {"hub"}
    assert set(late.table.items) == set(hub.table.items)


def test_who_is_no_visitor_is_not_taken_in_twice(mesh, hub):
    before = neighbours(hub)
    for name in (*NAMES[:3], "nobody"):
        assert hub.overlay.peer_stays(hub.links.get(name, 999), mesh.instant) == []
    assert neighbours(hub) == before


def test_whoever_dials_has_no_more_neighbours_than_whoever_is_dialled(mesh):
    ada = mesh.add("ada")
    others = [mesh.add(name) for name in NAMES[: MOST + 2]]
    for other in others:
        mesh.join(ada, other)
    assert len(ada.overlay.views.active) == MOST
    assert not any(neighbours(other) for other in others[MOST:])
    assert [effect.link for effect in ada.did(effects.LeaveLink)] == [ada.links[other.name] for other in others[MOST:]]


def test_a_peer_that_says_it_is_full_is_no_neighbour_and_hears_no_news(mesh):
    ada = mesh.add("ada")
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Sample(frozenset(), asks=False, full=True))
    bob.heard.clear()
    mesh.carry_out(ada, ada.overlay.offer_card(mesh.place.card("carl"), mesh.instant, live=True))
    mesh.pump()
    assert neighbours(ada) == set()
    assert not bob.heard_of(Announce)


def turned_away(mesh, node, names):
    """So many peers that it dials have no room for it."""
    for name in names:
        full = mesh.puppet(name, node)
        mesh.say(full, node, Sample(frozenset(), asks=False, full=True))


def test_where_all_are_full_a_node_that_has_chosen_a_neighbour_looks_for_others_less_and_less_often(mesh):
    """Where few have a row in a bounded table, they would be asked by everybody, every second, for ever."""
    ada = mesh.add("ada")
    mesh.join(ada, mesh.add("friend"))
    pauses = []
    for _ in range(10):
        pauses.append(ada.overlay.views.search)
        turned_away(mesh, ada, NAMES[:PATIENT])
    assert pauses == [min(SEARCH << number, LONGEST_SEARCH) for number in range(10)]


def test_without_a_neighbour_it_goes_on_looking(mesh):
    ada = mesh.add("ada")
    turned_away(mesh, ada, NAMES)
    assert ada.overlay.views.search == SEARCH


def test_with_neighbours_alone_that_came_to_it_it_goes_on_looking(mesh):
    ada = mesh.add("ada")
    mesh.join(mesh.add("friend"), ada)
    turned_away(mesh, ada, NAMES)
    assert ada.overlay.views.search == SEARCH


def test_who_has_lost_a_neighbour_looks_for_another_at_once(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, mesh.add("friend"))
    mesh.join(ada, bob)
    turned_away(mesh, ada, NAMES)
    mesh.part(ada, bob)
    assert ada.overlay.views.search == SEARCH


def test_one_peer_that_has_room_and_has_none_by_turns_cannot_have_us_look_less_often(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    for _ in range(2 * PATIENT):
        mesh.say(eve, ada, Sample(frozenset(), asks=False, full=True), Ranges((), frozenset()))
    assert neighbours(ada) == {"eve"}
    assert ada.overlay.views.search == SEARCH


def test_those_who_came_to_us_cannot_have_us_look_less_often(mesh):
    ada = mesh.add("ada")
    mesh.join(ada, mesh.add("friend"))
    for name in NAMES[: 2 * PATIENT]:
        mesh.join(mesh.add(name), ada)
        full = Sample(frozenset(), asks=False, full=True)
        mesh.carry_out(ada, ada.overlay.message(ada.links[name], full, mesh.instant))
    assert ada.overlay.views.search == SEARCH


def test_an_inbound_peer_cannot_make_itself_our_choice_by_saying_that_it_is_full(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(bob, ada)
    mesh.carry_out(ada, ada.overlay.message(ada.links["bob"], Sample(frozenset(), asks=False, full=True), mesh.instant))
    mesh.carry_out(ada, ada.overlay.message(ada.links["bob"], Ranges((), frozenset()), mesh.instant))
    assert True not in ada.overlay.views.active.values()


def test_where_others_have_filled_the_view_there_is_room_for_those_of_our_own_choice(mesh, hub):
    chosen = mesh.add("chosen")
    mesh.join(hub, chosen)
    assert hub.overlay.views.active[hub.links["chosen"]]
    assert not hub.did(effects.LeaveLink)
    assert neighbours(chosen) == {"hub"}


def test_a_neighbour_that_is_gone_makes_room(mesh, hub):
    mesh.part(hub, mesh.speakers[NAMES[0]])
    mesh.join(mesh.add("late"), hub)
    assert "late" in neighbours(hub)


# Visits


@pytest.fixture
def visited(mesh):
    """Ada has a neighbour, and pays bob a visit."""
    ada, bob, carl = mesh.add("ada"), mesh.add("bob", names=["dora"]), mesh.add("carl")
    mesh.join(ada, carl)
    mesh.join(ada, bob, visit=True)
    return ada, bob


def test_a_visit_compares_tables_and_makes_no_neighbours(mesh, visited):
    ada, bob = visited
    assert (neighbours(ada), neighbours(bob)) == ({"carl"}, set())
    assert set(ada.table.items) == set(bob.table.items)
    assert len(ada.table) == 4


def test_a_visit_lasts_a_while_and_ends_by_itself(mesh, visited):
    ada, bob = visited
    assert not ada.did(effects.LeaveLink)
    mesh.wait(VISIT / SECOND)
    assert ada.did(effects.LeaveLink) == [effects.LeaveLink(ada.links["bob"])]
    assert not bob.did(effects.LeaveLink)


def test_whoever_pays_a_visit_waits_for_what_it_has_asked(mesh):
    ada = mesh.add("ada")
    mesh.join(ada, mesh.add("carl"))
    bob = mesh.puppet("bob", ada, visit=True)
    mesh.say(bob, ada, Announce(frozenset((b"nobody has this!",))))
    assert bob.heard_of(Want)
    mesh.wait(VISIT / SECOND + 1)
    assert not ada.did(effects.LeaveLink)
    mesh.give(bob, ada)
    assert ada.did(effects.LeaveLink)


# Samples


def test_both_ends_of_a_new_link_name_themselves_and_others(mesh):
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob")
    mesh.join(ada, bob)
    (heard,) = bob.heard_of(Sample)
    assert set(heard.ids) == ids_of(mesh, "ada") | ids_of(mesh, "carl")
    assert not heard.asks
    assert not heard.full


def test_a_sample_that_comes_before_its_sender_was_judged_is_kept(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(ada, eve)
    mesh.say(eve, ada, Sample(frozenset(ids_of(mesh, "bob")), asks=False, full=True))
    assert not eve.heard_of(Want)
    mesh.up(ada, ada.links["eve"], mesh.place.card("eve"))
    mesh.pump()
    assert set(mesh.asked(eve)) == ids_of(mesh, "bob")
    assert neighbours(ada) == set()


def test_neighbours_swap_samples_now_and_then(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    for one in (ada, bob):
        one.heard.clear()
    mesh.wait(SHUFFLE / SECOND)
    assert {sample.asks for sample in ada.heard_of(Sample)} == {True, False}
    assert {sample.asks for sample in bob.heard_of(Sample)} == {True, False}


def test_whoever_asks_for_samples_without_end_is_answered_now_and_then(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    eve.heard.clear()
    for _ in range(4):
        mesh.say(eve, ada, *[Sample(frozenset(), asks=True, full=False)] * 10)
        mesh.wait(SHUFFLE / SECOND / 4)
    assert len([one for one in eve.heard_of(Sample) if not one.asks]) == 2


def test_whoever_was_named_is_a_candidate_as_soon_as_it_can_be_dialled(mesh):
    ada = mesh.add("ada")
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Sample(frozenset(ids_of(mesh, "carl")), asks=False, full=False))
    assert ada.overlay.views.candidates.draw(8) == []
    mesh.give(bob, ada, *mesh.items("carl"))
    assert [peer.card.name for peer in ada.overlay.views.candidates.draw(8)] == ["carl"]


def test_a_node_is_no_candidate_of_its_own(mesh):
    ada = mesh.add("ada")
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Sample(frozenset(ids_of(mesh, "ada")), asks=False, full=False))
    assert ada.overlay.views.candidates.draw(8) == []


def test_the_passive_view_is_bounded_and_what_others_name_later_gets_into_it(mesh):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    made_up = [number.to_bytes(16, "big") for number in range(3 * PASSIVE)]
    for at in range(0, len(made_up), MAX_SAMPLE):
        mesh.say(eve, ada, Sample(frozenset(made_up[at : at + MAX_SAMPLE]), asks=False, full=False))
    passive = ada.overlay.views.candidates.passive
    assert len(passive) == len(set(passive)) == PASSIVE
    assert set(passive) & set(made_up[-PASSIVE:])


def test_a_sample_is_drawn_from_a_large_table_without_a_look_at_each(mesh, monkeypatch):
    monkeypatch.setattr(views, "SAMPLED", 2)
    ada = mesh.add("ada", names=NAMES)
    drawn = [ada.table.sample(ada.overlay.views._random, 3) for _ in range(40)]
    assert all(len(bodies) == len(set(bodies)) <= 3 for bodies in drawn)
    assert len({body for bodies in drawn for body in bodies}) > 20
