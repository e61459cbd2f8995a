"""`p2pnoise id` and `issuer`: keys are made once, shown by their public halves, never replaced by accident."""

import pytest


def test_keys_are_not_replaced_without_force(place):
    place.ok("id", "new")
    before = (place.node / "identity.key").read_bytes()
    assert place.run("id", "new").exit_code == 1
    assert (place.node / "identity.key").read_bytes() == before


def test_forced_keys_are_both_new_and_take_the_old_card_along(place):
    first = place.json("id", "new")
    result = place.ok("id", "new", "--force")
    assert "so is the card that was made for them" in result.stderr
    second = place.json("id", "show")
    assert first["identity"] != second["identity"]
    assert first["node_id"] != second["node_id"]


@pytest.mark.usefixtures("issuer")
def test_no_secret_is_ever_printed(place):
    place.ok("id", "new")
    said = place.ok("id", "show").output + place.ok("id", "show", "--json").output
    for key in (place.node / "identity.key", place.node / "node.key", place.issuer / "issuer.key"):
        secret = key.read_text().splitlines()[1]
        said += place.run("card", "verify", key).output + place.run("card", "show", key, "--json").output
        assert secret not in said


@pytest.mark.usefixtures("issuer")
def test_an_issuer_is_never_replaced(place):
    before = (place.issuer / "issuer.key").read_bytes()
    assert place.run("issuer", "new", "other", "--network", "n").exit_code == 1
    assert (place.issuer / "issuer.key").read_bytes() == before


def test_a_new_issuer_publishes_an_empty_list_with_number_one(place, issuer):
    (shown,) = place.json("card", "show", place.issuer / "revocations.pem")["revocation_lists"]
    assert (shown["sequence"], shown["entries"], shown["issuer"]) == (1, [], issuer)
