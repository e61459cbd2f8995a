"""`p2pnoise id` and `issuer`: keys are made once, shown by their public halves, never replaced by accident."""

import re

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


def test_one_key_alone_is_never_made_beside_another(place):
    place.ok("id", "new")
    before = place.snapshot(place.node)
    for only in ("identity", "node"):
        assert place.run("id", "new", "--only", only, "--force").exit_code == 1
    assert place.snapshot(place.node) == before


@pytest.mark.parametrize(("only", "file"), [("identity", "identity.key"), ("node", "node.key")])
def test_a_folder_with_one_key_shows_that_one(place, only, file):
    made = place.json("id", "new", "--only", only)
    assert [path.name for path in place.node.glob("*.key")] == [file]
    assert place.json("id", "show") == made


def test_a_fingerprint_is_the_same_by_key_and_by_card(place, issuer):
    request = place.make_request()
    identity = place.json("id", "show")["identity"]
    (by_key,) = place.ok("id", "fingerprint", identity).stdout.splitlines()
    assert by_key == place.ok("id", "fingerprint", request).stdout.splitlines()[0]
    assert by_key == place.ok("id", "fingerprint").stdout.splitlines()[0]
    assert place.json("id", "fingerprint", identity)["identity"]["fingerprint"] == by_key.split()[1]


def test_a_mistyped_key_has_no_fingerprint(place):
    place.ok("id", "new")
    identity = place.json("id", "show")["identity"]
    wrong = identity[:-1] + ("q" if identity[-1] != "q" else "p")
    place.refuses("id", "fingerprint", wrong, says="is mistyped", code=2)


def test_an_identity_is_drawn_for_a_label(place):
    place.ok("id", "new")
    assert re.search("[▀▄█]", place.ok("id", "show", "--qr").stdout)


def test_new_keys_take_those_that_waited_along(place):
    place.ok("id", "new", "--commit-next")
    assert place.json("id", "show")["waiting"] == ["identity.key.next"]
    place.ok("id", "new", "--force")
    assert place.json("id", "show")["waiting"] == []
