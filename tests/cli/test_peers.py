"""`p2pnoise peers`: the table of a node, running or not, and what its cards are worth today."""

import json
import sqlite3
import time

import pytest

from cards import IssuerKey, SelfRevocation
from cards.text import to_armor
from cli import peers
from tests.patience import PATIENCE


@pytest.fixture
def start(place):
    """Start a node, and give its process once it has told of each of these events."""
    running = []

    def begin(home, *kinds, bootstrap=""):
        options = ["--bootstrap", bootstrap] if bootstrap else []
        arguments = ["run", "--home", place / home, "--listen", "127.0.0.1:0", "--json", *options]
        process = place.start(*arguments, stdout=-1, text=True)
        running.append(process)
        missing, told = {"listening", *kinds}, []
        while missing:
            told.append(json.loads(process.stdout.readline()))
            missing.discard(told[-1]["event"])
        process.told = told
        return process

    def end():
        for process in running:
            process.terminate()
            process.stdout.read()
            process.wait(PATIENCE)
            process.stdout.close()
        running.clear()

    begin.end = end
    yield begin
    end()


@pytest.fixture
def pair(place, issuer, start):
    """Two nodes, `ada` and `bob`, that have met and run."""
    for name in ("ada", "bob"):
        place.member(name, issuer)
    listening = next(event for event in start("ada").told if event["event"] == "listening")
    start("bob", "peer-verified", "address-learned", bootstrap=f"{listening['node_id']}@{listening['addresses'][0]}")
    return place


@pytest.fixture
def site(place, issuer, start):
    """Ada, by the grant of a delegate of ops, and bob, who has not heard of it; both met the hub, which has."""
    place.ok("issuer", "new", "site-7", "--network", "example-net", "--issuer-home", place / "site")
    delegate = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("issuer", "delegate", delegate, "--group", "sensors", "-o", place / "site.pem")
    place.ok("issuer", "import", place / "site.pem", "--issuer-home", place / "site")
    for name, home in (("ada", "site"), ("hub", "issuer"), ("bob", "issuer")):
        request, card = place.make_request(name, name), place / f"{name}.card"
        place.ok("card", "issue", request, "--days", "30", "--issuer-home", place / home, "-o", card)
        place.install(card, issuer, name)
    place.ok("trust", "apply", place / "site.pem", "--home", place / "hub")
    listening = next(event for event in start("hub").told if event["event"] == "listening")
    hub = f"{listening['node_id']}@{listening['addresses'][0]}"
    start("ada", "peer-verified", bootstrap=hub)
    start("bob", "peer-verified", "statement-applied", bootstrap=hub)
    return place


def _standings(place, home="bob"):
    return {peer["name"]: peer["standing"] for peer in place.json("peers", "--home", place / home)["peers"]}


def test_the_table_of_a_running_node_is_shown(pair):
    text = pair.ok("peers", "--home", pair / "bob").stdout.splitlines()
    assert text[0].split() == ["NAME", "NODE", "STANDING", "PROOF", "LINK", "ADDRESSES", "CARD", "UNTIL"]
    assert text[1].startswith("bob")
    assert "this node" in text[1]
    assert text[2].startswith("ada")
    assert "verified" in text[2]
    assert "live" in text[2]
    assert " it, " in text[2]


def _without_links(answer):
    return [{**peer, "link": None} for peer in answer["peers"]]


def test_the_table_of_a_stopped_node_is_the_same_without_links(pair, start):
    running = pair.json("peers", "--home", pair / "bob")
    assert running["running"]
    assert [peer["link"] is not None for peer in running["peers"]] == [False, True]
    start.end()
    before = (pair / "bob" / "node.db").read_bytes()
    stopped = pair.json("peers", "--home", pair / "bob")
    assert not stopped["running"]
    assert stopped["peers"] == _without_links(running)
    assert (pair / "bob" / "node.db").read_bytes() == before


def test_a_peer_that_a_delegate_granted_is_known_to_those_who_never_met_the_delegate(site, start):
    known, patience = dict.fromkeys(("hub", "ada", "bob"), "verified"), time.monotonic() + PATIENCE
    while _standings(site) != known:  # bob may have heard of the delegate and not yet of ada
        assert time.monotonic() < patience
        time.sleep(0.05)
    start.end()
    assert _standings(site) == known


def test_json_gives_every_peer_with_all_that_is_known(pair):
    answer = pair.json("peers", "--home", pair / "bob")
    assert (answer["ok"], answer["network"]) == (True, "example-net")
    own, ada = answer["peers"]
    assert (own["own"], ada["own"]) == (True, False)
    assert set(ada) == {
        "name", "node_id", "identity", "own", "standing", "provenance", "sequence", "groups", "addresses",
        "valid_until", "first_seen", "findings", "link",
    }  # fmt: skip
    assert (ada["name"], ada["standing"], ada["provenance"], ada["findings"]) == ("ada", "verified", "live", [])
    assert ada["addresses"][0].startswith("127.0.0.1:")


def test_a_peer_that_a_running_node_learns_to_be_revoked_is_shown_as_revoked(pair):
    pair.ok("revoke", "add", "ada")
    pair.ok("revoke", "publish", "--output", pair / "bob" / "revocations.pem")
    assert _standings(pair)["ada"] == "revoked"


def test_a_list_handed_to_a_stopped_node_counts_at_once(pair, start):
    start.end()
    assert _standings(pair)["ada"] == "verified"
    pair.ok("revoke", "add", "ada")
    pair.ok("revoke", "publish", "--output", pair / "bob" / "revocations.pem")
    assert _standings(pair) == {"bob": "verified", "ada": "revoked"}


def test_another_policy_gives_another_standing(pair, start):
    start.end()
    other = pair.json("issuer", "new", "lab", "--network", "example-net", "--issuer-home", pair / "lab")["issuer"]
    text = (pair / "bob" / "policy.toml").read_text()
    key = next(line for line in text.splitlines() if line.startswith("key"))
    (pair / "bob" / "policy.toml").write_text(text.replace(key, f'key = "{other}"'))
    assert "verified" not in _standings(pair).values()


def test_what_the_database_says_of_a_peer_is_not_believed(pair, start):
    start.end()
    database = sqlite3.connect(pair / "bob" / "node.db")
    database.execute("UPDATE peers SET standing = 'revoked', provenance = 'blessed' WHERE name = 'ada'")
    database.commit()
    database.close()
    (ada,) = [peer for peer in pair.json("peers", "--home", pair / "bob")["peers"] if peer["name"] == "ada"]
    assert (ada["standing"], ada["provenance"]) == ("verified", "proven")


def test_a_broken_list_beside_it_is_named_and_the_table_still_shown(pair, start):
    start.end()
    (pair / "bob" / "revocations.pem").write_bytes(b"\x1b[2J broken")
    result = pair.ok("peers", "--home", pair / "bob")
    assert "revocations.pem" in result.stderr
    assert "ada" in result.stdout
    assert "\x1b" not in result.output


def test_an_empty_table_is_a_table(pair, start):
    start.end()
    database = sqlite3.connect(pair / "bob" / "node.db")
    database.execute("DELETE FROM peers")
    database.commit()
    database.close()
    result = pair.ok("peers", "--home", pair / "bob")
    assert len(result.stdout.splitlines()) == 1
    assert "0 of 0 cards" in result.stderr
    assert pair.json("peers", "--home", pair / "bob")["peers"] == []


@pytest.mark.usefixtures("installed")
def test_of_a_large_table_the_beginning_is_shown_and_how_many_there_are(place, monkeypatch):
    others = [f"peer-{number}" for number in range(4)]
    for name in others:
        place.make_card(name, name)
    place.remember(**{"node": "live"} | dict.fromkeys(others, "proven"))
    monkeypatch.setattr(peers, "SHOWN", 3)
    shown = place.ok("peers")
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["db-03", "peer-0", "peer-1"]
    assert "5 are stored; to see all: p2pnoise peers --all" in shown.stderr
    for words, count in ((("--all",), 5), (("--limit", "2"), 2), (("--limit", "9"), 5)):
        assert len(place.ok("peers", *words).stdout.splitlines()) == 1 + count
    everybody, few = place.json("peers"), place.json("peers", "--limit", "2")
    assert (len(everybody["peers"]), everybody["total"], len(few["peers"]), few["total"]) == (5, 5, 2, 5)


@pytest.mark.usefixtures("installed")
def test_pins_and_statements_count_here_too(place):
    for name in ("ada", "bob"):
        place.make_card(name, name)
    place.remember(ada="live", bob="live")
    place.ok("trust", "pin", "ada", place.keys(place / "bob")[0].public)
    identity, _ = place.keys(place / "bob")
    values = {"net": "example-net", "iat": int(time.time()) - 5, "key": identity.public, "reason": "lost"}
    own = SelfRevocation.make(values, identity)
    (place.node / "statements.pem").write_text(to_armor(own.label, own.raw))
    assert _standings(place, "node") == {"ada": "pin-changed", "bob": "revoked"}


@pytest.mark.usefixtures("installed")
def test_a_node_that_never_ran_has_no_table(place):
    place.refuses("peers", says="there is no node database", code=1)
    assert not (place.node / "node.db").exists()


def test_a_folder_without_a_policy_is_named(place):
    place.refuses("peers", says="no policy in", code=1)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + bytes(5000)])
def test_a_broken_database_is_refused(place, content):
    (place.node / "node.db").write_bytes(content)
    place.refuses("peers", says="node.db", code=1)
    assert place.json("peers")["ok"] is False


@pytest.mark.usefixtures("installed")
def test_a_foreign_database_is_refused(place):
    foreign = sqlite3.connect(place.node / "node.db")
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    place.refuses("peers", says="not a node's database", code=1)
