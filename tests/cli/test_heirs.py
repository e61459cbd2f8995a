"""An issuer knows the heir of an identity: it takes over name, groups and position, and nobody takes them twice."""

import os

import pytest

from cards import IdentityKey, NodeKey, Succession, make_card
from cards.text import to_armor


@pytest.fixture
def old(place, installed):
    """The card of db-03, in group db, as it was before its identity handed over in `heir.request`."""
    place.ok("card", "issue", place / "node.request", "--group", "db", "-o", installed, "--force")
    place.ok("card", "install", installed)
    place.ok("id", "rotate", "--identity", "-o", place / "heir.request")
    return place.card(installed)


def alone(place):
    """The request of the heir without the succession, which is kept in another file."""
    text = (place / "heir.request").read_text()
    at = text.index("-----BEGIN P2PNOISE SUCCESSION")
    (place / "alone.request").write_text(text[:at])
    (place / "succession.pem").write_text(text[at:])
    return place / "alone.request"


def succession(place, old, heir, name):
    """`old` hands over to `heir`, with a request of the latter, in a file of this name."""
    place.seconds = getattr(place, "seconds", 1) + 1
    values = {"net": "example-net", "iat": place.seconds, "old": bytes(old.public), "new": bytes(heir.public)}
    node = NodeKey.generate(os.urandom)
    now = place.card(place / "node.request").issued_at
    card = make_card(heir, node, network="example-net", now=now, name="db-03")
    one = Succession.make(values, old, heir)
    (place / name).write_text(to_armor("CARD", card.raw) + to_armor("SUCCESSION", one.raw))
    return place / name


def test_an_heir_takes_the_place_of_the_one_before_and_it_is_said(place, old):
    result = place.ok("card", "issue", place / "heir.request", "-o", place / "heir.card")
    assert f"it takes the place of db-03, {old.identity}, serial 2" in result.stderr
    assert "groups are now: none; before: db" in result.stderr
    (grant,) = place.card(place / "heir.card").grants
    assert grant.position == old.grants[0].position


def test_in_json_the_one_before_is_named(place, old):
    taken = place.json("card", "issue", place / "heir.request")["takes_over"]
    assert taken == {"identity": str(old.identity), "serial": 2, "name": "db-03"}
    assert place.json("card", "issue", place / "node.request")["ok"] is False
    assert place.json("card", "issue", place / "heir.request")["takes_over"] is None  # it has its own by now


def test_an_heir_is_granted_as_the_one_before_was(place, old):
    place.ok("card", "renew", place / "heir.request", "--grant", "-o", place / "heir.card")
    (grant,) = place.card(place / "heir.card").grants
    assert (grant.groups, grant.position) == (("db",), old.grants[0].position)


def test_a_succession_in_the_issuer_s_folder_counts_as_one_in_the_request(place, old):
    request = alone(place)
    place.refuses("card", "issue", request, says="the name db-03 is held by", code=8)
    told = place.ok("issuer", "import", place / "succession.pem").stdout
    assert "hands over to" in told
    place.ok("card", "issue", request, "-o", place / "heir.card")
    assert place.card(place / "heir.card").grants[0].position == old.grants[0].position
    assert "SUCCESSION" in (place / "heir.card").read_text()  # nodes need it, too


@pytest.mark.usefixtures("old")
def test_the_heir_of_an_heir_is_found_over_both_steps(place):
    first, _ = place.keys(place.node)
    second, third = IdentityKey(b"2" * 32), IdentityKey(b"3" * 32)
    succession(place, first, second, "second")
    place.ok("issuer", "import", place / "second")
    taken = place.json("card", "issue", succession(place, second, third, "third"))["takes_over"]
    assert taken["identity"] == str(first.public)


@pytest.mark.usefixtures("old")
def test_whoever_has_handed_over_is_granted_nothing_any_more(place):
    place.ok("card", "issue", place / "heir.request", "-o", place / "heir.card")
    place.refuses("card", "issue", place / "node.request", says="this identity handed over to id1", code=7)


@pytest.mark.usefixtures("old")
def test_a_second_heir_is_refused_since_one_of_the_two_is_a_thief_s(place):
    first, _ = place.keys(place.node)
    place.ok("card", "issue", place / "heir.request", "-o", place / "heir.card")
    thief = succession(place, first, IdentityKey(b"x" * 32), "thief")
    place.refuses("card", "issue", thief, says="hands over to id1", code=8)


@pytest.mark.usefixtures("old")
def test_a_revoked_identity_hands_nothing_over(place):
    place.ok("revoke", "add", "db-03", "--reason", "key-compromise")
    place.refuses("card", "issue", place / "heir.request", says="which hands over, was revoked on", code=7)


def test_an_heir_in_a_batch_says_whose_place_it_takes(place, old):
    heir = place.card(place / "heir.request")
    (place / "fleet.csv").write_text(f"identity\n{heir.identity}\n")
    (place / "requests").mkdir()
    (place / "requests" / "heir").write_bytes((place / "heir.request").read_bytes())
    line = place.json("card", "issue", "--batch", place / "requests", "--expect", place / "fleet.csv", "-o",
                      place / "cards")  # fmt: skip
    assert (line["status"], line["takes_over"]) == ("granted", str(old.identity))


@pytest.mark.usefixtures("old")
def test_a_forged_succession_is_not_imported(place):
    first, _ = place.keys(place.node)
    values = {"net": "example-net", "iat": 1, "old": bytes(first.public), "new": bytes(IdentityKey(b"x" * 32).public)}
    forged = Succession.make(values, first, first)
    (place / "forged").write_text(to_armor("SUCCESSION", forged.raw))
    place.refuses("issuer", "import", place / "forged", says="forged: ", code=4)
    assert not (place.issuer / "statements.pem").exists()
