"""`p2pnoise ban`, `unban` and `bans`: on a stopped node's folder, and on one that runs."""

import os
import time

import pytest

from cards import IdentityKey, IssuerKey, grant, make_card
from cards.text import to_armor


@pytest.fixture
def network(place, installed):
    """The node db-03 of ops, which knows ada and bob."""
    assert installed.exists()
    for name in ("ada", "bob"):
        place.make_card(name, name)
    place.remember(ada="live", bob="proven")
    return place


def identity_of(place, name):
    return str(place.keys(place / name)[0].public)


def node_of(place, name):
    return str(place.keys(place / name)[1].public)


def make_twin(place):
    """A card for other keys that bears the name ada, too, in other.card."""
    place.ok("id", "new", "--home", place / "other")
    identity, node = place.keys(place / "other")
    now = int(time.time())
    issuer = IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())
    card = make_card(identity, node, network="example-net", now=now, name="ada")
    granted = grant(issuer, card, serial=99, now=now, entropy=os.urandom)
    (place / "other.card").write_text(to_armor("CARD", granted.raw))


def standing(place, name):
    return next(peer["standing"] for peer in place.json("peers")["peers"] if peer["name"] == name)


def test_a_peer_is_banned_by_its_name_for_a_time_and_lifted_again(network):
    ada = identity_of(network, "ada")
    before = int(time.time())
    made = network.json("ban", "ada", "--reason", "floods us", "--for", "7d")
    assert (made["ok"], made["taken_up"]) == (True, None)
    assert (made["ban"]["key"], made["ban"]["name"], made["ban"]["reason"]) == (ada, "ada", "floods us")
    assert made["ban"]["until"] - made["ban"]["since"] == 7 * 86400
    assert 0 <= made["ban"]["since"] - before < 60
    assert network.json("bans")["bans"] == [made["ban"]]
    assert standing(network, "ada") == "banned"
    assert standing(network, "bob") == "verified"
    assert network.json("unban", "ada")["ban"] == made["ban"]
    assert network.json("bans")["bans"] == []
    assert standing(network, "ada") == "verified"


def test_what_people_read(network):
    ada = identity_of(network, "ada")
    result = network.ok("ban", "ada", "--reason", "floods us")
    assert result.stdout.splitlines() == [
        "banned  ada", f"key     {ada}", "until   lifted by hand alone", "reason  floods us",
    ]  # fmt: skip
    assert "no node runs here; it counts from the next start" in result.stderr
    shown = network.ok("bans")
    assert f"lifted by hand alone  {ada}  floods us" in shown.stdout
    assert "1 ban in force" in shown.stderr
    network.ok("unban", "ada")
    assert network.ok("bans").stdout == ""


@pytest.mark.parametrize("of", [identity_of, node_of], ids=["identity", "node"])
def test_a_peer_is_banned_by_its_key(network, of):
    key = of(network, "ada")
    assert network.json("ban", key)["ban"]["name"] == "ada"
    assert standing(network, "ada") == "banned"
    network.ok("unban", key)
    assert standing(network, "ada") == "verified"


def test_a_key_that_nobody_knows_is_banned_before_it_comes(network):
    stranger = str(IdentityKey(bytes(31) + b"\5").public)
    assert network.json("ban", stranger)["ban"]["name"] is None
    assert network.json("unban", stranger)["ban"]["key"] == stranger


def test_the_next_ban_of_a_key_replaces_the_one_before(network):
    network.ok("ban", "ada", "--for", "5m")
    network.ok("ban", "ada", "--reason", "again")
    (ban,) = network.json("bans")["bans"]
    assert (ban["until"], ban["reason"]) == (None, "again")


def test_a_ban_that_has_ended_is_told_of_and_holds_no_more(network):
    key = identity_of(network, "ada")
    (network.node / "bans.toml").write_text(
        f'"{key}" = {{ name = "ada", since = 2020-01-01T00:00:00Z, until = 2020-01-02T00:00:00Z }}\n'
    )
    assert network.json("bans")["bans"] == []
    assert "1 in the file has ended" in network.ok("bans").stderr
    assert standing(network, "ada") == "verified"
    network.refuses("unban", "ada", says="no ban of ada is in force", code=5)


def mistyped(key):
    return key[:-1] + ("p" if key.endswith("q") else "q")


def test_worst_inputs_are_refused_and_change_nothing(network):
    for args, says, code in (
        (["ban", "adda"], "this node knows no adda", 5),
        (["ban", "nobody-at-all"], "this node knows no", 5),
        (["ban", "db-03"], "this node", 5),
        (["ban", identity_of(network, "node")], "this node itself", 2),
        (["ban", node_of(network, "node")], "this node itself", 2),
        (["ban", mistyped(identity_of(network, "ada"))], "mistyped", 3),
        (["ban", "id1"], "", 3),
        (["ban", "ada", "--for", "0d"], "0d", 2),
        (["ban", "ada", "--for", "999999999d"], "", 2),
        (["ban", "ada", "--reason", "\x1b[2J"], "--reason", 2),
        (["ban", "ada", "--reason", "r" * 201], "at most 200", 2),
        (["unban", "ada"], "no ban of ada is in force", 5),
        (["unban", mistyped(node_of(network, "ada"))], "mistyped", 3),
    ):
        network.refuses(*args, says=says, code=code)
    assert not (network.node / "bans.toml").exists()
    assert "did you mean ada?" in network.run("ban", "adda").stderr


def test_two_of_one_name_are_told_apart_by_their_keys(network):
    make_twin(network)
    network.remember(other="proven")
    result = network.run("ban", "ada")
    assert result.exit_code == 1
    assert identity_of(network, "ada") in result.stderr
    assert identity_of(network, "other") in result.stderr
    for name in ("ada", "other"):
        network.ok("ban", identity_of(network, name))
    network.refuses("unban", "ada", says="2 bans are of ada", code=1)


def test_a_pinned_name_means_the_identity_that_it_is_pinned_to(network):
    make_twin(network)
    network.remember(other="proven")
    network.ok("trust", "pin", "ada", identity_of(network, "other"))
    assert network.json("ban", "ada")["ban"]["key"] == identity_of(network, "other")


def test_a_broken_file_is_named_and_never_written_over(network):
    (network.node / "bans.toml").write_text("garbage\n")
    for verb in (["ban", "ada"], ["unban", "ada"], ["bans"], ["run"]):
        network.refuses(*verb, says="bans.toml: line 1", code=3)
    assert (network.node / "bans.toml").read_text() == "garbage\n"
    assert "bans.toml" in network.run("peers").stderr
    assert network.run("peers").exit_code == 0


# While nodes run


@pytest.fixture
def pair(run, member):
    """ada, and bob who dialled it."""
    member("ada")
    member("bob")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    ada.wait("peer-verified", name="bob")
    bob.wait("peer-verified", name="ada")
    return ada, bob


def test_a_running_node_cuts_whom_its_operator_bans_and_takes_it_back(place, pair):
    ada, bob = pair
    said = place.json("ban", "bob", "--reason", "floods us", "--home", ada.home)["taken_up"]
    assert said["taken"] == ["bans.toml"]
    assert [(one["name"], one["reason"]) for one in said["cut"]] == [("bob", "not-trusted")]
    lost = ada.wait("peer-lost", name="bob")
    assert [finding["code"] for finding in lost["findings"]] == ["banned"]
    assert bob.wait("refused-by-peer")["reason"] == "not-trusted"
    lines = len(ada.events)
    place.ok("unban", "bob", "--home", ada.home)
    ada.wait_for_lines(lines + 1)
    wait_for_another(ada, "peer-verified")


def test_a_broken_file_leaves_the_bans_in_force_and_is_named(place, pair):
    ada, _ = pair
    place.ok("ban", "bob", "--home", ada.home)
    ada.wait("peer-lost", name="bob")
    good = (ada.home / "bans.toml").read_text()
    (ada.home / "bans.toml").write_text(good + "garbage\n")
    told = ada.wait("file-rejected", file="bans.toml")
    assert told["reason"].startswith("line 2 is not TOML")
    (ada.home / "bans.toml").rename(ada.home / "gone")
    ada.wait(
        "file-rejected",
        file="bans.toml",
        reason="it is gone (fix: put it back, or an empty one; the bans in force stay in force)",
    )
    assert len([event for event in ada.events if event["event"] == "peer-verified"]) == 1
    (ada.home / "bans.toml").write_text("")
    wait_for_another(ada, "peer-verified")


def wait_for_another(process, kind):
    assert process.wait_until(lambda: sum(event["event"] == kind for event in process.events) > 1), process.lines
