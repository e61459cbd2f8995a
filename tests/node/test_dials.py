"""Dials: whom, when, and when not; and that no node ever spins."""

import random

import pytest

from cards import Address
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import Sample
from p2pnoise.gossip.views import SEARCH, Views
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.dials import Target
from p2pnoise.node.frames import VISIT, Kind
from p2pnoise.node.link import Stage

THERE = Address("10.0.0.99", 7060)


def dialled(member):
    return [(event.address, event.source) for event in member.told("dialling")]


def test_a_peer_that_breaks_the_protocol_on_every_link_is_dialled_ever_less_and_then_not_at_all(net):
    bob = net.member("bob", target_links=0)
    ada = net.member("ada", bootstrap=(Bootstrap(bob.address),))
    for _ in range(60):
        for number, link in list(bob.links.items()):
            if link.stage is Stage.UP:
                link.send_gossip(b"nonsense")
                bob.core.links.agenda.touch(number)
        net.give(bob, io.Tick())
        net.wait(1)
    assert len(ada.told("peer-lost")) == 3  # and then it is banned
    assert len(dialled(ada)) < 12


def test_whoever_is_seen_off_by_a_crowded_node_comes_again_ever_later(net):
    hub = net.member("hub", target_links=0, max_links=3)
    for number in range(2):
        assert net.puppet(hub, f"resident-{number}").come_up()
    ada = net.member("ada", bootstrap=(Bootstrap(hub.address),))
    for _ in range(240):
        net.wait(0.5)
    assert len(ada.told("peer-verified")) > 2
    assert len(dialled(ada)) < 12


def test_nobody_is_dialled_before_we_listen(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),), listening=False)
    net.wait(60)
    assert not dialled(ada)
    net.listen(ada)
    assert dialled(ada) == [(THERE, "bootstrap")]


def test_nobody_is_dialled_after_stop(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(5)
    net.give(ada, io.Stop())
    before = len(dialled(ada))
    net.wait(600)
    assert len(dialled(ada)) == before


def test_a_dial_that_connects_after_stop_opens_nothing(net):
    low, high = net.two()
    connection = net.target(high, low.address, low.core.node_id)
    net.give(high, io.Stop())
    net.join(high, connection, low)
    net.pump()
    assert not high.links
    assert not high.sent


def test_an_address_where_nobody_is_gets_fewer_and_fewer_dials(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(3600)
    assert 15 <= len(dialled(ada)) <= 35
    assert len(ada.told("dial-failed")) == len(dialled(ada))


def test_a_bootstrap_without_a_node_id_is_of_no_use_once_linked(net):
    low = net.member("low", target_links=0)
    ada = net.member("ada", bootstrap=(Bootstrap(low.address), Bootstrap(THERE)))
    net.wait(10)
    assert ada.up(low)
    before = len(dialled(ada))
    net.wait(600)
    assert len(dialled(ada)) == before


def test_a_way_in_is_looked_for_although_a_newcomer_has_found_us(net):
    """Or two that know no more than each other would stay an island when the node comes up that one was told of."""
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(5)
    carl = net.member("carl", bootstrap=(Bootstrap(ada.address),))
    net.wait(5)
    assert ada.up(carl)
    before = len(dialled(ada))
    net.wait(300)
    assert len(dialled(ada)) > before


def test_a_bootstrap_with_a_node_id_is_dialled_until_that_node_is_linked(net):
    low, high = net.two()
    ada = net.member("dora", bootstrap=(Bootstrap(low.address), Bootstrap(THERE, high.core.node_id)))
    net.wait(100)
    assert ada.up(low)
    assert len([address for address, _ in dialled(ada) if address == THERE]) > 3


def table_of(net, ada, *names, addresses=("10.1.0.1:1", "10.1.0.2:2")):
    """Ada learns these nodes and their addresses from a puppet, as from any peer."""
    from cards import make_record  # noqa: PLC0415

    for number, name in enumerate(names):
        key, _ = net.keys(name)
        own = [text.replace("10.1", f"10.{number + 2}") for text in addresses]
        record = make_record(key, network=net.NETWORK, addresses=own, sequence=1, now=net.START)
        ada.core.table.offer_card(net.card(name), net.unix, source=b"")
        ada.core.table.offer_record(record, net.unix)
        ada.core._dialler.learned(ada.core.table.by_node(key.public), net.now)


def test_one_address_of_a_node_is_dialled_at_a_time(net):
    ada = net.member("ada")
    table_of(net, ada, "bob")
    targets = ada.core._dialler.due({}, ada.core._overlay.views, net.now + 10 * SECOND)
    assert len(targets) == 1


def test_half_of_the_neighbours_are_dialled_at_once_and_the_others_one_by_one(net):
    ada = net.member("ada", target_links=3)
    table_of(net, ada, *[f"node-{number}" for number in range(10)])
    dialler, later = ada.core._dialler, net.now + 10 * SECOND
    assert len(dialler.due({}, ada.core._overlay.views, later)) == 2
    for number in range(2):
        dialler.open[number] = Target(Address("10.0.9.9", number + 1), None, None, "table")
    assert dialler.due({}, ada.core._overlay.views, later) == []
    assert dialler.deadline({}, ada.core._overlay.views, later) == later + SEARCH
    assert len(dialler.due({}, ada.core._overlay.views, later + SEARCH)) == 1


def test_where_all_were_full_the_next_search_waits(net, monkeypatch):
    """Also for neighbours of its own choice, of whom it has too few."""
    monkeypatch.setattr(Views, "search", 8 * SEARCH)
    ada = net.member("ada", target_links=6)
    table_of(net, ada, *[f"node-{number}" for number in range(10)])
    dialler, views, later = ada.core._dialler, ada.core._overlay.views, net.now + 10 * SECOND
    assert len(dialler.due({}, views, later)) == 4
    assert dialler.due({}, views, later + 8 * SEARCH - 1) == []
    assert dialler.deadline({}, views, later + 1) == later + 8 * SEARCH
    assert len(dialler.due({}, views, later + 8 * SEARCH)) == 4


def test_where_nobody_was_ready_the_next_search_does_not_wait(net, monkeypatch):
    """Of a large table few are drawn, and others the next second."""
    monkeypatch.setattr(Views, "search", 8 * SEARCH)
    ada = net.member("ada", target_links=6)
    dialler, views, later = ada.core._dialler, ada.core._overlay.views, net.now + 10 * SECOND
    assert dialler.due({}, views, later) == []
    table_of(net, ada, "bob")
    assert len(dialler.due({}, views, later + SEARCH)) == 1


def test_who_has_lost_a_neighbour_does_not_wait_as_long_as_before(net, monkeypatch):
    monkeypatch.setattr(Views, "search", 8 * SEARCH)
    ada = net.member("ada", target_links=1)
    table_of(net, ada, "bob", "carl")
    dialler, views, later = ada.core._dialler, ada.core._overlay.views, net.now + 10 * SECOND
    assert len(dialler.due({}, views, later)) == 1
    monkeypatch.setattr(Views, "search", SEARCH)
    dialler._config = NodeConfig(target_links=3)
    for number in range(2):
        dialler.open[number] = Target(Address("10.0.9.9", number + 1), None, None, "table")
    assert dialler.deadline({}, views, later) == later + SEARCH


def test_a_visit_that_is_on_its_way_does_not_stand_for_a_neighbour(net):
    ada = net.member("ada", target_links=1)
    table_of(net, ada, "bob")
    dialler, views, later = ada.core._dialler, ada.core._overlay.views, net.now + 10 * SECOND
    dialler.open[0] = Target(Address("10.0.9.9", 1), None, None, VISIT)
    assert len(dialler.due({}, views, later)) == 1


def test_who_has_no_room_for_us_is_replaced_at_once(net):
    """Though its link is as it was, until we leave."""
    ada = net.member("ada", target_links=1)
    bob, carl = (net.member(name, target_links=0) for name in ("bob", "carl"))
    net.link(ada, bob)
    net.teach(ada, carl, carl.address)
    net.give(ada, io.Tick())
    assert not ada.up(carl)
    (number,) = bob.links
    bob.links[number].send_gossip(encode(Sample(frozenset(), asks=False, full=True)))
    bob.core.links.agenda.touch(number)
    net.give(bob, io.Tick())
    net.wait(2)
    assert ada.up(carl)


def test_an_address_that_failed_is_seldom_drawn_before_one_that_did_not(net):
    ada = net.member("ada", target_links=2)
    table_of(net, ada, *[f"node-{number}" for number in range(10)], addresses=("10.1.0.1:1",))
    dialler, later = ada.core._dialler, net.now + 3600 * SECOND
    dead = {Address.parse(f"10.{number + 2}.0.1:1") for number in range(9)}
    for address in sorted(dead, key=str):
        dialler.pauses.failed(address, net.now)
        dialler.pauses.failed(address, net.now)
    drawn = [dialler.due({}, ada.core._overlay.views, later)[0].address for _ in range(100)]
    assert 40 < sum(address not in dead for address in drawn) < 100  # of ten by chance; and the others in their turn


def test_the_lower_node_id_dials_first(net):
    low, high = net.two()
    table_of(net, low, high.name)
    table_of(net, high, low.name)
    dues = [member.core._dialler.deadline({}, member.core._overlay.views, net.now) for member in (low, high)]
    assert dues == [None, None]  # these two dial nobody at all
    dues = []
    for member in (low, high):
        member.core._dialler._config = NodeConfig()
        dues.append(member.core._dialler.deadline({}, member.core._overlay.views, net.now))
    assert dues[0] + SECOND // 2 < dues[1]


def test_our_own_record_is_no_target(net):
    ada = net.member("ada")
    assert ada.core.table.by_node(ada.core.node_id).record is not None
    assert ada.core._dialler.due({}, ada.core._overlay.views, net.now + 100 * SECOND) == []


def flapping(net, end):
    """A member whom bob lets in and whose link he ends in this way, for a minute; the member."""
    bob = net.member("bob", target_links=0)
    member = net.member("carl", bootstrap=(Bootstrap(bob.address, bob.core.node_id),), target_links=1)
    for _ in range(600):
        net.wait(0.1)
        for number in list(bob.links):
            end(bob, number)
        net.pump()
    return member


@pytest.mark.parametrize("code", [0, 6])
def test_a_peer_that_lets_us_in_and_says_goodbye_does_not_keep_us_dialling(net, code):
    """Once a goodbye cost no pause at all, and the next dial followed within the same instant."""
    from p2pnoise.node.frames import Code  # noqa: PLC0415

    def end(bob, number):
        bob.core.links.close(number, Code(code), net.instant)
        net.give(bob, io.Tick())

    member = flapping(net, end)
    assert len(dialled(member)) < 60 * 4 + 5


def test_a_refused_dial_counts_as_failed_even_after_the_lists(net):
    low, high = net.two()
    net.give(low, io.FactOffered(net.make_list(2, revoked=[high.identity.public]), "file"))
    for _ in range(3):
        net.link(high, low)
    assert high.core._dialler.pauses.failures(low.address) == 3


@pytest.mark.parametrize("seed", range(3))
def test_a_deadline_is_never_in_the_past_after_a_tick(make_net, seed):
    """`Net.hand` looks after every tick; here is a life with all that can happen in it."""
    net = make_net()
    chance = random.Random(seed)
    members = []
    for number in range(6):
        start = (Bootstrap(members[0].address, members[0].core.node_id),) if members else ()
        members.append(net.member(f"node-{number}", bootstrap=start, target_links=3))
    for step in range(60):
        net.wait(chance.random() * 20)
        member = chance.choice(members)
        match chance.randrange(6):
            case 0 if member.links:
                number = chance.choice(list(member.links))
                net.give(member, io.ConnectFailed(number, "cut"))
            case 1:
                member.online = not member.online
            case 2:
                net.shift += chance.choice([-86_400, 86_400, 3600])
            case 3:
                revoked = [members[-1].identity.public] if step > 30 else []
                net.give(member, io.FactOffered(net.make_list(step + 2, revoked=revoked, now=net.START - 50), "f"))
            case 4 if member.online:
                puppet = net.puppet(member, f"puppet-{step}").handshake()
                if puppet.link is not None:
                    puppet.hello().frame(Kind.GOSSIP, b"\xc1")
    net.wait(3000)
    assert all(member.effects for member in members)
