"""The exchange of statements: given as news, asked for, healed by rounds; and what may be given unasked."""

import pytest

from cards import Conflict, Delegation, IssuerKey, Retirement, SelfRevocation, shares
from p2pnoise.gossip import statements
from p2pnoise.gossip.evidence import is_needed
from p2pnoise.gossip.items import body_id
from p2pnoise.gossip.messages import Announce, CardItem, GivenStatements, HeldStatements, WantStatements
from p2pnoise.gossip.wants import TIMEOUT
from p2pnoise.instant import SECOND


@pytest.fixture
def ending(place):
    """The self-revocation of somebody by name."""

    def make(name):
        _, identity = place.keys(name)
        values = {"net": place.NETWORK, "iat": place.START - 50, "key": identity.public, "reason": "lost"}
        return SelfRevocation.make(values, identity)

    return make


@pytest.fixture
def retirement(place):
    values = {"net": place.NETWORK, "iat": place.START - 50, "iss": place.second.public, "reason": "left"}
    return Retirement.make(values, place.second)


def held(speaker):
    return set(speaker.table.facts.statements)


def given(*statements):
    return GivenStatements(tuple((one.label, one.raw) for one in statements))


def test_a_new_statement_is_given_whole_and_unasked(mesh, ending):
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob", names=["carl"])
    mesh.join(ada, bob)
    ada.heard.clear()
    bob.heard.clear()
    mesh.carry_out(ada, ada.overlay.offer_fact(ending("carl"), mesh.instant))
    mesh.pump()
    assert held(bob) == {ending("carl").digest}
    assert (ada.heard, bob.heard) == ([], [given(ending("carl"))])


def test_a_statement_is_not_given_to_who_has_named_or_given_it(mesh, ending):
    ada = mesh.add("ada", names=["carl"])
    eve, bob, dora = (mesh.puppet(name, ada) for name in ("eve", "bob", "dora"))
    mesh.say(bob, ada, HeldStatements((ending("carl").digest,)))
    mesh.say(eve, ada, given(ending("carl")))
    mesh.say(dora, ada, given(ending("carl")))
    assert [len(puppet.heard_of(GivenStatements)) for puppet in (eve, bob, dora)] == [0, 0, 1]


def test_statements_that_nobody_asked_for_are_bounded_before_they_are_read(mesh, ending, monkeypatch):
    ada = mesh.add("ada", names=["carl", "bob"])
    eve = mesh.puppet("eve", ada)
    for _ in range(statements.BURST):
        mesh.say(eve, ada, given(ending("carl")))
    with monkeypatch.context() as patch:
        patch.setattr(SelfRevocation, "parse", lambda _raw: pytest.fail("it was read"))
        mesh.say(eve, ada, given(ending("bob")))
    assert held(ada) == {ending("carl").digest}
    mesh.wait(1)
    mesh.say(eve, ada, given(ending("bob")))
    assert held(ada) == {ending("carl").digest, ending("bob").digest}
    assert not ada.blamed


def test_a_statement_that_nobody_asked_for_and_nobody_signed_is_misbehaviour(mesh, ending):
    ada = mesh.add("ada", names=["carl"])
    eve = mesh.puppet("eve", ada)
    one = ending("carl")
    mesh.say(eve, ada, GivenStatements(((one.label, one.raw[:-1] + bytes([one.raw[-1] ^ 1])),)))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert held(ada) == set()


def test_an_ending_that_came_first_is_applied_before_a_card_that_gossip_brings(mesh, ending):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, HeldStatements((ending("carl").digest,)), given(ending("carl")), GivenStatements(()))
    carl = mesh.place.card("carl")
    mesh.say(eve, ada, Announce({body_id(carl.card_id)}))
    mesh.give(eve, ada, CardItem(carl.raw))
    assert ada.table.by_identity(carl.identity) is None
    assert held(ada) == {ending("carl").digest}


def test_our_operator_ends_an_identity_where_others_have_filled_all_places(mesh, ending, monkeypatch):
    monkeypatch.setattr("cards.facts.MAX_STATEMENTS", 2)
    ada = mesh.add("ada", names=["carl", "bob", "dora"])
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, *(given(ending(name)) for name in ("carl", "bob", "dora")))
    assert held(ada) == {ending("carl").digest, ending("bob").digest}
    mesh.carry_out(ada, ada.overlay.offer_fact(ending("dora"), mesh.instant))
    assert ada.table.by_identity(mesh.place.card("dora").identity) is None


def test_a_card_that_would_not_count_takes_no_place_for_its_ending(mesh, ending):
    """Strangers can sign both without end."""
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, HeldStatements((ending("carl").digest,)), given(ending("carl")), GivenStatements(()))
    stranger = mesh.place.card("carl", issuer=mesh.place.stranger)
    mesh.say(eve, ada, Announce({body_id(stranger.card_id)}))
    mesh.give(eve, ada, CardItem(stranger.raw))
    assert held(ada) == set()


def test_what_was_missed_is_told_again_by_a_round(mesh, retirement):
    place = mesh.place
    lists = (place.first_list, place.make_list(1, issuer=place.second))
    ada, bob = (mesh.add(name, policy=place.both, lists=lists) for name in ("ada", "bob"))
    mesh.join(ada, bob)
    ada.table.offer_fact(retirement, place.START)  # behind its overlay's back
    mesh.wait(75)
    assert held(bob) == {retirement.digest}


def test_what_was_refused_is_asked_for_at_once_when_trust_changes(mesh, retirement):
    place = mesh.place
    lists = (place.first_list, place.make_list(1, issuer=place.second))
    ada, bob = mesh.add("ada"), mesh.add("bob", policy=place.both, lists=lists)
    bob.table.offer_fact(retirement, place.START)
    mesh.join(ada, bob)
    assert held(ada) == set()
    ada.table.policy = place.both
    mesh.carry_out(ada, ada.overlay.trust_changed(mesh.instant))
    mesh.pump()
    assert held(ada) == {retirement.digest}


def test_what_one_peer_does_not_give_is_asked_of_another(mesh, ending):
    ada = mesh.add("ada", names=["carl"])
    eve, mallory = mesh.puppet("eve", ada), mesh.puppet("mallory", ada)
    for puppet in (eve, mallory):
        mesh.say(puppet, ada, HeldStatements((ending("carl").digest,)))
    assert eve.heard_of(WantStatements)
    assert not mallory.heard_of(WantStatements)
    mesh.wait(11)
    mesh.say(mallory, ada, given(ending("carl")))
    assert held(ada) == {ending("carl").digest}


def test_many_statements_are_given_in_messages_that_fit(mesh, ending):
    names = [f"node-{number}" for number in range(250)]
    ada, bob = (mesh.add(name, names=names, record=False) for name in ("ada", "bob"))
    for name in names:
        ada.table.offer_fact(ending(name), mesh.place.START)
    mesh.join(ada, bob)
    assert len(held(bob)) == 250
    assert all(len(question.digests) <= 96 for question in ada.heard_of(WantStatements))


def test_one_proof_of_a_subject_is_enough_unless_its_number_is_higher(place, table):
    twins = {
        number: Conflict.between(
            place.card("carl", sequence=number),
            place.card("carl", sequence=number, now=place.START - 90),
        )
        for number in (1, 2, 3)
    }
    assert table.offer_fact(twins[2], place.START) == (None, True)
    assert [is_needed(table, twins[number]) for number in (1, 2, 3)] == [False, False, True]
    lists = {number: (place.make_list(number), place.make_list(number, now=place.START - 90)) for number in (1, 2)}
    assert table.offer_fact(Conflict.between(*lists[1]), place.START) == (None, True)
    assert not is_needed(table, Conflict.between(*lists[2]))


@pytest.mark.parametrize("answer", [(), (GivenStatements(()),)], ids=["silent", "empty-handed"])
def test_who_names_a_statement_and_never_gives_it_is_asked_once_before_the_others(mesh, ending, answer):
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob", names=["carl"])
    eve = mesh.puppet("eve", ada)
    mesh.carry_out(bob, bob.overlay.offer_fact(ending("carl"), mesh.instant))
    named = HeldStatements((ending("carl").digest,))
    mesh.say(eve, ada, named)
    mesh.join(ada, bob)
    for _ in range(2 * TIMEOUT // SECOND):
        mesh.say(eve, ada, *answer, named)
        mesh.wait(1)
    assert held(ada) == {ending("carl").digest}


def test_what_ends_somebody_whom_we_do_not_know_is_fetched_once(mesh, ending):
    bob, ada = mesh.add("bob", names=["carl"]), mesh.add("ada")
    mesh.carry_out(bob, bob.overlay.offer_fact(ending("carl"), mesh.instant))
    mesh.join(ada, bob)
    mesh.wait(4 * 3600)
    assert len(bob.heard_of(WantStatements)) == 1


def test_who_makes_up_endings_does_not_have_those_of_others_forgotten(mesh, ending, monkeypatch):
    monkeypatch.setattr(statements, "MAX_EARLY", 3)
    ada = mesh.add("ada")
    mesh.say(mesh.puppet("bob", ada), ada, given(ending("carl")))
    made_up = [ending(f"nobody-{number}") for number in range(6)]
    mesh.say(mesh.puppet("eve", ada), ada, *map(given, made_up))
    mesh.carry_out(ada, ada.overlay.offer_card(mesh.place.card("carl"), mesh.instant, live=False))
    assert held(ada) == {ending("carl").digest}


def test_an_open_question_lets_no_more_be_read_than_was_asked_for(mesh, ending, monkeypatch):
    """To read one takes as long as to give forty."""
    monkeypatch.setattr(statements, "BURST", 5)
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    read, parse = [], SelfRevocation.parse
    monkeypatch.setattr(SelfRevocation, "parse", lambda raw: read.append(raw) or parse(raw))
    mesh.say(eve, ada, HeldStatements((ending("carl").digest, ending("dora").digest)))
    mesh.say(eve, ada, *[given(ending("eve"))] * 20)
    assert len(read) == 2 + 5


def test_statements_that_come_before_their_giver_is_judged_are_kept(mesh, ending):
    ada, bob = mesh.add("ada", names=["carl"]), mesh.add("bob", names=["carl"])
    mesh.carry_out(bob, bob.overlay.offer_fact(ending("carl"), mesh.instant))
    mesh.carry_out(bob, bob.overlay.offer_fact(mesh.place.make_list(2), mesh.instant))
    mesh.join(ada, bob)  # bob has all lists that ada names, and judges her before she has his
    assert held(ada) == {ending("carl").digest}


def test_a_new_link_is_no_new_allowance(mesh, ending, monkeypatch):
    monkeypatch.setattr(statements, "BURST", 5)
    ada = mesh.add("ada", names=[f"peer-{number}" for number in range(20)])
    endings = [ending(f"peer-{number}") for number in range(20)]
    for start in (0, 10):
        eve = mesh.puppet("eve", ada)
        mesh.say(eve, ada, *map(given, endings[start : start + 10]))
        mesh.part(eve, ada)
    assert len(held(ada)) == 5


def test_delegations_that_have_made_room_are_asked_for_no_more(mesh, monkeypatch):
    monkeypatch.setattr(shares, "MAX_DELEGATIONS", 3)
    place = mesh.place
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    for number in range(20):
        values = {"net": place.NETWORK, "iat": place.START - 50, "iss": place.issuer.public, "path": 0}
        values |= {"key": IssuerKey(bytes([number + 1]) * 32).public}
        values |= {"nbf": place.START - 60, "exp": place.START + 1_000 + number}
        mesh.carry_out(bob, bob.overlay.offer_fact(Delegation.make(values, place.issuer), mesh.instant))
        mesh.pump()
    assert len(held(ada)) == 3
    assert not bob.heard_of(WantStatements)
