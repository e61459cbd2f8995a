"""Networks: which addresses count as one neighbourhood, and on whom the lot falls."""

import hashlib

import pytest

from cards import Address
from p2pnoise.gossip.networks import LOTTERY, admits, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("20.4.7.1:7060", "20.4"),
        ("20.40.7.1:7060", "20.40"),
        ("[2a01:4f8::1]:7060", "2a01:4f8"),
        ("[2a01:4f8:ffff::1]:7060", "2a01:4f8"),
        ("a.b.example.org:7060", "example.org"),
    ],
)
def test_a_network_is_what_a_provider_is_given(address, network):
    assert network_of(Address.parse(address)) == network


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3:1", "192.168.0.1:1", "127.0.0.1:1", "169.254.0.1:1", "100.64.0.1:1", "[fd00::1]:1", "[::1]:1", "nas:1"],
)
def test_what_means_something_to_neighbours_alone_is_of_no_network(address):
    assert network_of(Address.parse(address)) is None


def test_of_so_many_networks_one_is_admitted_at_a_node_and_others_at_another():
    nodes = [hashlib.sha256(bytes([one])).digest() for one in range(2)]
    networks = [f"20.{one}" for one in range(2_000)]
    lots = [{network for network in networks if admits(node, network)} for node in nodes]
    assert all(abs(len(lot) - len(networks) / LOTTERY) < 60 for lot in lots)
    assert len(lots[0] & lots[1]) < len(lots[0]) / 3
