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
