"""`p2pnoise card install`: a card comes into use only where keys, policy, lists and history agree."""

import time

import pytest

from cards import IssuerKey, RevocationList, grant, make_list
from cards.text import from_armor, to_armor


@pytest.mark.usefixtures("issuer")
def test_the_first_install_needs_an_issuer_to_believe(place):
    result = place.run("card", "install", place.make_card())
    assert result.exit_code == 5
    assert "fix: say whom to believe: p2pnoise card install FILE --issuer" in result.stderr


@pytest.mark.usefixtures("installed")
def test_later_installs_go_by_the_policy(place):
    place.ok("card", "install", place.make_card())


@pytest.mark.parametrize("name", ["identity.key", "node.key"])
def test_a_card_is_installed_only_where_its_keys_are(place, issuer, name):
    card = place.make_card()
    place.ok("id", "new", "--home", place / "second")
    (place.node / name).write_bytes((place / "second" / name).read_bytes())
    result = place.run("card", "install", card, "--issuer", issuer)
    assert result.exit_code == 9
    assert f"{name} is not the key that the card names" in result.stderr
    assert not (place.node / "card.pem").exists()


@pytest.mark.usefixtures("installed")
def test_a_card_of_another_issuer_is_not_installed(place):
    other = IssuerKey(bytes(32))
    request = place.card(place.make_request())
    card = grant(other, request, serial=1, now=int(time.time()), entropy=bytes)
    (place / "foreign").write_text(card.to_text())
    before = (place.node / "card.pem").read_bytes()
    assert place.run("card", "install", place / "foreign").exit_code == 5
    assert (place.node / "card.pem").read_bytes() == before


def test_an_older_card_is_not_installed_over_a_newer_one(place, issuer):
    old = place.make_card().read_text()
    place.install(place.make_card(), issuer)
    result = place.run("card", "install", "-", input=old)
    assert result.exit_code == 8
    assert "rollback" in result.stderr


def test_installing_the_same_card_again_is_fine(place, installed):
    place.ok("card", "install", installed)


@pytest.mark.usefixtures("issuer")
def test_an_older_list_does_not_replace_a_newer_one(place, installed):
    place.ok("revoke", "publish", "--output", place.node / "revocations.pem")
    newer = (place.node / "revocations.pem").read_bytes()
    place.ok("card", "install", installed)
    assert (place.node / "revocations.pem").read_bytes() == newer


@pytest.mark.usefixtures("installed")
def test_a_newer_list_in_the_file_is_taken_over(place):
    place.ok("revoke", "publish")
    place.ok("card", "install", place.make_card())
    assert (place.node / "revocations.pem").read_bytes() == (place.issuer / "revocations.pem").read_bytes()


def test_a_card_without_any_list_is_not_installed(place, issuer):
    (place / "bare").write_text(place.card(place.make_card()).to_text())
    result = place.run("card", "install", place / "bare", "--issuer", issuer)
    assert result.exit_code == 5
    assert "revocation-missing" in result.stderr
    assert not (place.node / "policy.toml").exists()


def test_another_issuer_is_added_to_the_policy_as_people_wrote_it(place, installed):
    policy = place.node / "policy.toml"
    policy.write_text("# ours\n" + policy.read_text())
    place.ok("card", "install", installed, "--issuer", f"b={IssuerKey(bytes(32)).public}")
    assert policy.read_text().startswith("# ours\n")
    assert '[issuer."b"]' in policy.read_text()


def test_one_name_is_not_given_to_two_issuers(place, installed):
    result = place.run("card", "install", installed, "--issuer", f"ops={IssuerKey(bytes(32)).public}")
    assert result.exit_code == 8


def test_a_card_beside_a_forged_list_is_not_installed(place, issuer):
    card = place.make_card()
    blocks = from_armor(card.read_text())
    (raw,) = (raw for label, raw in blocks if label == "REVOCATION LIST")
    genuine = RevocationList.parse(raw)
    newer = make_list(IssuerKey(bytes(32)), network="example-net", sequence=9, now=int(time.time()))
    forged = newer.raw.replace(bytes(newer.issuer), bytes(genuine.issuer))
    card.write_text(card.read_text() + to_armor("REVOCATION LIST", forged))
    assert place.run("card", "install", card, "--issuer", issuer).exit_code == 4
    assert not (place.node / "card.pem").exists()


def test_statements_beside_a_card_are_taken_over_once(place, issuer):
    card = place.make_card()
    place.install(card, issuer)
    place.ok("revoke", "self", "--reason", "lost", "--home", place.node, "-o", place / "end")
    place.ok("id", "new", "--home", place / "second")
    other = place.make_card("db-04", "second")
    other.write_text(other.read_text() + (place / "end").read_text())
    for _ in range(2):
        place.ok("card", "install", other, "--issuer", f"ops={issuer}", "--home", place / "second")
    (kept,) = from_armor((place / "second" / "statements.pem").read_text())
    assert kept[0] == "SELF-REVOCATION"
