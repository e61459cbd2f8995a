"""`p2pnoise trust pin` and `unpin`: a name belongs to one identity, and moves at a person's word alone."""

from contextlib import closing

import pytest

from cards import Pin
from cli import pins
from p2pnoise.store import PeerStore


@pytest.fixture
def network(place, installed):
    """The node db-03 of ops knows ada."""
    assert installed.exists()
    place.make_card("ada", "ada")
    place.remember(ada="live")
    return place


def identity_of(place, name):
    return str(place.keys(place / name)[0].public)


def test_a_pin_is_kept_and_taken_out_again(network):
    ada = identity_of(network, "ada")
    result = network.ok("trust", "pin", "ada", ada)
    assert result.stdout.splitlines() == ["pinned    ada", f"identity  {ada}"]
    assert pins.read(network.node / "pins.toml").held == {"ada": network.keys(network / "ada")[0].public}
    assert network.json("trust", "show")["pins"] == {"ada": ada}
    network.ok("trust", "unpin", "ada")
    assert network.json("trust", "show")["pins"] == {}


def test_who_is_dropped_by_a_pin_is_told(network):
    network.ok("id", "new", "--home", network / "other")
    result = network.ok("trust", "pin", "ada", identity_of(network, "other"))
    assert "drops    ada" in result.stderr
    assert "pin-changed" in result.stderr


def test_a_pinned_name_goes_to_another_identity_by_force_alone(network):
    network.ok("id", "new", "--home", network / "other")
    ada, other = identity_of(network, "ada"), identity_of(network, "other")
    network.ok("trust", "pin", "ada", ada)
    network.ok("trust", "pin", "ada", ada)  # the same again is no change
    before = (network.node / "pins.toml").read_bytes()
    network.refuses("trust", "pin", "ada", other, says="NOT PINNED", code=8)
    told = network.run("trust", "pin", "ada", other).stderr
    assert ada in told
    assert other in told
    assert (network.node / "pins.toml").read_bytes() == before
    assert network.json("trust", "pin", "ada", other, "--force")["before"] == ada
    assert network.json("trust", "show")["pins"] == {"ada": other}


def test_a_pin_lets_in_whom_no_issuer_granted(network):
    network.ok("id", "new", "--home", network / "eve")
    request = network.make_request("eve", "eve")
    assert network.run("trust", "explain", request).exit_code == 5
    network.ok("trust", "pin", "eve", identity_of(network, "eve"))
    assert network.ok("trust", "explain", request).stdout.splitlines()[0] == "OK  eve  pinned"


def test_a_pin_revives_nobody_who_is_revoked(network):
    network.ok("revoke", "add", "ada")
    network.ok("revoke", "publish", "--output", network.node / "revocations.pem")
    network.ok("trust", "pin", "ada", identity_of(network, "ada"))
    assert network.run("trust", "explain", "ada").exit_code == 7


@pytest.fixture
def first_use(network):
    """The node has pinned bob on first use, to the identity that is returned."""
    card = network.card(network / "node.card")
    with closing(PeerStore(network.node / "node.db", network="example-net", node_id=card.node_id)) as store:
        store.commit([Pin("bob", card.identity)])
    return str(card.identity)


def test_a_pin_by_hand_outweighs_that_of_a_first_use(network, first_use):
    ada = identity_of(network, "ada")
    assert network.json("trust", "show")["pins"] == {"bob": first_use}
    network.ok("trust", "pin", "bob", ada)
    assert network.json("trust", "show")["pins"] == {"bob": ada}


def test_a_name_is_untied_from_whom_a_first_use_pinned_it_to(network, first_use):
    answer = network.ok("trust", "unpin", "bob").stdout.splitlines()
    assert answer == ["unpinned  bob", f"before    {first_use}, on first use"]
    assert network.json("trust", "show")["pins"] == {}
    network.refuses("trust", "unpin", "bob", says="bob is not pinned in", code=1)


def test_with_a_pin_by_hand_that_of_the_first_use_below_it_goes_too(network, first_use):
    ada = identity_of(network, "ada")
    network.ok("trust", "pin", "bob", ada)
    assert network.json("trust", "unpin", "bob")["before"] == ada
    assert network.json("trust", "show")["pins"] == {}


def test_who_was_untied_can_be_pinned_again_by_hand(network, first_use):
    network.ok("trust", "unpin", "bob")
    network.ok("trust", "pin", "bob", first_use)
    assert network.json("trust", "show")["pins"] == {"bob": first_use}


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["pin", "Ada", "id1"], 3, "name"),
        (["pin", "ada", "id1qqqq"], 3, "id1qqqq"),
        (["pin", "ada", "node1qqqq"], 3, "does not begin with id1"),
        (["unpin", "ada"], 1, "ada is not pinned"),
        (["plan", "--pin", "ada"], 2, "'ada' is not NAME=ID"),
    ],
)
def test_a_word_that_does_not_fit_is_named(network, args, code, says):
    network.refuses("trust", *args, says=says, code=code)
    assert not (network.node / "pins.toml").exists()


@pytest.mark.parametrize("verb", [["pin", "ada", "ADA"], ["unpin", "ada"]])
def test_a_broken_pins_file_is_not_written_over(network, verb):
    (network.node / "pins.toml").write_text("# precious\nbroken")
    args = [identity_of(network, "ada") if word == "ADA" else word for word in verb]
    network.refuses("trust", *args, says="pins.toml: line 2", code=3)
    assert (network.node / "pins.toml").read_text() == "# precious\nbroken"
