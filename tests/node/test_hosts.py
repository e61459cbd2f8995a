"""Hosts: how often, and where, others can make us dial by naming addresses in records (P20)."""

import pytest

from cards import Address, make_record
from p2pnoise.config import Bootstrap
from p2pnoise.node import effects as io
from p2pnoise.node import hosts as module
from p2pnoise.node.hosts import BLOCK, FEW, MANY, PAUSE, Hosts, scope_of

BOB, CARL = b"b" * 32, b"c" * 32
THERE = Address("93.184.216.34", 7060)


def ports(number, host="93.184.216.34"):
    return [Address(host, 1000 + port) for port in range(number)]


def learn(net, member, name, *addresses, sequence=2):
    """A peer of this name says that it is at these addresses."""
    where = [str(address) for address in addresses]
    key, _ = net.keys(name)
    record = make_record(key, network=net.NETWORK, addresses=where, sequence=sequence, now=net.START - 10)
    net.give(member, io.PeersOffered(((net.card(name), record),)))
    member.core._dialler.learned(member.core.table.by_node(key.public), net.now)  # as where it comes by gossip
    net.give(member, io.Tick())


def dialled(member):
    return [address for address, _ in member.dialled]


@pytest.fixture
def hosts():
    return Hosts()


# A host where nobody answers


def test_a_host_at_which_a_few_addresses_failed_is_held_back(hosts):
    for address in ports(FEW):
        assert hosts.not_before(THERE, BOB) == 0
        hosts.failed(address, 5)
    assert hosts.not_before(THERE, BOB) == 5 + PAUSE
    assert hosts.room(THERE.host) == 1
    assert hosts.not_before(Address("93.184.216.35", 7060), BOB) == 0


def test_one_address_that_fails_however_often_holds_nobody_back(hosts):
    for _ in range(100):
        hosts.failed(THERE, 5)
    assert hosts.not_before(THERE, BOB) == 0


def test_of_a_host_where_somebody_answered_many_may_fail(hosts):
    hosts.answered(THERE, BOB)
    assert hosts.room(THERE.host) == MANY
    for address in ports(MANY):
        assert hosts.not_before(THERE, BOB) == 0
        hosts.failed(address, 5)
    assert hosts.not_before(THERE, BOB) == 5 + PAUSE


def test_an_answer_frees_a_host(hosts):
    for address in ports(MANY):
        hosts.failed(address, 5)
    hosts.answered(THERE, BOB)
    assert hosts.not_before(THERE, BOB) == 0


def test_what_is_remembered_is_bounded(hosts, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 5)
    for number in range(20):
        hosts.failed(Address(f"20.0.0.{number}", 1), 0)
        hosts.elsewhere(Address(f"20.0.0.{number}", 1), BOB, 0)
    for address in ports(1000):
        hosts.failed(address, 0)
    assert len(hosts._hosts) == len(hosts._elsewhere) == 5
    assert len(hosts._hosts[THERE.host].failed) == MANY


def test_hundreds_of_ports_of_one_host_draw_a_dial_a_minute(net):
    ada = net.member("ada")
    for number in range(60):
        learn(net, ada, f"sybil-{number}", *(Address(THERE.host, 1000 + 8 * number + port) for port in range(8)))
    net.wait(600)
    assert len(dialled(ada)) <= FEW + 10


def test_where_nobody_answers_yet_few_are_dialled_at_once(net, monkeypatch):
    monkeypatch.setattr(net, "connect", lambda *_: None)  # as where packets are dropped
    ada = net.member("ada")
    for number, address in enumerate(ports(20)):
        learn(net, ada, f"sybil-{number}", address)
    net.wait(60)
    assert len(dialled(ada)) == FEW


def test_a_host_that_takes_connections_and_says_nothing_is_held_back_too(net, monkeypatch):
    monkeypatch.setattr(net, "connect", lambda member, connection, _: net.hand(member, io.Connected(connection)))
    ada = net.member("ada")
    for number, address in enumerate(ports(20)):
        learn(net, ada, f"sybil-{number}", address)
    net.wait(600)
    assert len(dialled(ada)) <= FEW + 10


def test_all_nodes_of_one_host_are_dialled_where_they_answer(net):
    members = [net.member(f"node-{number}", target_links=0, listening=False) for number in range(12)]
    for member, address in zip(members, ports(12, "10.0.0.7"), strict=True):
        member.address = address
        net.listen(member)
    ada = net.member("ada", target_links=12)
    for member in members:
        net.teach(ada, member, member.address)
    net.give(ada, io.Tick())
    net.wait(5)
    assert sum(ada.up(member) for member in members) >= 7


def test_who_comes_to_us_shows_nothing_of_where_we_dial(net):
    ada, bob = (net.member(name, target_links=0, listening=False) for name in ("ada", "bob"))
    net.link(ada, bob)
    assert ada.core._dialler.hosts.room(bob.address.host) == MANY
    assert bob.core._dialler.hosts.room(ada.address.host) == FEW


def test_who_is_refused_by_the_one_whom_it_dialled_holds_no_host_back(net):
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    net.give(bob, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    net.link(ada, bob)
    assert ada.told("dial-failed")
    assert not ada.core._dialler.hosts._hosts


def test_what_the_configuration_names_is_dialled_however_its_host_failed(net):
    ada = net.member("ada", bootstrap=tuple(map(Bootstrap, ports(8))))
    net.wait(5)
    assert {*dialled(ada)} == {*ports(8)}


# An address where another answers


def test_where_another_node_answered_nobody_else_is_looked_for_during_an_hour(hosts):
    hosts.elsewhere(THERE, CARL, 5)
    assert hosts.not_before(THERE, BOB) == 5 + BLOCK
    assert hosts.not_before(THERE, CARL) == 0


def test_a_new_record_is_believed_once(hosts):
    hosts.elsewhere(THERE, CARL, 5)
    hosts.named(THERE)
    assert hosts.not_before(THERE, BOB) == 0
    hosts.elsewhere(THERE, CARL, 6)
    hosts.named(THERE)
    assert hosts.not_before(THERE, BOB) == 6 + BLOCK
    hosts.elsewhere(THERE, CARL, 6 + BLOCK)
    hosts.named(THERE)
    assert hosts.not_before(THERE, BOB) == 0


def test_whoever_has_moved_to_an_address_is_found_there(hosts):
    hosts.elsewhere(THERE, CARL, 5)
    hosts.answered(THERE, BOB)
    assert hosts.not_before(THERE, BOB) == 0


def test_records_that_name_the_address_of_another_draw_two_dials_an_hour(net):
    ada, bob = net.member("ada"), net.member("bob", target_links=0)
    for number in range(20):
        learn(net, ada, f"sybil-{number}", bob.address)
        net.wait(30)
    net.wait(2900)
    assert dialled(ada).count(bob.address) == 2


def test_who_lives_there_is_dialled_whatever_others_have_said(net):
    ada, bob = net.member("ada"), net.member("bob", target_links=0)
    for number in range(20):
        learn(net, ada, f"sybil-{number}", bob.address)
        net.wait(10)
    net.teach(ada, bob, bob.address)
    net.give(ada, io.Tick())
    net.wait(10)
    assert ada.up(bob)


def test_nobody_pays_a_visit_where_another_answered(net):
    ada, bob, carl = (net.member(name, target_links=1) for name in ("ada", "bob", "carl"))
    net.link(ada, bob)
    learn(net, ada, "sybil", carl.address)
    net.wait(1800)
    assert dialled(ada).count(carl.address) == 1


# Places that mean something else to others


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("localhost", "loopback"),
        ("db.localhost", "loopback"),
        ("0.0.0.0", "wildcard"),
        ("::", "wildcard"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("172.32.0.1", None),
        ("93.184.216.34", None),
        ("2606:2800::1", None),
        ("example.org", None),
    ],
)
def test_the_scope_of_a_host(host, scope):
    assert scope_of(host) == scope


LOCAL = (Address("127.0.0.1", 6379), Address("::1", 22), Address("localhost", 25), Address("0.0.0.0", 80))
WIRE, SITE = Address("169.254.169.254", 80), Address("192.168.0.1", 80)


def heard_at(net, *bound, **config):
    """What a node dials on hearsay that listens there."""
    ada = net.member("ada", listening=False, **config)
    net.give(ada, io.ListeningOn(bound, ()))
    for number, address in enumerate((*LOCAL, WIRE, SITE, THERE)):
        learn(net, ada, f"sybil-{number}", address)
    net.wait(600)
    return {*dialled(ada)} - {start.address for start in ada.core.config.bootstrap}


def test_a_node_on_the_internet_dials_there_alone(net):
    assert heard_at(net, Address("20.1.1.1", 7060)) == {THERE}


def test_a_node_that_listens_everywhere_has_said_nothing_of_where_it_lives(net):
    assert heard_at(net, Address("0.0.0.0", 7060), Address("::", 7060)) == {THERE}


def test_nodes_of_one_machine_dial_each_other(net):
    assert heard_at(net, Address("127.0.0.1", 7060)) == {*LOCAL[:3], THERE}


def test_nodes_of_one_site_dial_each_other(net):
    assert heard_at(net, Address("10.0.0.1", 7060)) == {SITE, THERE}


def test_who_begins_in_a_site_is_in_it(net):
    assert heard_at(net, Address("0.0.0.0", 7060), bootstrap=(Bootstrap(SITE._replace(port=9)),)) == {SITE, THERE}


def test_the_end_of_a_tunnel_is_no_place_to_live_in(net):
    assert heard_at(net, Address("20.1.1.1", 7060), bootstrap=(Bootstrap(LOCAL[0]),)) == {THERE}


def test_no_visit_is_paid_to_another_machines_loopback(net):
    ada, bob = (net.member(name, target_links=1) for name in ("ada", "bob"))
    net.link(ada, bob)
    learn(net, ada, "sybil", LOCAL[0])
    net.wait(600)
    assert not dialled(ada)


@pytest.mark.parametrize("begin", ["seed.internal", "10.0.0.9"])
def test_a_node_that_begins_in_a_site_dials_those_who_live_there(net, begin):
    others = [net.member(f"node-{number}", target_links=0) for number in range(3)]  # which announce 10.0.0.x
    seed = net.member("seed", target_links=0, listening=False)
    seed.address = Address(begin, 7060)
    net.listen(seed)
    leaf = net.member("leaf", bootstrap=(Bootstrap(seed.address, None),), listening=False)
    net.give(leaf, io.ListeningOn((Address("0.0.0.0", 7060),), ()))
    for one in others:
        net.teach(leaf, one, one.address)
    net.wait(120)
    assert any(leaf.up(one) for one in others)


def test_where_a_node_lives_itself_many_may_fail(hosts):
    hosts.live_at([Address("127.0.0.1", 7060)])
    for address in ports(MANY - 1, "127.0.0.1"):
        hosts.failed(address, 5)
    assert hosts.not_before(Address("127.0.0.1", 9), BOB) == 0
    assert hosts.room("127.0.0.1") == 1


def test_who_has_been_met_where_it_moved_may_move_again_within_the_hour(hosts):
    hosts.elsewhere(THERE, CARL, 0)
    hosts.named(THERE)
    hosts.answered(THERE, BOB)
    hosts.elsewhere(THERE, CARL, 5)
    hosts.named(THERE)
    assert not hosts.blocked_until(THERE, BOB)
