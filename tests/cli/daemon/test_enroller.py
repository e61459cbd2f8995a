"""What an issuer's side answers to who wants a grant renewed, by its registry and its signer."""

import sqlite3
import time
from dataclasses import replace

import pytest

from cards import Card, IssuerKey, grant
from cli import documents
from cli.daemon.enroller import Enroller
from cli.folders import IssuerFolder
from cli.output import Fault
from p2pnoise.enrolment import Refused, Renewed

DAY = 86_400


@pytest.fixture
def card(place, issuer):
    """A card whose grant lasts 90 days."""
    place.ok("card", "issue", place.make_request(), "--group", "db", "--days", "90", "-o", place / "card")
    return place.card(place / "card")


@pytest.fixture
def enroller(place, card):
    with Enroller.open(IssuerFolder(place.issuer), lambda: (), lifetime=365 * DAY) as found:
        yield found


@pytest.fixture
def later(monkeypatch):
    """Have so many seconds pass."""
    started = int(time.time())

    def pass_by(seconds):
        monkeypatch.setattr("cli.options.now", lambda: started + seconds)

    return pass_by


def renewed(answer) -> Card:
    assert isinstance(answer, Renewed), answer
    return Card.parse(answer.card)


def test_in_the_first_half_of_its_life_a_grant_stays_as_it_is(enroller, card, later):
    later(44 * DAY)
    assert renewed(enroller.renew(card)) == card


def test_in_the_second_half_there_is_a_new_one_of_the_same_kind(enroller, card, later):
    later(46 * DAY)
    new = renewed(enroller.renew(card))
    (old,), (grant_,) = card.grants, new.grants
    assert new.body == card.body
    assert (grant_.groups, grant_.position) == (old.groups, old.position)
    assert (grant_.serial, grant_.not_after - grant_.not_before) == (2, 90 * DAY)


def test_what_is_renewed_lasts_no_longer_than_is_given_now(place, card, later):
    later(46 * DAY)
    with Enroller.open(IssuerFolder(place.issuer), lambda: (), lifetime=30 * DAY) as enroller:
        (new,) = renewed(enroller.renew(card)).grants
    assert new.not_after - new.issued_at == 30 * DAY


def test_what_ended_a_week_ago_is_renewed_and_what_ended_before_is_not(enroller, card, later):
    later(97 * DAY)
    assert enroller.renew(card) == Refused("not-renewed", "it ended more than 7 days ago")
    later(97 * DAY - 60)
    assert renewed(enroller.renew(card)).grants[0].serial == 2


def test_who_asks_twice_gets_the_same_answer(enroller, card, later):
    later(46 * DAY)
    first = enroller.renew(card)
    assert enroller.renew(card) == first
    assert enroller.renew(renewed(first)) == first


def test_the_new_grant_is_good_for_who_carries_others_too(enroller, card, later, place):
    place.ok("issuer", "new", "lab", "--network", "example-net", "--issuer-home", place / "lab")
    both = place / "both"
    place.ok("card", "issue", place / "card", "--issuer-home", place / "lab", "-o", both)
    later(46 * DAY)
    enroller.renew(card)
    new = renewed(enroller.renew(place.card(both)))
    assert {one.serial for one in new.grants} == {1, 2}
    assert {one.kid for one in new.grants} == {one.kid for one in place.card(both).grants}


def test_a_card_that_this_issuer_did_not_grant_is_none_of_ours(enroller, place):
    stranger = place.card(place.make_request("db-04", "other"))
    assert enroller.renew(stranger).code == "no-issuer"


def test_an_older_card_of_the_same_identity_is_none_of_ours(enroller, card, place, later):
    place.ok("card", "request", "--name", "db-03", "--network", "example-net", "-o", place / "next", "--force")
    place.ok("card", "issue", place / "next", "-o", place / "next.card")
    later(46 * DAY)
    assert enroller.renew(card).code == "no-issuer"


@pytest.mark.parametrize("which", ["identity", "card_id"])
def test_what_was_revoked_is_not_renewed(enroller, card, place, later, which):
    subject = card.identity if which == "identity" else card.card_id.hex()
    place.ok("revoke", "add", subject, "--reason", "lost")
    later(46 * DAY)
    assert enroller.renew(card) == Refused("denied", "revoked, reason lost")


def test_a_grant_that_ends_with_its_card_is_not_renewed(place, issuer, later):
    place.ok("id", "new")
    place.ok("card", "request", "--name", "db-03", "--network", "example-net", "--days", "60", "-o", place / "short")
    place.ok("card", "issue", place / "short", "--days", "90", "-o", place / "card")
    with Enroller.open(IssuerFolder(place.issuer), lambda: ()) as enroller:
        later(40 * DAY)
        assert enroller.renew(place.card(place / "card")).code == "card-ends"


def test_a_forged_grant_of_ours_in_the_question_is_not_in_the_answer(enroller, card, later, place):
    later(46 * DAY)
    forged = grant(IssuerKey(bytes(32)), card, serial=9, now=int(time.time()), entropy=bytes)
    of_ours = tuple(replace(one, kid=card.grants[0].kid) for one in forged.grants if one.serial == 9)
    assert renewed(enroller.renew(card.with_grants(of_ours))).grants[0].serial == 2
    kept = renewed(enroller.renew(forged))
    assert renewed(enroller.renew(card)).grants == tuple(one for one in kept.grants if one.kid == card.grants[0].kid)


def test_a_registry_from_an_old_backup_uses_no_serial_again_that_the_card_shows(enroller, card, place, later):
    old = (place.issuer / "registry.db").read_bytes()
    for number in range(3):
        place.ok("card", "renew", place / "card", "--grant", "--days", "90", "-o", place / f"{number}")
    shown = place.card(place / "2")
    assert shown.grants[0].serial == 4
    (place.issuer / "registry.db").write_bytes(old)
    later(46 * DAY)
    assert renewed(enroller.renew(shown)).grants[0].serial == 5


def test_with_the_signer_down_it_says_so_and_renews_once_it_is_back(place, card, later):
    folder = IssuerFolder(place.issuer, place / "signer")
    later(46 * DAY)
    with Enroller.open(folder, lambda: ()) as enroller:
        assert enroller.renew(card).code == "signer-down"
    with Enroller.open(IssuerFolder(place.issuer), lambda: ()) as enroller:
        assert renewed(enroller.renew(card)).grants[0].serial == 2


def test_however_often_it_is_asked_the_whole_registry_is_read_once(place, card, later, monkeypatch):
    said, connect = [], sqlite3.connect

    def traced(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr("sqlite3.connect", traced)
    with Enroller.open(IssuerFolder(place.issuer), lambda: ()) as enroller:
        for day in (1, 46, 80):
            later(day * DAY)
            renewed(enroller.renew(card))
    assert sum("quick_check" in one for one in said) == 1


def test_an_issuer_that_retired_enrols_nobody(place, card):
    place.ok("issuer", "retire", "--reason", "superseded", "--yes")
    with pytest.raises(Fault, match="this issuer retired"), Enroller.open(IssuerFolder(place.issuer), lambda: ()):
        pass


def test_a_grant_of_the_operator_s_hand_between_two_renewals_is_what_counts(enroller, card, later, place):
    later(46 * DAY)
    enroller.renew(card)
    place.ok("card", "renew", place / "card", "--grant", "--days", "300", "-o", place / "by-hand")
    by_hand = place.card(place / "by-hand")
    assert by_hand.grants[0].serial == 3
    assert renewed(enroller.renew(by_hand)) == by_hand
    document = documents.card_block(renewed(enroller.renew(card)))
    assert document  # who lost it gets another one
    assert renewed(enroller.renew(card)).grants[0].serial == 4
