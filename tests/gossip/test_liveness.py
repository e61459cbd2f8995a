"""Liveness: who is probed, suspected and given up, and what others can do about it."""

import pytest

from p2pnoise.gossip import effects, overlay, views
from p2pnoise.gossip.liveness import (
    HELPERS,
    LEAST,
    LONGEST,
    MAX_FAVOURS,
    MAX_FAVOURS_OF_ONE,
    MAX_PROBES,
    PERIOD,
    SUSPICION,
    WORST,
)
from p2pnoise.gossip.messages import Found, Probe, ProbeAnswer, Sample, Want
from p2pnoise.instant import SECOND

NOTHING = Want(frozenset())  # what an honest peer says, and means nothing by
PROBED = PERIOD / SECOND  # after so much silence whoever dialled probes, as ada does here
LATE = PROBED + LEAST / SECOND + 1  # and suspects; half a second between two looks each time
OTHERS = ["bob", "carl", "dora", "eric"]


@pytest.fixture
def ada(mesh):
    return mesh.add("ada")


@pytest.fixture
def crowd(mesh, ada):
    """Four puppets, neighbours of ada: one that will fall silent, and those who could help."""
    return [mesh.puppet(name, ada) for name in OTHERS]


def probes(puppet, *, about):
    return [probe for probe in puppet.heard_of(Probe) if bool(probe.about) == about]


def gone(mesh, speaker):
    names = {link: name for name, link in speaker.links.items()}
    return [names[effect.link] for effect in speaker.did(effects.Silent)]


def pass_time(mesh, ada, seconds, *living, answering=True):
    """Time passes, and these say something twice a second; where `answering`, they answer probes of themselves."""
    for _ in range(int(seconds * 2)):
        mesh.wait(0.5)
        for puppet in living:
            mesh.say(puppet, ada, NOTHING)
            if answering:
                answer(mesh, ada, puppet)


def answer(mesh, ada, puppet):
    for probe in probes(puppet, about=False):
        mesh.say(puppet, ada, ProbeAnswer(probe.nonce, Found.HERE))
    puppet.heard.clear()


# Probes


def test_a_silent_neighbour_is_probed_once_and_a_talkative_one_is_not(mesh, ada, crowd):
    silent, *others = crowd
    pass_time(mesh, ada, PROBED + 0.5, *others, answering=False)
    assert len(probes(silent, about=False)) == 1
    assert not any(probes(puppet, about=False) for puppet in others)


def test_whoever_dialled_probes_first_so_that_one_probe_serves_both_ends(mesh, monkeypatch):
    monkeypatch.setattr(overlay, "ANTI_ENTROPY", 10**15)
    monkeypatch.setattr(views, "SHUFFLE", 10**15)
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    mesh.wait(300)
    assert bob.heard_of(Probe)
    assert not ada.heard_of(Probe)
    assert not ada.did(effects.Silent)
    assert not bob.did(effects.Silent)


def test_a_probe_is_answered_by_whoever_it_reaches(mesh, ada):
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Probe(b"1234"))
    assert bob.heard_of(ProbeAnswer) == [ProbeAnswer(b"1234", Found.HERE)]


def test_only_neighbours_are_probed(mesh, ada):
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Sample(frozenset(), asks=False, full=True))
    mesh.wait(10 * PROBED)
    assert not bob.heard_of(Probe)
    assert not ada.did(effects.Silent)


def test_round_trips_are_measured_and_only_by_the_answer_to_the_probe(mesh, ada):
    bob = mesh.puppet("bob", ada)
    assert ada.overlay.rtt(ada.links["bob"]) is None
    mesh.wait(PROBED + 0.5)
    (probe,) = probes(bob, about=False)
    mesh.now += SECOND // 5
    mesh.say(bob, ada, ProbeAnswer(b"none", Found.HERE))
    assert ada.overlay.rtt(ada.links["bob"]) is None
    mesh.say(bob, ada, ProbeAnswer(probe.nonce, Found.HERE))
    assert SECOND // 5 <= ada.overlay.rtt(ada.links["bob"]) < SECOND
    assert ada.overlay.rtt(99) is None


def test_a_line_that_is_slow_by_its_round_trips_is_waited_for_longer(mesh, ada, crowd):
    bob, *others = crowd
    pass_time(mesh, ada, PROBED + 0.5, *others)
    mesh.wait(3)
    answer(mesh, ada, bob)
    assert ada.overlay.rtt(ada.links["bob"]) >= 3 * SECOND
    pass_time(mesh, ada, PROBED + 4, *others)
    assert not any(probes(puppet, about=True) for puppet in others)


# Suspicion


def test_others_are_asked_where_a_neighbour_does_not_answer(mesh, ada, crowd):
    bob, *others = crowd
    pass_time(mesh, ada, LATE, *others, answering=False)
    asked = [probe for puppet in others for probe in probes(puppet, about=True)]
    assert [probe.about for probe in asked] == [bob.node_id] * HELPERS
    assert len({probe.nonce for probe in asked}) == HELPERS


def test_a_neighbour_that_stays_silent_is_given_up_once(mesh, ada, crowd):
    _bob, *others = crowd
    pass_time(mesh, ada, LATE + SUSPICION / SECOND - 2, *others)
    assert not gone(mesh, ada)
    pass_time(mesh, ada, 4, *others)
    assert gone(mesh, ada) == ["bob"]


@pytest.mark.parametrize("word", [NOTHING, Probe(b"1234"), ProbeAnswer(b"1234", Found.NO_ANSWER)])
def test_any_word_of_the_suspected_ends_the_suspicion(mesh, ada, crowd, word):
    bob, *others = crowd
    pass_time(mesh, ada, LATE + SUSPICION / SECOND - 2, *others)
    mesh.say(bob, ada, word)
    pass_time(mesh, ada, PROBED, *others)
    assert not gone(mesh, ada)


def test_a_link_that_ends_meanwhile_is_forgotten(mesh, ada, crowd):
    bob, *others = crowd
    pass_time(mesh, ada, LATE, *others)
    mesh.part(ada, bob)
    pass_time(mesh, ada, 60, *others)
    assert not ada.did(effects.Silent)


# Helpers


def suspect(mesh, ada, crowd):
    """Ada has asked others for the first of the crowd: the nonces by which she did."""
    _, *others = crowd
    pass_time(mesh, ada, LATE, *others, answering=False)
    asked = {puppet.name: probes(puppet, about=True)[0].nonce for puppet in others if probes(puppet, about=True)}
    assert len(asked) == HELPERS
    return asked


def test_a_helper_that_hears_the_suspected_prolongs_the_suspicion_within_its_bound(mesh, ada, crowd):
    bob, *others = crowd
    nonces = suspect(mesh, ada, crowd)
    for helper in others:
        mesh.say(helper, ada, ProbeAnswer(nonces[helper.name], Found.HERE))
    pass_time(mesh, ada, LONGEST / SECOND - 3, *others)
    assert not gone(mesh, ada)
    for helper in others:  # again and again, it makes no difference
        mesh.say(helper, ada, ProbeAnswer(nonces[helper.name], Found.HERE))
    pass_time(mesh, ada, 4, *others)
    assert gone(mesh, ada) == ["bob"]
    assert bob.name in ada.links


@pytest.mark.parametrize("found", [Found.NO_ANSWER, Found.NO_LINK])
def test_helpers_that_hear_nothing_make_no_suspicion_shorter(mesh, ada, crowd, found):
    _bob, *others = crowd
    for helper, nonce in suspect(mesh, ada, crowd).items():
        mesh.say(mesh.puppets[helper], ada, ProbeAnswer(nonce, found))
    pass_time(mesh, ada, SUSPICION / SECOND - 3, *others)
    assert not gone(mesh, ada)


def test_who_was_not_asked_cannot_vouch(mesh, ada, crowd):
    """By the number that another was given, or by one that nobody was."""
    bob, *others = crowd
    nonces = suspect(mesh, ada, crowd)
    for helper in others:
        for nonce in {*nonces.values(), b"9999"} - {nonces[helper.name]}:
            mesh.say(helper, ada, ProbeAnswer(nonce, Found.HERE))
    pass_time(mesh, ada, SUSPICION / SECOND + 1, *others)
    assert gone(mesh, ada) == [bob.name]


def test_an_answer_that_nobody_asked_for_changes_nothing(mesh, ada):
    bob = mesh.puppet("bob", ada)
    before = len(ada.done)
    mesh.say(bob, ada, *(ProbeAnswer(number.to_bytes(4, "big"), Found.NO_ANSWER) for number in range(100)))
    assert len(ada.done) == before
    assert not ada.overlay._liveness._asked


def test_an_old_answer_vouches_for_nothing_later(mesh, ada, crowd):
    bob, *others = crowd
    nonces = suspect(mesh, ada, crowd)
    mesh.say(bob, ada, NOTHING)
    assert not ada.overlay._liveness._asked
    pass_time(mesh, ada, LATE, *others)
    for helper in others:
        mesh.say(helper, ada, ProbeAnswer(nonces[helper.name], Found.HERE))
    pass_time(mesh, ada, SUSPICION / SECOND + 5, *others)  # health is not the best
    assert gone(mesh, ada) == ["bob"]


# Health


def test_where_nobody_answers_the_own_line_may_be_bad_and_all_are_waited_for_longer(mesh, ada, crowd):
    mesh.wait(LATE + SUSPICION / SECOND + 1)
    assert ada.overlay._liveness.health == len(crowd)
    assert not gone(mesh, ada)
    mesh.wait(LONGEST / SECOND)
    assert sorted(gone(mesh, ada)) == OTHERS


def test_each_answer_improves_health_again_and_there_is_a_worst(mesh, ada, crowd):
    ada.overlay._liveness.health = WORST
    mesh.wait(PROBED + 0.5)
    for puppet in crowd:
        answer(mesh, ada, puppet)
    assert ada.overlay._liveness.health == WORST - len(crowd)
    ada.overlay._liveness.health = WORST
    mesh.wait(2 * PROBED)
    assert ada.overlay._liveness.health == WORST


# Favours


def test_a_helper_asks_over_the_link_that_it_has_and_says_what_came_of_it(mesh, ada, crowd):
    bob, carl, dora, _ = crowd
    mesh.say(bob, ada, Probe(b"1111", carl.node_id))
    mesh.say(bob, ada, Probe(b"2222", dora.node_id))
    (probe,) = probes(carl, about=False)
    mesh.say(carl, ada, ProbeAnswer(probe.nonce, Found.HERE))
    assert bob.heard_of(ProbeAnswer) == [ProbeAnswer(b"1111", Found.HERE)]
    mesh.wait(LEAST / SECOND + 0.5)
    assert bob.heard_of(ProbeAnswer)[1:] == [ProbeAnswer(b"2222", Found.NO_ANSWER)]


def test_who_is_suspected_already_is_not_probed_again_for_others(mesh, ada, crowd):
    silent, helper, *others = crowd
    pass_time(mesh, ada, LATE, helper, *others)
    before = len(silent.heard)
    mesh.say(helper, ada, Probe(b"1111", silent.node_id))
    assert helper.heard_of(ProbeAnswer) == [ProbeAnswer(b"1111", Found.NO_ANSWER)]
    assert len(silent.heard) == before


def test_a_node_without_a_link_says_so_and_dials_nobody(mesh, ada, crowd):
    bob = crowd[0]
    done = len(ada.done)
    for about in (mesh.place.keys("stranger")[0].public, ada.node_id, bob.node_id):
        mesh.say(bob, ada, Probe(b"1234", bytes(about)))
    assert bob.heard_of(ProbeAnswer) == [ProbeAnswer(b"1234", Found.NO_LINK)] * 3
    assert all(isinstance(effect, effects.SendMessage) for effect in ada.done[done:])


def test_many_who_ask_for_one_peer_have_it_probed_once(mesh, ada, crowd):
    victim, *others = crowd
    for turn in range(3):
        for number, puppet in enumerate(others):
            mesh.say(puppet, ada, Probe(bytes((turn, number, 0, 0)), victim.node_id))
    assert len(victim.heard_of(Probe)) == 1
    mesh.say(victim, ada, NOTHING)
    assert [len(puppet.heard_of(ProbeAnswer)) for puppet in others] == [3, 3, 3]


def test_favours_are_few_for_one_peer_and_in_all(mesh, ada):
    victim, *crowd = (mesh.puppet(f"peer-{number}", ada) for number in range(2 + MAX_FAVOURS // MAX_FAVOURS_OF_ONE))
    for asker in crowd:
        for turn in range(MAX_FAVOURS_OF_ONE + 2):
            mesh.say(asker, ada, Probe(bytes((turn, 0, 0, 0)), victim.node_id))
    refused = [[answer.found for answer in asker.heard_of(ProbeAnswer)] for asker in crowd]
    assert refused == [[Found.NO_LINK] * 2] * (len(crowd) - 1) + [[Found.NO_LINK] * (MAX_FAVOURS_OF_ONE + 2)]
    assert sum(len(watch.waiting) for watch in ada.overlay._liveness._watches.values()) == MAX_FAVOURS
    mesh.wait(60)
    assert not any(watch.waiting for watch in ada.overlay._liveness._watches.values())


def test_whoever_asks_and_goes_is_not_answered(mesh, ada, crowd):
    bob, carl, *_ = crowd
    mesh.say(bob, ada, Probe(b"1111", carl.node_id))
    mesh.part(ada, bob)
    mesh.say(carl, ada, NOTHING)
    mesh.wait(30)
    assert not bob.heard_of(ProbeAnswer)


@pytest.mark.parametrize("favour", [False, True])
def test_probes_without_end_are_answered_a_few_times_in_a_period(mesh, ada, crowd, favour):
    bob, carl, *_ = crowd
    for number in range(1_000):
        mesh.say(bob, ada, Probe(number.to_bytes(4, "big"), carl.node_id if favour else b""))
        mesh.say(carl, ada, NOTHING)
    assert len(bob.heard_of(ProbeAnswer)) == MAX_PROBES
    assert len(probes(carl, about=False)) == (MAX_PROBES if favour else 0)
    mesh.wait(PERIOD / SECOND)
    mesh.say(bob, ada, Probe(b"late"))
    assert len(bob.heard_of(ProbeAnswer)) == MAX_PROBES + 1
