"""What is exposed and forwarded, as it is asked for: what makes a service, its groups, and where a forward leads."""

import pytest

from cards import Address, CardError
from cli.daemon.service import ANYONE, Exposed, Forwarded
from cli.output import Fault

NODE = "node1" + "q" * 58


def test_a_port_by_itself_is_one_of_this_machine():
    assert Exposed.parse("web", "8080", ["ops"]).to == Address("127.0.0.1", 8080)
    assert Forwarded.parse("8080", "bob:web").listen == Address("127.0.0.1", 8080)


def test_a_forward_may_listen_at_any_free_port_and_a_service_lives_at_a_certain_one():
    assert Forwarded.parse("0", "bob:web").listen == Address("127.0.0.1", 0)
    with pytest.raises(CardError, match="port from 1 to 65535"):
        Exposed.parse("web", "0", ["ops"])


def test_a_peer_is_named_as_for_a_stream():
    assert Forwarded.parse("1", "bob:web").peer == "bob"


@pytest.mark.parametrize("peer", [NODE, f"{NODE}@10.0.0.1:7060", "node1", "bob@10.0.0.1:7060"])
def test_a_mistyped_node_id_is_refused(peer):
    with pytest.raises(CardError):
        Forwarded.parse("1", f"{peer}:web")


@pytest.mark.parametrize("service", ["", "Web", "a b", "w" * 61, "é", "a/b", "web\n", ".\x1b[2J"])
def test_what_is_no_name_of_a_service_is_refused(service):
    with pytest.raises(CardError, match="service is"):
        Exposed.parse(service, "8080", ["ops"])
    with pytest.raises(CardError, match="service is"):
        Forwarded.parse("8080", f"bob:{service}")


def test_the_longest_name_of_a_service_makes_a_protocol():
    assert len(Exposed.parse("w" * 60, "8080", ["ops"]).protocol) == 64


@pytest.mark.parametrize(
    "address", ["", "localhost", "10.0.0.1", "10.0.0.1:99999", "::1:80", "[::1]", "-1", "x:y", "٣"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(CardError, match="host"):
        Exposed.parse("web", address, ["ops"])
    with pytest.raises(CardError, match="host"):
        Forwarded.parse(address, "bob:web")


@pytest.mark.parametrize("to", ["", "bob", "web"])
def test_a_forward_without_a_service_is_refused(to):
    with pytest.raises(Fault, match="is not PEER:SERVICE"):
        Forwarded.parse("8080", to)


@pytest.mark.parametrize("to", [":web", "Bob:web", "a b:web", f"{'b' * 65}:web"])
def test_a_forward_to_nobody_is_refused(to):
    with pytest.raises(CardError, match="peer is"):
        Forwarded.parse("8080", to)


def test_a_service_for_nobody_is_refused():
    with pytest.raises(Fault, match="exposed to nobody"):
        Exposed.parse("web", "8080", [])


def test_a_service_for_all_and_for_some_is_refused():
    with pytest.raises(Fault, match="all peers and certain groups"):
        Exposed.parse("web", "8080", [ANYONE, "ops"])


def test_no_group_of_a_card_is_taken_for_all():
    with pytest.raises(CardError, match="group is"):
        Exposed.parse("web", "8080", ["**"])


def test_a_service_is_for_peers_of_any_of_its_groups_alone():
    what = Exposed.parse("web", "8080", ["ops", "dev", "ops"])
    assert [what.allows(groups) for groups in ([], ["web"], ["dev"], ["x", "ops"])] == [False, False, True, True]
    assert Exposed.parse("web", "8080", [ANYONE]).allows([])
