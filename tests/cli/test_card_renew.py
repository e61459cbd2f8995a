"""`p2pnoise card renew`, `card new` and `card request --identity`: signed where the identity key is, and again."""

import pytest

from cards import IdentityKey, Policy, verify_card


@pytest.fixture
def safe(place):
    """A folder with an identity key alone, and its public half."""
    return str(place.json("id", "new", "--only", "identity", "--home", place / "safe")["identity"])


@pytest.fixture
def claim(place, safe):
    """What a node whose identity key is in the safe has signed."""
    place.ok("id", "new", "--only", "node")
    place.ok("card", "request", "--network", "example-net", "--identity", safe, "-o", place / "claim")
    return place / "claim"


def level(card):
    return verify_card(card, policy=Policy(network="example-net"), now=card.issued_at).level


@pytest.mark.usefixtures("installed")
def test_a_renewed_card_follows_the_one_before(place):
    old = place.card(place.node / "card.pem")
    place.ok("card", "renew", "-o", place / "renewed")
    new = place.card(place / "renewed")
    assert (new.sequence, new.previous, new.name, new.node_id) == (2, old.card_id, old.name, old.node_id)
    assert new.not_after - new.not_before == old.not_after - old.not_before
    assert level(new) == "known"


@pytest.mark.usefixtures("installed")
def test_a_card_is_renewed_where_the_identity_key_is_and_the_node_key_is_not(place):
    place.json("id", "new", "--only", "identity", "--home", place / "safe")
    (place / "safe" / "identity.key").write_bytes((place.node / "identity.key").read_bytes())
    place.ok("card", "renew", place.node / "card.pem", "--home", place / "safe", "-o", place / "renewed")
    place.ok("card", "renew", place.node / "card.pem", "--home", place / "safe", "-o", place / "again")
    assert [place.card(place / name).sequence for name in ("renewed", "again")] == [2, 3]
    place.ok("card", "issue", place / "again", "-o", place / "granted")
    place.ok("card", "install", place / "granted")


def test_a_card_of_another_identity_is_not_renewed_here(place, installed):
    place.ok("id", "new", "--home", place / "second")
    place.refuses("card", "renew", installed, "--home", place / "second", says="the card is of id1", code=9)


def test_a_card_that_nobody_signed_is_not_renewed(place, claim):
    result = place.run("card", "renew", claim, "--home", place / "safe")
    assert result.exit_code == 4
    assert "key-signature-invalid" in result.stderr


def test_there_is_nothing_to_renew_without_a_card(place):
    place.ok("id", "new")
    place.refuses("card", "renew", says="to renew", code=1)


def test_a_grant_is_renewed_as_it_was(place, issuer):
    place.ok("card", "issue", place.make_request(), "--group", "db", "--days", "90", "-o", place / "first")
    place.ok("card", "renew", place / "first", "--grant", "-o", place / "second")
    first, second = place.card(place / "first"), place.card(place / "second")
    assert first.card_id == second.card_id
    (old,), (new,) = first.grants, second.grants
    assert (new.groups, new.position, new.serial) == (old.groups, old.position, 2)
    assert new.not_after - new.not_before == old.not_after - old.not_before


@pytest.mark.usefixtures("issuer")
def test_what_was_never_granted_is_not_granted_again(place):
    place.refuses("card", "renew", place.make_request(), "--grant", says="never granted anything to db-03", code=2)


@pytest.mark.usefixtures("issuer")
def test_a_revoked_identity_is_not_granted_again(place):
    card = place.make_card()
    place.ok("revoke", "add", "db-03")
    assert place.run("card", "renew", card, "--grant").exit_code == 7


def test_what_a_node_signed_for_an_identity_elsewhere_counts_for_nothing_by_itself(place, issuer, claim):
    assert level(place.card(claim)) == "reject"
    assert place.run("card", "issue", claim).exit_code == 4
    assert place.run("card", "install", claim, "--issuer", issuer).exit_code == 4


def test_the_identity_key_makes_a_card_of_it_and_no_secret_travels(place, issuer, safe, claim):
    place.ok("card", "new", claim, "--name", "db-03", "--home", place / "safe", "-o", place / "db.request")
    card = place.card(place / "db.request")
    assert (level(card), card.name, str(card.identity), card.node_id) == (
        "known", "db-03", safe, place.card(claim).node_id,
    )  # fmt: skip
    place.ok("card", "issue", place / "db.request", "-o", place / "db.card")
    place.install(place / "db.card", issuer)
    assert place.run("card", "verify").exit_code == 0
    assert not (place.node / "identity.key").exists()


@pytest.mark.usefixtures("issuer")
def test_a_claim_for_another_identity_is_not_signed(place, claim):
    place.ok("id", "new", "--home", place / "second")
    place.refuses("card", "new", claim, "--home", place / "second", says="is for id1", code=9)


def test_card_new_without_a_file_is_card_request(place):
    place.ok("id", "new")
    place.ok("card", "new", "--name", "db-03", "--network", "example-net", "-o", place / "made")
    assert level(place.card(place / "made")) == "known"
    assert place.run("card", "new").exit_code == 2


@pytest.mark.usefixtures("installed")
def test_a_node_key_signs_for_no_second_identity(place):
    (place.node / "identity.key").unlink()
    other = IdentityKey(b"x" * 32).public
    place.refuses("card", "request", "--network", "example-net", "--identity", other,
                  says="this node's key has signed for id1", code=9)  # fmt: skip


def test_an_identity_elsewhere_is_not_asked_for_where_one_lies_here(place):
    place.ok("id", "new")
    other = IdentityKey(b"x" * 32).public
    place.refuses("card", "request", "--network", "n", "--identity", other, says="identity.key lies here", code=2)
