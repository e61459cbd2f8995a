"""`p2pnoise card request` and `card issue`: who gets a grant, who does not, and what is remembered."""

import time

import pytest

from cards import Card, IdentityKey, make_card
from cards.text import from_armor, to_armor

YEAR = 365 * 86400


@pytest.mark.usefixtures("issuer")
def test_every_request_has_the_next_number_and_names_the_installed_card(place, installed):
    assert place.card(place.make_request()).sequence == 2
    again = place.card(place.make_request())
    assert again.sequence == 3
    assert again.previous == place.card(installed).card_id


@pytest.mark.usefixtures("installed")
def test_a_new_identity_counts_from_one(place):
    place.ok("id", "new", "--force")
    request = place.card(place.make_request())
    assert (request.sequence, request.previous) == (1, None)


def test_a_request_is_kept_before_it_is_written_out(place):
    place.ok("id", "new")
    (place / "there").write_text("old")
    assert place.run("card", "request", "--network", "n", "-o", place / "there").exit_code == 1
    assert not (place.node / "request.pem").exists()
    assert (place / "there").read_text() == "old"


@pytest.mark.usefixtures("issuer")
def test_a_renewal_keeps_the_position_and_takes_a_new_serial(place):
    first = place.card(place.make_card()).grants[0]
    second = place.card(place.make_card()).grants[0]
    assert second.position == first.position
    assert second.serial > first.serial


@pytest.mark.usefixtures("issuer")
def test_issuing_writes_the_card_and_then_the_current_list(place):
    text = place.make_card().read_text()
    assert [label for label, _ in from_armor(text)] == ["CARD", "REVOCATION LIST"]


@pytest.mark.usefixtures("issuer")
def test_a_name_of_another_identity_is_refused_and_its_holder_named(place):
    place.make_card("db-03")
    holder = place.json("id", "show")["identity"]
    result = place.run("card", "issue", place.make_request("db-03", "second"))
    assert result.exit_code == 8
    assert f"the name db-03 is held by db-03, {holder[:11]}" in result.stderr
    assert result.stdout == ""


@pytest.mark.usefixtures("issuer")
def test_a_name_is_free_again_once_its_holder_is_revoked(place):
    place.make_card("db-03")
    place.ok("revoke", "add", "db-03")
    place.make_card("db-03", "second")


@pytest.mark.usefixtures("issuer")
def test_a_node_of_another_identity_is_refused(place):
    place.make_card()
    _, node = place.keys(place.node)
    card = make_card(IdentityKey(bytes(32)), node, network="example-net", now=int(time.time()))
    (place / "second").write_text(to_armor("CARD", card.raw))
    result = place.run("card", "issue", place / "second")
    assert result.exit_code == 8
    assert "was granted to another identity: db-03" in result.stderr


@pytest.mark.usefixtures("issuer")
def test_a_revoked_identity_gets_nothing_more(place):
    request = place.make_request()
    place.ok("card", "issue", request)
    place.ok("revoke", "add", "db-03", "--reason", "left")
    result = place.run("card", "issue", place.make_request())
    assert result.exit_code == 7
    assert "reason left" in result.stderr


@pytest.mark.usefixtures("issuer")
def test_a_revoked_card_gets_nothing_more_while_its_identity_may(place):
    card = place.make_card()
    place.ok("revoke", "add", place.card(card).card_id.hex())
    assert place.run("card", "issue", card).exit_code == 7
    place.make_card()


@pytest.mark.usefixtures("issuer")
def test_an_older_card_than_the_granted_one_is_refused(place):
    old = place.make_request().read_text()
    place.make_card()
    result = place.run("card", "issue", "-", input=old)
    assert result.exit_code == 8
    assert "rollback" in result.stderr


@pytest.mark.usefixtures("issuer")
def test_a_request_for_another_network_is_refused(place):
    place.ok("id", "new")
    place.ok("card", "request", "--network", "other-net", "-o", place / "request")
    result = place.run("card", "issue", place / "request")
    assert result.exit_code == 5
    assert "NOT GRANTED" in result.stderr
    assert "wrong-network" in result.stderr


@pytest.mark.usefixtures("issuer")
def test_a_request_without_node_signature_is_refused(place):
    card = place.card(place.make_request())
    bare = Card.from_body(card.body, card.key_signature, b"")
    (place / "bare").write_text(bare.to_text())
    assert place.run("card", "issue", place / "bare").exit_code == 9


@pytest.mark.usefixtures("issuer")
def test_a_request_changed_after_signing_is_refused(place):
    card = place.card(place.make_request())
    other = Card.from_body(card.body.replace(b"db-03", b"db-04"), card.key_signature, card.node_signature)
    (place / "changed").write_text(other.to_text())
    assert place.run("card", "issue", place / "changed").exit_code == 4


@pytest.mark.usefixtures("issuer")
def test_an_expired_request_is_refused(place):
    place.ok("id", "new")
    old = make_card(*place.keys(place.node), network="example-net", now=int(time.time()) - 2 * YEAR, lifetime=YEAR)
    (place / "old").write_text(old.to_text())
    assert place.run("card", "issue", place / "old").exit_code == 6


@pytest.mark.usefixtures("issuer")
def test_a_grant_whose_output_exists_spends_nothing(place):
    request = place.make_request()
    (place / "there").write_text("old")
    assert place.run("card", "issue", request, "-o", place / "there").exit_code == 1
    place.ok("card", "issue", request, "-o", place / "card")
    assert place.card(place / "card").grants[0].serial == 1


def test_a_suggested_command_can_be_pasted_whatever_the_file_is_called(place):
    place.ok("id", "new")
    result = place.ok("card", "request", "--network", "n", "-o", place / "my request")
    assert f"p2pnoise card issue '{place / 'my request'}' -o" in result.stderr


def test_a_foreign_identity_key_cannot_make_the_folder_forget_its_numbers(place, installed):
    home = place / "node"
    (home / "identity.key").write_bytes((place / "issuer" / "issuer.key").read_bytes())
    before = place.snapshot(home)
    place.refuses("card", "request", "--network", "example-net", says="is not the key of the cards in", code=9)
    assert place.snapshot(home) == before


def test_new_keys_begin_their_numbers_anew(place, installed):
    place.ok("id", "new", "--force")
    assert place.json("card", "request", "--network", "example-net")["card"]["sequence"] == 1
