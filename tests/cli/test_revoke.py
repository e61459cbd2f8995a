"""`p2pnoise revoke`: subjects by every name, lists that count on and forget nothing."""

import time

import pytest

from cards import IdentityKey, IssuerKey, make_list
from cards.text import to_armor


@pytest.mark.parametrize("way", ["name", "identity", "node_id", "file"])
def test_a_subject_can_be_named_in_every_way(place, issuer, way):
    card = place.make_card()
    view = place.card(card).to_json()
    subject = {"file": card}.get(way) or view[way]
    place.ok("revoke", "add", subject)
    place.ok("revoke", "publish")
    assert place.run("card", "verify", card, "--issuer", issuer, "--revocations",
                     place.issuer / "revocations.pem").exit_code == 7  # fmt: skip


@pytest.mark.usefixtures("issuer")
def test_an_entry_is_kept_a_day_longer_than_the_last_grant(place):
    end = place.card(place.make_card()).grants[0].not_after
    assert place.json("revoke", "add", "db-03")["until"] == end + 86400


@pytest.mark.usefixtures("issuer")
def test_a_stranger_s_identity_is_revoked_for_ten_years(place):
    entry = place.json("revoke", "add", IdentityKey(bytes(32)).public)
    assert entry["until"] - entry["at"] == 3653 * 86400


@pytest.mark.usefixtures("issuer")
def test_an_unknown_name_is_answered_with_near_ones(place):
    place.make_card("db-03")
    result = place.run("revoke", "add", "db-30")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1] == "fix: did you mean db-03?"


@pytest.mark.usefixtures("issuer")
def test_revoking_twice_keeps_the_first(place):
    place.make_card()
    place.ok("revoke", "add", "db-03", "--reason", "lost")
    again = place.json("revoke", "add", "db-03", "--reason", "left")
    assert (again["new"], again["reason"]) == (False, "lost")


@pytest.mark.usefixtures("issuer")
def test_lists_are_numbered_one_after_another_with_all_that_stands(place):
    place.make_card()
    place.ok("revoke", "add", "db-03")
    assert [place.json("revoke", "publish")["sequence"] for _ in range(3)] == [2, 3, 4]
    assert place.json("revoke", "publish")["entries"] == 1


@pytest.mark.usefixtures("issuer")
def test_who_publishes_for_longer_than_nodes_take_is_told_what_they_need(place):
    key = 'list_lifetime = "90d"'
    assert key not in place.ok("revoke", "publish", "--days", "30").stderr
    assert key in place.ok("revoke", "publish", "--days", "90").stderr


def test_a_card_with_a_list_due_too_late_is_installed_where_the_policy_takes_it(place, issuer):
    place.ok("revoke", "publish", "--days", "90")
    card = place.make_card()
    result = place.run("card", "install", card, "--issuer", issuer)
    assert result.exit_code == 5
    assert 'where that issuer stays offline: list_lifetime = "90d"' in result.stderr
    (place.node / "policy.toml").write_text('network = "example-net"\nlist_lifetime = "90d"\n')
    place.ok("card", "install", card, "--issuer", issuer)
    assert place.json("trust", "explain", card)["ok"]


@pytest.mark.usefixtures("issuer")
def test_a_list_is_not_written_over_something_else(place):
    place.ok("id", "new")
    key = (place.node / "identity.key").read_bytes()
    assert place.run("revoke", "publish", "--output", place.node / "identity.key").exit_code == 3
    assert (place.node / "identity.key").read_bytes() == key
    assert place.json("revoke", "publish")["sequence"] == 2


def test_lists_of_other_issuers_stay_in_an_output_file(place, issuer):
    other = make_list(IssuerKey(bytes(32)), network="example-net", sequence=1, now=int(time.time()))
    (place / "lists").write_text(to_armor("REVOCATION LIST", other.raw))
    place.ok("revoke", "publish", "--output", place / "lists")
    lists = place.json("card", "show", place / "lists")["revocation_lists"]
    assert {one["issuer"] for one in lists} == {issuer, str(other.issuer)}


@pytest.mark.usefixtures("issuer")
def test_a_restored_registry_goes_on_above_the_published_list_and_forgets_nothing(place):
    place.make_card()
    backup = (place.issuer / "registry.db").read_bytes()
    place.ok("revoke", "add", "db-03")
    assert place.json("revoke", "publish")["sequence"] == 2
    (place.issuer / "registry.db").write_bytes(backup)
    after = place.json("revoke", "publish")
    assert (after["sequence"], after["entries"]) == (3, 1)


@pytest.mark.usefixtures("issuer")
def test_a_lost_list_is_mended_by_publishing(place):
    (place.issuer / "revocations.pem").write_text("torn")
    assert "fix: write it anew: p2pnoise revoke publish" in place.run("card", "issue", place.make_request()).stderr
    assert place.json("revoke", "publish")["sequence"] == 2
    place.make_card()


def test_what_is_revoked_is_listed_with_what_is_published(place, issuer):
    card = place.make_card()
    place.make_card("db-04", "second")
    place.ok("revoke", "add", "db-03", "--reason", "lost")
    place.ok("revoke", "publish")
    place.ok("revoke", "add", place.card(place / "second.card").card_id.hex())
    place.ok("revoke", "add", IdentityKey(bytes(32)).public)
    (place.issuer / "issuer.key").unlink()
    found = {one["label"]: one["published"] for one in place.json("revoke", "list")["revocations"]}
    assert found == {"db-03": True, "db-04, card 1": False, IdentityKey(bytes(32)).public.hex(): False}
    lines = place.ok("revoke", "list").stdout.splitlines()
    assert lines[0].split() == ["SUBJECT", "REASON", "SINCE", "UNTIL", "PUBLISHED"]
    assert str(place.card(card).identity) not in lines[1]


def test_an_issuer_does_not_revoke_itself(place, issuer):
    place.refuses("revoke", "add", issuer, says="that is this issuer itself", code=2)


@pytest.mark.usefixtures("installed")
def test_an_identity_is_not_ended_in_passing(place):
    place.refuses("revoke", "self", "--reason", "lost", says="ends the identity for good", code=2)
    assert not (place.node / "statements.pem").exists()


@pytest.mark.usefixtures("installed")
def test_an_identity_ends_itself_without_its_issuer(place):
    place.ok("revoke", "self", "--reason", "key-compromise", "--yes")
    verdict = place.run("card", "verify")
    assert verdict.exit_code == 7
    assert "by its own identity key" in verdict.stdout


def test_an_end_signed_for_later_changes_nothing_yet(place, installed, issuer):
    place.ok("revoke", "self", "--reason", "lost", "-o", place / "later.pem")
    assert place.run("card", "verify").exit_code == 0
    judged = ("card", "verify", installed, "--issuer", f"ops={issuer}")
    assert place.run(*judged).exit_code == 0
    assert place.run(*judged, "--statements", place / "later.pem").exit_code == 7


def test_an_end_can_be_signed_before_there_is_a_card(place):
    place.ok("id", "new")
    assert place.run("revoke", "self", "--reason", "lost", "-o", place / "later.pem").exit_code == 2
    place.ok("revoke", "self", "--reason", "lost", "--network", "example-net", "-o", place / "later.pem")


def test_no_list_is_written_over_a_statement(place, issuer):
    place.ok("id", "new")
    place.ok("revoke", "self", "--reason", "lost", "--network", "example-net", "-o", place / "later.pem")
    mixed = (place.issuer / "revocations.pem").read_text() + (place / "later.pem").read_text()
    (place / "mixed.pem").write_text(mixed)
    place.refuses("revoke", "publish", "--output", place / "mixed.pem", says="holds a self-revocation", code=3)
    assert (place / "mixed.pem").read_text() == mixed
