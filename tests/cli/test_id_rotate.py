"""`p2pnoise id rotate`: a new key waits until its card is installed, the old one stays beside it, history goes on."""

import hashlib
import stat

import pytest

from cards import IdentityKey, NodeKey, Succession
from cards.text import from_armor, to_armor


def statements(path):
    """The successions in a file of blocks."""
    return [Succession.parse(raw) for label, raw in from_armor(path.read_text()) if label == "SUCCESSION"]


@pytest.fixture
def rotated(place, installed, request):
    """A node with an installed card, after a rotation of the key that the test asks for."""
    place.ok("id", "rotate", f"--{request.param}", "-o", place / "rotated.request")
    return place.card(installed)


def take_over(place, **options):
    place.ok("card", "issue", place / "rotated.request", "-o", place / "rotated.card", **options)
    return place.ok("card", "install", place / "rotated.card")


@pytest.mark.parametrize("rotated", ["node", "identity"], indirect=True)
def test_the_old_keys_stay_in_use_until_the_new_card_is_installed(place, rotated):
    assert place.json("id", "show")["node_id"] == str(rotated.node_id)
    assert place.run("card", "verify").exit_code == 0
    take_over(place)
    assert place.json("id", "show")["node_id"] == str(place.card(place / "rotated.card").node_id)
    assert place.json("id", "show")["waiting"] == []
    assert place.run("card", "verify").exit_code == 0


@pytest.mark.parametrize("rotated", ["node"], indirect=True)
def test_a_new_node_key_has_the_same_owner_and_the_next_number(place, rotated):
    card = place.card(place / "rotated.request")
    assert card.identity == rotated.identity
    assert card.node_id != rotated.node_id
    assert (card.sequence, card.previous) == (rotated.sequence + 1, rotated.card_id)


@pytest.mark.parametrize("rotated", ["identity"], indirect=True)
def test_a_new_identity_has_a_new_node_key_and_a_succession_that_both_signed(place, rotated):
    card = place.card(place / "rotated.request")
    assert card.node_id != rotated.node_id
    (succession,) = statements(place / "rotated.request")
    assert (succession.old, succession.new) == (rotated.identity, card.identity)
    assert succession.check(network="example-net", now=None, leeway=0) is None


@pytest.mark.parametrize("rotated", ["identity"], indirect=True)
def test_the_succession_takes_effect_with_the_card(place, rotated, installed, issuer):
    assert not (place.node / "statements.pem").exists()
    before = place.json("issuer", "list")["grants"][-1]["position"]
    take_over(place)
    assert statements(place.node / "statements.pem") == statements(place / "rotated.request")
    assert place.json("issuer", "list")["grants"][-1]["position"] == before
    old = place.json("card", "verify", installed)
    assert "superseded" in [finding["code"] for finding in old["findings"]]


@pytest.mark.parametrize("rotated", ["node", "identity"], indirect=True)
def test_the_old_keys_are_kept_for_their_owner_alone(place, rotated):
    old = {name: (place.node / name).read_bytes() for name in ("identity.key", "node.key")}
    take_over(place)
    kept = place.node / "node.key.old"
    assert kept.read_bytes() == old["node.key"]
    assert NodeKey.from_pem(kept.read_bytes()).public == rotated.node_id
    for path in place.node.glob("*.key*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    changed = (place.node / "identity.key").read_bytes() != old["identity.key"]
    assert changed == (place.node / "identity.key.old").exists()


@pytest.mark.parametrize("rotated", ["node", "identity"], indirect=True)
def test_a_rotation_that_has_begun_is_not_begun_again_unasked(place, rotated):
    before = place.snapshot(place.node)
    place.refuses("id", "rotate", "--identity", says="a rotation has begun", code=1)
    assert place.snapshot(place.node) == before


@pytest.mark.parametrize("rotated", ["identity"], indirect=True)
def test_a_rotation_begun_again_counts_on(place, rotated):
    place.ok("id", "rotate", "--identity", "--force", "-o", place / "rotated.request")
    assert place.card(place / "rotated.request").sequence == 2
    take_over(place)


@pytest.mark.parametrize("rotated", ["identity"], indirect=True)
def test_the_old_identity_signs_nothing_while_its_heir_waits(place, rotated):
    place.refuses("card", "request", "--network", "example-net", says="is about to take over", code=9)


def test_there_is_nothing_to_rotate_without_a_card(place):
    place.ok("id", "new")
    place.refuses("id", "rotate", "--node", says="no key is in use", code=1)
    assert place.run("id", "rotate").exit_code == 2


@pytest.mark.usefixtures("installed")
def test_no_key_is_rotated_where_the_identity_is_not(place):
    (place.node / "identity.key").unlink()
    place.refuses("id", "rotate", "--node", says="no identity.key in", code=1)


def test_a_running_node_goes_on_with_its_new_key_in_the_same_process_and_knows_whom_it_knew(place, run, member):
    member("ada")
    member("bob")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    bob.wait("peer-verified", name="ada")
    old = ada.node_id
    place.ok("id", "rotate", "--node", "--home", ada.home, "-o", place / "rotated.request")
    place.ok("card", "issue", place / "rotated.request", "-o", place / "rotated.card")
    place.ok("card", "install", place / "rotated.card", "--home", ada.home)
    new = str(place.keys(ada.home)[1].public)
    assert new != old
    again = ada.wait("listening", node_id=new)
    assert again["known_peers"] == 2  # itself and bob, whom nobody told it of
    bob.wait("peer-verified", name="ada", node_id=new)
    assert ada.process.poll() is None
    status = place.json("status", "--home", ada.home)
    assert (status["node_id"], status["pid"]) == (new, ada.process.pid)


def test_an_install_stopped_after_the_keys_is_finished_by_another(place, installed):
    place.ok("id", "rotate", "--identity", "-o", place / "rotated.request")
    place.ok("card", "issue", place / "rotated.request", "-o", place / "rotated.card")
    for name in ("node.key", "identity.key"):  # as a crash right before the card leaves them
        (place.node / f"{name}.old").write_bytes((place.node / name).read_bytes())
        (place.node / name).write_bytes((place.node / f"{name}.next").read_bytes())
    old = (place.node / "node.key.old").read_bytes()
    place.ok("card", "install", place / "rotated.card")
    assert not list(place.node.glob("*.next"))
    assert (place.node / "node.key.old").read_bytes() == old


# The identity key to come


@pytest.fixture
def committed(place, issuer):
    """A node whose installed card commits to the identity key to come, which waits in its folder."""
    place.ok("id", "new", "--commit-next")
    place.install(place.make_card(), issuer)


@pytest.mark.usefixtures("committed")
def test_a_card_commits_to_the_key_that_waits(place):
    waiting = IdentityKey.from_pem((place.node / "identity.key.next").read_bytes())
    assert place.card(place.node / "card.pem").next_key_digest == hashlib.sha256(waiting.public).digest()


@pytest.mark.usefixtures("committed")
def test_a_commitment_is_kept_over_renewals_while_the_key_is_away(place):
    digest = place.card(place.node / "card.pem").next_key_digest
    (place.node / "identity.key.next").rename(place / "safe.key")
    assert place.card(place.make_request()).next_key_digest == digest
    place.ok("card", "renew", "-o", place / "renewed")
    assert place.card(place / "renewed").next_key_digest == digest
    assert place.run("card", "renew", "--commit-next").exit_code == 2


@pytest.mark.usefixtures("committed")
def test_only_the_key_committed_to_can_take_over(place):
    safe = (place.node / "identity.key.next").read_bytes()
    (place.node / "identity.key.next").unlink()
    place.refuses("id", "rotate", "--identity", says="no other can take over", code=9)
    (place.node / "identity.key.next").write_bytes(IdentityKey(b"x" * 32).to_pem())
    (place.node / "identity.key.next").chmod(0o600)
    place.refuses("id", "rotate", "--identity", says="is not the key that the card commits to", code=9)
    (place.node / "identity.key.next").write_bytes(safe)
    place.ok("id", "rotate", "--identity", "-o", place / "rotated.request")
    take_over(place)
    assert place.keys(place.node)[0].public == IdentityKey.from_pem(safe).public


@pytest.mark.usefixtures("committed")
def test_an_issuer_refuses_a_successor_that_the_card_did_not_commit_to(place):
    identity, _ = place.keys(place.node)
    thief = IdentityKey(b"x" * 32)
    values = {"net": "example-net", "iat": 1, "old": bytes(identity.public), "new": bytes(thief.public)}
    place.ok("id", "new", "--home", place / "thief")
    (place / "thief" / "identity.key").write_bytes(thief.to_pem())
    request = place.make_request("db-03", "thief")
    request.write_text(request.read_text() + to_armor("SUCCESSION", Succession.make(values, identity, thief).raw))
    result = place.run("card", "issue", request)
    assert result.exit_code == 4
    assert "is not the successor of" in result.stderr


@pytest.mark.usefixtures("installed")
def test_a_forged_succession_takes_no_name_along(place):
    identity, _ = place.keys(place.node)
    place.ok("id", "new", "--home", place / "thief")
    thief, _ = place.keys(place / "thief")
    values = {"net": "example-net", "iat": 1, "old": bytes(identity.public), "new": bytes(thief.public)}
    succession = Succession.make(values, thief, thief)  # the old key did not sign
    request = place.make_request("db-03", "thief")
    request.write_text(request.read_text() + to_armor("SUCCESSION", succession.raw))
    assert place.run("card", "issue", request).exit_code == 4
