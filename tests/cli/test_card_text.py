"""`p2pnoise card export`, `import` and `diff`: every form comes back as the same card, and two are told apart."""

import re
import time
from xml.etree import ElementTree as ET

import pytest

from cards import IssuerKey, grant
from cards.text import from_base32


@pytest.mark.parametrize("form", ["--line", "--base32", "--block"])
def test_every_text_form_is_imported_as_the_same_card(place, installed, form):
    text = place.ok("card", "export", form).stdout
    place.ok("card", "import", "-o", place / "back", input=text)
    assert place.card(place / "back").raw == place.card(installed).raw


def test_the_json_view_has_every_text_form(place, installed):
    view = place.json("card", "export")
    card = place.card(installed)
    assert view["card"]["card_id"] == card.card_id.hex()
    assert (view["line"], from_base32("CARD1", view["base32"])) == (card.to_text(), card.raw)


@pytest.mark.usefixtures("installed")
def test_a_qr_code_is_drawn_in_the_terminal(place):
    assert re.search("[▀▄█]", place.ok("card", "export", "--qr").stdout)


@pytest.mark.usefixtures("installed")
def test_a_qr_code_is_a_picture_too(place):
    place.ok("card", "export", "--svg", place / "card.svg")
    assert ET.parse(place / "card.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.usefixtures("installed")
def test_an_export_replaces_nothing_unasked(place):
    (place / "there").write_text("old")
    assert place.run("card", "export", "-o", place / "there").exit_code == 1
    assert place.run("card", "export", "--svg", place / "there").exit_code == 1
    assert (place / "there").read_text() == "old"


@pytest.mark.parametrize("named", ["ops", "key"])
def test_an_export_can_leave_out_the_signatures_of_others(place, issuer, installed, named):
    other = IssuerKey(bytes(32))
    both = grant(other, place.card(installed), serial=1, now=int(time.time()), entropy=bytes)
    (place / "both").write_text(both.to_text())
    place.ok("card", "export", place / "both", "--issuer", "ops" if named == "ops" else issuer, "-o", place / "one")
    assert place.card(place / "one").raw == place.card(installed).raw


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("who", ["nobody", str(IssuerKey(bytes(32)).public)])
def test_a_signature_that_is_not_there_cannot_be_exported(place, who):
    assert place.run("card", "export", "--issuer", who).exit_code == 2


def test_an_import_brings_the_list_beside_the_card_along(place, installed):
    assert place.ok("card", "import", installed).stdout == installed.read_text()


@pytest.mark.usefixtures("issuer")
def test_an_import_of_anything_but_a_card_is_refused(place):
    place.refuses("card", "import", place.issuer / "revocations.pem", says="holds no card", code=3)


def test_the_same_card_differs_in_nothing(place, installed):
    found = place.json("card", "diff", installed, place.node / "card.pem")
    assert (found["same"], found["relation"], found["differences"]) == (True, "the same card", [])


@pytest.mark.usefixtures("issuer")
def test_a_renewed_grant_is_told_from_a_new_card(place, installed):
    place.ok("card", "issue", installed, "--group", "db", "-o", place / "again")
    found = place.ok("card", "diff", installed, place / "again").stdout
    assert found.startswith("db-03: one card with other app signatures\n")
    assert "serial 2" in found
    assert "groups db" in found
    after = place.ok("card", "diff", installed, place.make_request()).stdout
    assert after.startswith("db-03: the second is newer, made to follow the other\n")


def test_two_cards_with_one_number_are_called_by_their_usual_cause(place, installed):
    (place.node / "request.pem").unlink()
    (place.node / "card.pem").unlink()
    place.ok("card", "request", "--name", "other", "--network", "example-net", "-o", place / "twin")
    assert "a restored backup, or a cloned image" in place.ok("card", "diff", installed, place / "twin").stdout


@pytest.mark.usefixtures("issuer")
def test_two_identities_are_told_apart(place, installed):
    assert "cards of two identities" in place.ok("card", "diff", installed, place.make_request("a", "b")).stdout


def test_stdin_holds_one_card_alone(place):
    assert place.run("card", "diff", "-", "-").exit_code == 2
