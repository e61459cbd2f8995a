"""`p2pnoise trust apply` and `pin` where a node runs: it takes up what is sound by itself, and never sees the rest."""

import signal
import time
from contextlib import closing

import pytest

from cards import IssuerKey, Pin, make_list
from cli import documents
from p2pnoise.store import PeerStore, read_table


@pytest.fixture
def network(place, run, installed):
    """The node db-03 of ops runs; ada's card is known to it, and bob was pinned on first use."""
    assert installed.exists()
    place.make_card("ada", "ada")
    place.remember(node="live", ada="proven")
    own = place.card(installed)
    with closing(PeerStore(place.node / "node.db", network="example-net", node_id=own.node_id)) as store:
        store.commit([Pin("bob", own.identity)])
    place.running = run("node")
    place.running.wait("listening")
    return place


def test_a_new_issuer_and_its_list_applied_together_are_both_taken_up(network):
    lab = IssuerKey(bytes(32))
    policy = (network.node / "policy.toml").read_text() + f'\n[issuer.lab]\nkey = "{lab.public}"\n'
    (network / "policy.toml").write_text(policy)
    one = make_list(lab, network="example-net", sequence=4, now=int(time.time()))
    (network / "lab.list").write_text(documents.list_blocks([one]))
    answer = network.json("trust", "apply", network / "policy.toml", network / "lab.list")
    assert (answer["ok"], answer["running"]) == (True, True)
    network.running.wait("list-applied", issuer="lab", sequence=4)


def test_a_broken_policy_never_reaches_the_node(network):
    (network / "broken.toml").write_text('network = "example-net"\nleeway = "soon"\n')
    network.refuses("trust", "apply", network / "broken.toml", says="line 2, column 1", code=3)
    network.ok("revoke", "add", "ada")
    network.ok("revoke", "publish", "--output", network / "new.list")
    network.ok("trust", "apply", network / "new.list")
    network.running.wait("list-applied", issuer="ops", sequence=2)  # what came after it is in force
    assert not [one for one in network.running.events if one["event"] in ("file-rejected", "policy-rejected")]


def test_a_pin_is_taken_up_at_once(network):
    assert network.json("trust", "plan", "--pin", f"db-03={network.keys(network / 'ada')[0].public}")["running"]
    network.ok("trust", "pin", "db-03", network.keys(network / "ada")[0].public)
    network.running.wait("own-card-rejected")


def test_a_pin_of_a_first_use_is_forgotten_at_once(network):
    assert "bob" in read_table(network.node / "node.db").pins
    network.ok("trust", "unpin", "bob")
    (network.node / "card.pem").write_text("broken")
    network.running.wait("file-rejected", file="card.pem")  # which is looked at after the pins
    assert network.running.end(signal.SIGTERM)[0] == 0
    assert read_table(network.node / "node.db").pins == {}
