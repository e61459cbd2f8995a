"""The exchange of revocation lists: pages travel once, whoever fails is replaced, and what is hostile keeps nothing."""

import dataclasses
import hashlib
import random

import pytest

from cards import Entry, Head, IssuerKey, Policy, SignedHead
from cards.codec import encode
from cards.pages import MAX_PAGES, page_digest
from cards.revocation import IssuerRevocations
from cards.statements import REVOCATION, SignatureCache, frame
from p2pnoise.gossip import effects, lists
from p2pnoise.gossip.messages import GivenList, GivenPage, Heads, WantLists, WantPages
from p2pnoise.instant import Instant
from tests.gossip.conftest import Speaker

DAY = 86_400


def subjects(count):
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count)]


@pytest.fixture(scope="module")
def long_list(place):
    """5,000 revocations on 8 pages."""
    return place.make_list(2, revoked=subjects(5_000))


@pytest.fixture(scope="module")
def longer_list(place):
    """16 pages."""
    return place.make_list(2, revoked=subjects(10_000))


@pytest.fixture
def ada(mesh):
    return mesh.add("ada")


def head_of(one):
    return GivenList(one.head, one.signature, ())


def sequence_of(speaker):
    return speaker.table.revocations.heads[0].sequence


def pages_of(one):
    return dict(zip(one.page_digests, one.pages, strict=True))


def asked(puppet):
    return [digest for want in puppet.heard_of(WantPages) for digest in want.digests]


def waiting(speaker):
    """The pages that are kept for lists that are not whole."""
    return speaker.overlay._facts.lists._pages


def tell(mesh, speaker, one):
    mesh.carry_out(speaker, speaker.overlay.offer_fact(one, mesh.instant))
    mesh.pump()


# Between honest nodes.


def test_a_list_of_many_pages_reaches_everybody(mesh, long_list):
    ada, bob, carl = (mesh.add(name) for name in ("ada", "bob", "carl"))
    mesh.join(ada, bob)
    mesh.join(bob, carl)
    assert len(long_list.pages) == 8
    tell(mesh, ada, long_list)
    for speaker in (bob, carl):
        assert speaker.table.revocations == ada.table.revocations
        assert not waiting(speaker)


def test_a_peer_is_compared_when_its_list_is_whole_and_no_sooner(mesh, ada, long_list):
    eve = mesh.puppets["eve"] = type(ada)("eve", None, mesh.place.keys("eve")[0].public)
    mesh.join(eve, ada)
    (head,) = ada.table.revocations.heads
    mesh.say(eve, ada, Heads((head._replace(sequence=2),)), head_of(long_list))
    for page in long_list.pages:
        assert not ada.did(effects.ListsCompared)
        mesh.say(eve, ada, GivenPage(page))
    assert [effect.link for effect in ada.did(effects.ListsCompared)] == [ada.links["eve"]]


def test_of_a_list_with_one_entry_more_one_page_travels(mesh, long_list):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    tell(mesh, ada, long_list)
    bob.heard.clear()
    mesh.bytes = 0
    tell(mesh, ada, mesh.place.make_list(3, revoked=subjects(5_001)))
    assert sequence_of(bob) == 3
    assert [bool(given.page) for given in bob.heard_of(GivenPage)] == [True, False]
    assert mesh.bytes < 45_000


def test_a_new_list_of_one_page_is_given_whole_and_unasked(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    ada.heard.clear()
    bob.heard.clear()
    tell(mesh, ada, mesh.place.make_list(2, revoked=subjects(1_000)))
    assert sequence_of(bob) == 2
    assert ada.heard == []
    assert [type(message).__name__ for message in bob.heard] == ["GivenList"]


def test_a_new_list_is_given_unasked_once_on_a_link_and_to_nobody_who_has_named_or_given_it(mesh, ada):
    eve, carl, dora = (mesh.puppet(name, ada) for name in ("eve", "carl", "dora"))
    one = mesh.place.make_list(2, revoked=subjects(1))
    head = Head(mesh.place.issuer.public, 2, hashlib.sha256(one.digest).digest())
    mesh.say(eve, ada, Heads(ada.table.revocations.heads))
    mesh.say(dora, ada, Heads((head,)))
    mesh.say(carl, ada, Heads(ada.table.revocations.heads), mesh.place.given(one))
    assert sequence_of(ada) == 2
    mesh.say(eve, ada, mesh.place.given(one))
    assert eve.heard_of(GivenList) == [mesh.place.given(one)]
    assert carl.heard_of(GivenList) == dora.heard_of(GivenList) == []


def test_whose_lists_we_do_not_know_yet_hears_the_heads(mesh, ada):
    """What is given unasked is given from the last list on that a peer holds, or it would never take those between."""
    eve = mesh.puppet("eve", ada)
    eve.heard.clear()
    tell(mesh, ada, mesh.place.make_list(2, revoked=subjects(1)))
    assert [type(message).__name__ for message in eve.heard] == ["Heads"]


def test_who_is_two_lists_behind_is_given_both_in_their_order(mesh, ada):
    place = mesh.place
    eve = mesh.puppet("eve", ada)
    bob = mesh.add("bob", lists=(place.first_list, place.make_list(2, revoked=subjects(3)[:1])))
    mesh.join(bob, ada)
    eve.heard.clear()
    mesh.say(eve, ada, Heads((Head(place.issuer.public, 1, bytes(32)),)))
    tell(mesh, ada, place.make_list(3, revoked=subjects(3)[1:]))
    assert [SignedHead.read(one.head, one.signature).sequence for one in eve.heard_of(GivenList)][-2:] == [2, 3]


def test_of_a_longer_list_the_head_is_given_unasked(mesh, longer_list):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    bob.heard.clear()
    tell(mesh, ada, longer_list)
    assert sequence_of(bob) == longer_list.sequence
    assert bob.heard[0] == head_of(longer_list)


def test_a_latecomer_gets_the_older_lists_first_and_all_that_they_revoke(mesh):
    """The later list leaves out 2,500 entries, and shares no page with the one before."""
    place = mesh.place
    old, new = place.make_list(2, revoked=subjects(5_000)[:2_500]), place.make_list(3, revoked=subjects(5_000)[2_500:])
    bob = mesh.add("bob", lists=(place.first_list, old, new))
    late = mesh.add("late", lists=())
    mesh.join(bob, late)
    (state,) = late.table.revocations.by_issuer.values()
    assert [one.sequence for one in state.lists] == [2, 3]
    assert len(state.entries) == 5_000


def test_two_peers_with_one_list_are_asked_for_different_pages(mesh, ada, longer_list):
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    for puppet in (eve, carl):
        mesh.say(puppet, ada, head_of(longer_list))
    assert len(asked(eve)) == len(asked(carl)) == 8
    assert {*asked(eve), *asked(carl)} == set(longer_list.page_digests)


# Peers that fail.


def test_of_a_peer_that_went_away_the_pages_stay_and_the_next_one_gives_the_rest(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, head_of(long_list), *map(GivenPage, long_list.pages[:3]))
    mesh.part(eve, ada)
    bob = mesh.add("bob", lists=(mesh.place.first_list, long_list))
    mesh.join(bob, ada)
    assert sequence_of(ada) == 2
    assert asked(bob) == list(long_list.page_digests[3:])


@pytest.mark.parametrize("failing", ["silent", "empty-handed", "wrong", "gone"])
def test_where_one_peer_does_not_give_its_pages_another_is_asked(mesh, ada, long_list, failing):
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    mesh.say(eve, ada, head_of(long_list))
    mesh.say(carl, ada, head_of(long_list))
    assert (len(asked(eve)), len(asked(carl))) == (8, 0)
    if failing == "silent":
        mesh.wait(lists.PATIENCE / 10**9)
    elif failing == "gone":
        mesh.part(eve, ada)
    elif failing == "empty-handed":
        mesh.say(eve, ada, GivenPage(b""))
    else:
        mesh.say(eve, ada, *(GivenPage(b"another page") for _ in range(8)), GivenPage(b""))
    assert sorted(asked(carl)) == sorted(long_list.page_digests)
    mesh.say(carl, ada, *map(GivenPage, long_list.pages))
    assert sequence_of(ada) == 2
    assert not ada.blamed


def test_pages_that_come_late_are_taken_all_the_same(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, head_of(long_list))
    mesh.wait(3 * lists.TIMEOUT / 10**9)
    assert len(asked(eve)) == 8  # and it is not asked again
    mesh.say(eve, ada, *map(GivenPage, long_list.pages))
    assert sequence_of(ada) == 2


def test_a_peer_that_is_slow_but_gives_is_waited_for(mesh, ada, long_list):
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    for puppet in (eve, carl):
        mesh.say(puppet, ada, head_of(long_list))
    for page in long_list.pages:
        mesh.wait(0.9 * lists.PATIENCE / 10**9)
        mesh.say(eve, ada, GivenPage(page))
    assert sequence_of(ada) == 2
    assert not asked(carl)


def test_those_who_give_a_head_and_no_page_hold_a_list_back_for_less_than_two_seconds(mesh, ada, long_list):
    for name in ("eve", "mallory", "trudy", "oscar", "bob"):
        mesh.say(mesh.puppet(name, ada), ada, head_of(long_list))
    mesh.wait(2 * lists.PATIENCE / 10**9)
    assert set(asked(mesh.puppets["bob"])) == set(long_list.page_digests)


def link_up(mesh, one, other):
    """Whatever the lists of the two say."""
    mesh.join(one, other)
    for near, far in ((one, other), (other, one)):
        mesh.up(near, near.links[far.name], mesh.place.card(far.name))
    mesh.pump()


def test_a_list_that_was_refused_is_given_once_more_when_it_may_be_taken(mesh, ada):
    """The clocks of its issuer and of its giver are ten minutes ahead of ours."""
    bob, later = mesh.add("bob"), mesh.place.START + 600
    bob.overlay.offer_fact(mesh.place.make_list(2, now=later), Instant(0, later))
    link_up(mesh, ada, bob)
    mesh.wait(200)
    assert sequence_of(ada) == 1
    mesh.wait(400)
    assert sequence_of(ada) == 2


def test_what_peers_have_named_of_an_issuer_is_asked_for_as_soon_as_it_is_accepted(mesh, ada):
    place = mesh.place
    held = (place.first_list, place.make_list(1, issuer=place.second))
    bob = mesh.add("bob", policy=place.both, lists=held)
    mesh.join(ada, bob)
    ada.table.policy = place.both
    mesh.carry_out(ada, ada.overlay.trust_changed(mesh.instant))
    mesh.pump()
    assert len(ada.table.revocations.heads) == 2


def test_a_list_that_is_overtaken_is_asked_for_no_longer(mesh, ada, longer_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, head_of(longer_list))
    tell(mesh, ada, mesh.place.make_list(3))
    mesh.say(eve, ada, *(GivenPage(pages_of(longer_list)[digest]) for digest in asked(eve)), GivenPage(b""))
    assert len(asked(eve)) == 8
    assert sequence_of(ada) == 3


# Peers that lie.


class Counting(SignatureCache):
    calls = 0

    def verify(self, *args):
        self.calls += 1
        return super().verify(*args)


@pytest.mark.parametrize(("sequence", "issuer", "costs"), [(1, "issuer", 0), (3, "issuer", 1), (3, "stranger", 0)])
def test_a_head_that_cannot_be_news_costs_no_signature_check(mesh, ada, sequence, issuer, costs):
    tell(mesh, ada, mesh.place.make_list(2))
    eve = mesh.puppet("eve", ada)
    counting = ada.table._signatures = Counting()
    one = mesh.place.make_list(sequence, revoked=subjects(1_001), issuer=getattr(mesh.place, issuer))
    mesh.say(eve, ada, head_of(one))
    assert counting.calls == costs
    assert bool(asked(eve)) is bool(costs)
    assert not ada.blamed


def test_a_list_of_many_pages_that_its_issuer_did_not_sign_is_misbehaviour_and_nothing_is_asked(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, dataclasses.replace(head_of(long_list), signature=bytes(64)))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert not asked(eve)


def test_a_list_with_a_page_that_its_head_does_not_name_is_misbehaviour(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, GivenList(long_list.head, long_list.signature, (long_list.pages[0], b"another page")))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert not waiting(ada)


def test_a_page_that_was_not_asked_for_is_ignored(mesh, ada, long_list, longer_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, *map(GivenPage, long_list.pages), GivenPage(b""))
    mesh.say(eve, ada, head_of(longer_list), *map(GivenPage, long_list.pages))
    assert not waiting(ada)
    assert not ada.blamed


def test_a_page_that_is_repeated_stands_for_no_other(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, head_of(long_list), *[GivenPage(long_list.pages[0])] * 8, GivenPage(b""))
    assert list(waiting(ada)) == [long_list.page_digests[0]]
    assert sequence_of(ada) == 1


def hand_made(place, sequence, pages, issuer=None):
    """A list as its issuer would sign it who had these bytes for pages."""
    issuer = issuer or place.issuer
    digests = [page_digest(page) for page in pages]
    values = {"v": 1, "net": place.NETWORK, "iss": bytes(issuer.public), "seq": sequence, "pages": digests}
    head = encode(values | {"iat": place.START - 50, "next": place.START + DAY})
    return SignedHead.read(head, issuer.sign(frame(REVOCATION, head)))


def rows(*numbers):
    return encode([list(Entry(number.to_bytes(32, "big"), 1, "lost", 2**40)) for number in numbers])


@pytest.mark.parametrize("pages", [[b"no page"], [rows(1), rows(0)], [rows(0), rows(0)]])
def test_signed_pages_that_are_no_list_are_misbehaviour_of_whoever_gives_them(mesh, ada, pages):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, head_of(hand_made(mesh.place, 2, pages)), *map(GivenPage, pages))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert sequence_of(ada) == 1


def test_a_list_due_later_than_the_policy_takes_is_told_once_and_its_pages_are_not_asked_for(mesh, ada):
    eve = mesh.puppet("eve", ada)
    far = head_of(mesh.place.make_list(2, revoked=subjects(1_001), lifetime=31 * DAY))
    mesh.say(eve, ada, far, far)
    (refused,) = ada.did(effects.FactRefused)
    assert (refused.finding.code, refused.source) == ("list-lifetime", eve.node_id)
    assert not asked(eve)
    assert not ada.blamed


# What a question can draw, and what is kept.


def test_a_page_is_given_once_on_a_link_and_only_of_a_list_that_was(mesh, long_list):
    ada = mesh.add("ada", lists=(mesh.place.first_list, long_list))
    eve = mesh.puppet("eve", ada)
    want = WantPages(long_list.page_digests)
    for question, pages in ((want, 0), (WantLists((bytes(mesh.place.issuer.public),)), 0), (want, 8), (want, 0)):
        eve.heard.clear()
        mesh.say(eve, ada, question)
        assert sum(bool(given.page) for given in eve.heard_of(GivenPage)) == pages
    assert not ada.blamed


def test_one_question_draws_at_most_half_a_megabyte(mesh, place):
    keys = [IssuerKey(bytes([number]) * 32) for number in range(16)]
    policy = Policy(network=place.NETWORK, issuers={f"ops-{n}": key.public for n, key in enumerate(keys)})
    held = [place.make_list(1, issuer=key, revoked=subjects(16_000)[n::16]) for n, key in enumerate(keys)]
    held += [place.make_list(2, issuer=key, revoked=[bytes(32)]) for key in keys]
    ada = mesh.add("ada", policy=policy, lists=held)
    eve = mesh.puppet("eve", ada)
    mesh.bytes = 0
    mesh.say(eve, ada, WantLists(tuple(bytes(key.public) for key in keys)))
    assert len(eve.heard_of(GivenList)) == 32
    assert 200_000 < mesh.bytes < 512_000
    bare = [SignedHead.read(given.head, given.signature) for given in eve.heard_of(GivenList) if not given.pages]
    mesh.bytes = 0
    mesh.say(eve, ada, WantPages(tuple(digest for head in bare for digest in head.page_digests)[:8]))
    assert sum(bool(given.page) for given in eve.heard_of(GivenPage)) == 8
    assert 300_000 < mesh.bytes < 512_000


def test_a_list_is_given_once_on_a_link_and_what_was_given_is_forgotten_with_the_list(mesh, ada):
    eve = mesh.puppet("eve", ada)
    want = WantLists((bytes(mesh.place.issuer.public),))
    for sequence in range(2, 12):
        tell(mesh, ada, mesh.place.make_list(sequence, revoked=subjects(1_001 + sequence)))
        mesh.say(eve, ada, want, want)
    assert len(eve.heard_of(GivenList)) == 10
    link = ada.overlay._facts.lists._links[ada.links["eve"]]
    assert (len(link.given), len(link.owed)) == (1, 2)


def test_a_list_is_offered_once_however_often_it_is_given(mesh, ada, long_list):
    eve = mesh.puppet("eve", ada)
    mesh.say(eve, ada, *[head_of(long_list)] * 3)
    assert len(ada.overlay._facts.lists._links[ada.links["eve"]].offered) == 1


def test_of_lists_that_nobody_finishes_few_pages_are_kept(mesh, ada):
    """A false issuer and its friends can go on for ever."""
    eve = mesh.puppet("eve", ada)
    for number in range(2, 40):
        pages = [rows(number * MAX_PAGES + page) for page in range(MAX_PAGES)]
        mesh.say(eve, ada, head_of(hand_made(mesh.place, number, pages)), *map(GivenPage, pages[:8]))
        mesh.part(eve, ada)
        mesh.join(eve, ada)
    assert len(waiting(ada)) == lists.MAX_WAITING == 128


def test_one_peer_offers_no_more_lists_than_a_few_dozen(mesh, ada):
    eve = mesh.puppet("eve", ada)
    made = [hand_made(mesh.place, number, [rows(number)]) for number in range(2, 102)]
    mesh.say(eve, ada, *map(head_of, made))
    assert len(ada.overlay._facts.lists._links[ada.links["eve"]].offered) == lists.MAX_OFFERED


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(one, marks=pytest.mark.long) for one in range(5, 20))])
def test_whatever_peers_do_with_signed_heads_little_is_kept_and_an_honest_list_arrives(mesh, ada, seed, monkeypatch):
    monkeypatch.setattr(lists, "MAX_WAITING", 2 * MAX_PAGES)
    monkeypatch.setattr(lists, "MAX_OFFERED", 5)
    chance, place = random.Random(seed), mesh.place
    pages = [rows(number) for number in range(64)]
    puppets = [mesh.puppet(name, ada) for name in ("eve", "mallory", "trudy")]
    for _ in range(150):
        puppet = chance.choice(puppets)
        what = chance.randrange(6)
        if what == 0:
            start = chance.randrange(48)
            one = hand_made(place, chance.randrange(2, 40), pages[start : start + chance.randrange(1, 17)])
            mesh.say(puppet, ada, head_of(one))
        elif what == 1:
            mesh.say(puppet, ada, GivenPage(chance.choice([b"", b"", *pages])))
        elif what == 2:
            mesh.wait(chance.choice([1, 5, 11]))
        elif what == 3:
            mesh.part(puppet, ada)
            mesh.join(puppet, ada)
        else:
            owing = ada.overlay._facts.lists._links[ada.links[puppet.name]].asked or ()
            mesh.say(puppet, ada, *(GivenPage(page) for page in pages if page_digest(page) in owing))
        assert len(waiting(ada)) <= 2 * MAX_PAGES
        assert all(len(link.offered) <= 5 for link in ada.overlay._facts.lists._links.values())
    assert not ada.blamed
    honest = place.make_list(50, revoked=subjects(5_000))
    mesh.join(mesh.add("bob", lists=(place.first_list, honest)), ada)
    mesh.wait(3 * lists.TIMEOUT / 10**9)
    assert sequence_of(ada) == 50


def test_a_list_that_is_not_taken_lets_nobody_be_judged_before_its_older_one_is_whole(mesh, ada, long_list):
    newest = mesh.place.make_list(3, now=mesh.place.START + 5_000)
    bob = mesh.puppets["bob"] = Speaker("bob", None, mesh.place.keys("bob")[0].public)
    mesh.join(ada, bob)
    mesh.say(bob, ada, Heads((IssuerRevocations(current=(newest,)).head,)))
    mesh.say(bob, ada, head_of(long_list), GivenList(newest.head, newest.signature, newest.pages))
    assert not ada.did(effects.ListsCompared)
    mesh.say(bob, ada, *map(GivenPage, long_list.pages))
    assert ada.did(effects.ListsCompared)


def test_whoever_can_give_a_page_is_asked_when_another_has_been_silent_whichever_came_first(mesh):
    place = mesh.place
    ada = mesh.add("ada", policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))
    one = place.make_list(2, revoked=subjects(3_000))
    two = place.make_list(2, revoked=subjects(3_000), issuer=place.second)
    bob, eve = mesh.puppet("bob", ada), mesh.puppet("eve", ada)
    mesh.say(bob, ada, head_of(one), head_of(two))
    mesh.say(eve, ada, head_of(two))  # and never a page
    mesh.say(bob, ada, *(GivenPage(pages_of(one)[digest]) for digest in asked(bob)), GivenPage(b""))
    mesh.now = ada.overlay._facts.lists.deadline()
    mesh.carry_out(ada, ada.overlay.tick(mesh.instant))
    mesh.pump()
    assert set(two.page_digests) <= set(asked(bob))
