"""The configuration while a node runs: limits and peers to begin with, changed without a new start."""

from dataclasses import replace

from cards import Address
from p2pnoise.config import Bootstrap
from p2pnoise.node import effects as io
from p2pnoise.node.bans import Ban
from p2pnoise.node.frames import Code
from p2pnoise.node.link import Stage

THERE = Address("10.0.0.99", 7060)
ELSEWHERE = Address("10.0.0.98", 7060)


def configure(net, member, **values):
    return net.give(member, io.ConfigChanged(replace(member.core.config, **values)))


def dials_of(effects):
    return [effect.address for effect in effects if isinstance(effect, io.Dial)]


def test_a_peer_that_is_added_is_dialled_at_once_whatever_links_there_are(net):
    low, high = net.pair()
    cleo = net.member("cleo", target_links=0)
    assert dials_of(configure(net, low, bootstrap=(Bootstrap(cleo.address, cleo.core.node_id),))) == [cleo.address]
    assert low.up(cleo)
    assert low.up(high)


def test_an_address_that_is_added_is_dialled_at_once_though_others_are_linked(net):
    low, _ = net.pair()
    cleo = net.member("cleo", target_links=0)
    configure(net, low, bootstrap=(Bootstrap(cleo.address),))
    assert low.up(cleo)


def test_a_peer_that_is_added_is_dialled_once_at_once(net):
    ada = net.member("ada")
    configure(net, ada, bootstrap=(Bootstrap(THERE),))
    assert ada.dialled == [(THERE, "bootstrap")]


def test_what_failed_before_does_not_keep_a_peer_that_is_added_again_waiting(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(600)
    before = len(ada.dialled)
    configure(net, ada, bootstrap=())
    assert dials_of(configure(net, ada, bootstrap=(Bootstrap(THERE),))) == [THERE]
    assert len(ada.dialled) == before + 1


def test_a_peer_that_stays_in_the_configuration_keeps_its_pause(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(600)
    assert dials_of(configure(net, ada, bootstrap=(Bootstrap(THERE), Bootstrap(ELSEWHERE)))) == [ELSEWHERE]


def test_a_peer_that_is_removed_is_dialled_no_more(net):
    ada = net.member("ada", bootstrap=(Bootstrap(THERE),))
    net.wait(10)
    before = len(ada.dialled)
    configure(net, ada, bootstrap=())
    net.wait(3600)
    assert len(ada.dialled) == before


def test_a_peer_that_is_added_and_linked_already_is_not_dialled(net):
    low, high = net.pair()
    assert not dials_of(configure(net, low, bootstrap=(Bootstrap(high.address, high.core.node_id),)))
    assert not dials_of(configure(net, high, bootstrap=(Bootstrap(low.address),)))  # where it had dialled


def test_we_ourselves_are_not_dialled(net):
    ada = net.member("ada")
    assert not dials_of(configure(net, ada, bootstrap=(Bootstrap(THERE, ada.core.node_id),)))


def test_what_is_added_before_we_listen_is_dialled_when_we_do(net):
    ada = net.member("ada", target_links=0, listening=False)
    assert not dials_of(configure(net, ada, bootstrap=(Bootstrap(THERE),)))
    net.listen(ada)
    assert ada.dialled == [(THERE, "bootstrap")]


def test_what_is_added_and_removed_before_we_listen_is_never_dialled(net):
    ada = net.member("ada", target_links=0, listening=False)
    configure(net, ada, bootstrap=(Bootstrap(THERE),))
    configure(net, ada, bootstrap=())
    net.listen(ada)
    assert not ada.dialled


def test_a_node_that_stops_dials_nobody_who_is_added(net):
    ada = net.member("ada")
    net.give(ada, io.Stop())
    assert not dials_of(configure(net, ada, bootstrap=(Bootstrap(THERE),)))


def test_more_links_wanted_are_dialled_at_once(net):
    ada = net.member("ada", target_links=0, bootstrap=(Bootstrap(THERE),))
    assert not ada.dialled
    configure(net, ada, target_links=1)
    assert ada.dialled == [(THERE, "bootstrap")]


def test_fewer_links_close_nothing_and_let_nobody_else_in(net):
    ada = net.member("ada", target_links=0)
    peers = [net.puppet(ada, f"peer-{number}").come_up() for number in range(3)]
    configure(net, ada, max_links=2)
    assert net.puppet(ada, "late").ended
    assert all(peer.link.stage is Stage.UP for peer in peers)
    configure(net, ada, max_links=4)
    assert net.puppet(ada, "welcome").come_up()


def test_fewer_handshakes_and_fewer_of_one_host_hold_for_who_comes_next(net):
    ada = net.member("ada", target_links=0)
    configure(net, ada, max_handshakes=2, max_handshakes_per_host=1)
    hosts = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert [net.puppet(ada, f"p{n}", address=host).ended for n, host in enumerate(hosts)] == [False, True, False, True]


def test_another_time_for_handshakes_holds_for_who_comes_next(net):
    ada = net.member("ada", target_links=0)
    configure(net, ada, handshake_timeout=2.0)
    late = net.puppet(ada, "late")
    net.wait(1.9)
    assert not late.ended
    net.wait(0.2)
    assert late.ended


def test_lists_are_compared_within_the_time_that_holds_now(net):
    ada = net.member("ada", target_links=0)
    late = net.puppet(ada, "late")
    configure(net, ada, handshake_timeout=2.0)
    late.handshake().hello()
    net.wait(2.1)
    assert late.told is Code.BUSY


def test_links_that_stand_are_asked_by_the_times_that_hold_now(net):
    low, high = net.pair()
    net.estrange(low)
    high.online = False
    configure(net, low, ping_interval=1.0, ping_timeout=1.0)
    net.wait(2.1)
    assert [event.reason for event in low.told("peer-lost")] == ["silent for 1 s after a ping"]


def test_an_address_record_that_is_to_be_fresher_is_made_in_time(net):
    ada = net.member("ada", target_links=0)
    before = ada.core.table.by_node(ada.core.node_id).record.sequence
    configure(net, ada, record_refresh=60.0)
    net.wait(59)
    assert ada.core.table.by_node(ada.core.node_id).record.sequence == before
    net.wait(2)
    assert ada.core.table.by_node(ada.core.node_id).record.sequence > before


def test_other_addresses_are_published_at_once_and_the_same_ones_are_not(net):
    low, high = net.pair()
    for address in (ELSEWHERE, ELSEWHERE):
        net.give(low, io.ConfigChanged(low.core.config, (address,)))
    assert high.core.table.by_node(low.core.node_id).record.addresses == (ELSEWHERE,)
    assert [event.addresses for event in high.told("address-learned")][-1:] == [(ELSEWHERE,)]
    assert len([event for event in high.told("address-learned") if event.addresses == (ELSEWHERE,)]) == 1


def test_a_change_that_says_nothing_of_addresses_publishes_none(net):
    low, high = net.pair()
    before = high.core.table.by_node(low.core.node_id).record
    configure(net, low, max_links=9)
    assert high.core.table.by_node(low.core.node_id).record == before


def test_a_node_that_is_to_be_dialled_nowhere_says_so(net):
    low, high = net.pair()
    net.give(low, io.ConfigChanged(low.core.config, ()))
    assert high.core.table.by_node(low.core.node_id).record.addresses == ()


def test_addresses_that_change_while_our_card_does_not_count_are_published_once_it_does(net):
    low, _ = net.pair()
    net.give(low, io.PinsChanged({low.name: net.keys("somebody else")[1].public}))
    net.give(low, io.ConfigChanged(low.core.config, (ELSEWHERE,)))
    net.give(low, io.PinsChanged({}))
    assert low.core.table.by_node(low.core.node_id).record.addresses == (ELSEWHERE,)


def test_a_banned_peer_that_is_added_is_not_dialled(net):
    low, high = net.two()
    net.give(low, io.BansChanged((Ban(key=high.core.node_id, since=net.START),)))
    assert not dials_of(configure(net, low, bootstrap=(Bootstrap(high.address, high.core.node_id),)))


def test_who_wants_to_be_warned_earlier_of_lists_is_warned_at_once_and_who_does_not_is_not_told_again(net):
    ada = net.member("ada", target_links=0)
    assert not ada.told("list-due")
    configure(net, ada, list_warning=365 * 86400.0)
    assert len(ada.told("list-due")) == 1
    configure(net, ada, max_links=7)
    assert len(ada.told("list-due")) == 1
