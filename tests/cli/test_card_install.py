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


@pytest.fixture
def apart(place, issuer):
    """The file of a card without its list, which is in revocations.pem in the same folder; and who signed both."""
    (place / "handed").mkdir()
    blocks = from_armor(place.make_card().read_text())
    (place / "handed" / "revocations.pem").write_text(to_armor(*blocks[1]))
    (place / "handed" / "bare").write_text(to_armor(*blocks[0]))
    return place / "handed" / "bare", f"ops={issuer}"


def test_a_card_without_a_list_takes_the_one_that_lies_beside_it(place, apart):
    card, trusted = apart
    place.ok("card", "verify", card, "--issuer", trusted)
    place.ok("card", "install", card, "--issuer", trusted)
    assert (place.node / "revocations.pem").read_bytes() == (place / "handed" / "revocations.pem").read_bytes()


def test_card_and_list_of_two_files_come_in_one_stream(place, apart):
    card, trusted = apart
    both = card.read_text() + card.with_name("revocations.pem").read_text()
    place.ok("card", "install", "-", "--issuer", trusted, input=both)


def test_a_card_alone_on_stdin_has_nothing_beside_it(place, apart, monkeypatch):
    card, trusted = apart
    monkeypatch.chdir(card.parent)
    assert place.run("card", "install", "-", "--issuer", trusted, input=card.read_text()).exit_code == 5


def test_a_card_with_a_list_of_its_own_looks_at_no_other(place, apart, issuer):
    card, _ = apart
    card.with_name("revocations.pem").write_text("broken")
    card.write_text(place.make_card().read_text())
    place.ok("card", "install", card, "--issuer", f"ops={issuer}")


def test_a_broken_list_beside_a_card_is_named_and_the_card_not_installed(place, apart):
    card, trusted = apart
    card.with_name("revocations.pem").write_text("broken")
    place.refuses("card", "install", card, "--issuer", trusted, says="revocations.pem", code=3)
    assert not (place.node / "card.pem").exists()


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
        place.install(other, issuer, "second")
    (kept,) = from_armor((place / "second" / "statements.pem").read_text())
    assert kept[0] == "SELF-REVOCATION"
