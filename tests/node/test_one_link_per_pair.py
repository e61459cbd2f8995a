"""One link for each pair of nodes: simultaneous dials, restarts, clones, and what a hostile clone can try."""

import pytest

from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code, Kind
from p2pnoise.node.link import Stage


def both_dial(net, low, high, order):
    """Both have opened a carrier before either has heard a byte; `order` says which side's arrives first."""
    connections = {}
    for member, other in ((low, high), (high, low)):
        connections[member.name] = net.target(member, other.address, other.core.node_id)
    pairs = [(low, high), (high, low)]
    for member, other in pairs if order == "low first" else pairs[::-1]:
        net.join(member, connections[member.name], other)
    net.pump()
    return connections


@pytest.mark.parametrize("order", ["low first", "high first"])
def test_simultaneous_dials_leave_the_link_that_the_lower_node_id_dialled(any_net, order):
    low, high = any_net.two()
    both_dial(any_net, low, high, order)
    for member, other in ((low, high), (high, low)):
        (link,) = member.links_to(other)
        assert link.stage is Stage.UP
        assert link.initiator is (member is low)
    any_net.wait(60)
    assert low.up(high)
    assert high.up(low)
    assert not low.told("duplicate-node")


@pytest.mark.parametrize("second", ["low", "high"])
def test_the_application_hears_nothing_of_a_change_of_carriers(net, second):
    low, high = net.pair()
    net.link(*((low, high) if second == "low" else (high, low)))
    for member in (low, high):
        assert len(member.told("peer-verified")) == 1
        assert not member.told("peer-lost")
    net.wait(1)
    net.cut(low, high)
    assert len(low.told("peer-lost")) == 1


def test_simultaneous_dials_would_leave_none_if_each_kept_its_own(net, monkeypatch):
    """The companion: a rule that is not symmetric keeps both links or neither."""
    from p2pnoise.node import pairing  # noqa: PLC0415

    monkeypatch.setattr(pairing, "newcomer_stays", lambda _own, link, _other, _hello: not link.initiator)
    low, high = net.two()
    both_dial(net, low, high, "low first")
    kept = [link.handshake_hash for member in (low, high) for link in member.links.values() if link.stage is Stage.UP]
    assert len(kept) != 2 or kept[0] != kept[1]


@pytest.mark.parametrize("second", ["low", "high"])
def test_a_later_second_link_leaves_one(net, second):
    low, high = net.pair()
    dialler, other = (low, high) if second == "low" else (high, low)
    net.link(dialler, other)
    net.wait(1)  # the peer may just have opened a stream on the one that goes
    assert len(low.links) == len(high.links) == 1
    assert low.up(high)
    assert high.up(low)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def contest(net, ada):
    """An old link of carl's that is up, and a newcomer with his key and another boot id."""
    old = net.puppet(ada, "carl").come_up()
    new = net.puppet(ada, "carl").handshake().hello(boot_id=b"q" * 16)
    assert new.link.stage is Stage.CONTESTED
    return old, new


def test_a_clone_of_a_live_node_is_refused_and_told_of(net, ada):
    old, new = contest(net, ada)
    assert (Kind.PING, b"") in old.inbox
    old.frame(Kind.PONG)
    assert new.told is Code.DUPLICATE_NODE
    assert old.link.stage is Stage.UP
    (event,) = ada.told("duplicate-node")
    assert event.node_id == old.key.public
    assert not ada.told("peer-lost")


def test_the_clone_of_a_running_node_hears_duplicate_node(net):
    """The same between real nodes: two processes with one folder."""
    low, high = net.pair()
    clone = net.member(high.name, target_links=0, boot="clone")
    net.link(clone, low)
    assert [event.reason for event in clone.told("refused-by-peer")] == ["duplicate-node"]
    assert low.up(high)
    assert low.told("duplicate-node")


def test_a_restarted_node_takes_over_from_its_dead_link_after_two_seconds(net):
    low, high = net.pair()
    high.online = False
    again = net.member(high.name, target_links=0, boot="again")
    net.link(again, low)
    assert not low.up(again) or len(low.links) == 2
    net.wait(1.9)
    assert len(low.links) == 2
    net.wait(0.2)
    assert len(low.links) == 1
    assert again.up(low)
    assert not low.told("duplicate-node")


def test_a_link_that_replaces_an_older_one_ends_it_at_once(net, ada):
    old = net.puppet(ada, "carl").come_up()
    new = net.puppet(ada, "carl").handshake().hello(replaces=old.conn.handshake_hash).heads()
    assert old.told is Code.GOODBYE
    assert new.link.stage is Stage.UP


def test_without_replaces_a_tie_between_links_of_one_dialler_goes_by_the_hash(net, ada):
    old = net.puppet(ada, "carl").come_up()
    new = net.puppet(ada, "carl").handshake().hello().heads()
    net.wait(1)
    stays = min((old, new), key=lambda puppet: puppet.conn.handshake_hash)
    assert stays.link.stage is Stage.UP
    assert (new if stays is old else old).told is Code.GOODBYE


def test_a_node_whose_link_broke_names_it_in_its_next_hello(net):
    low, high = net.pair()
    broken = high.links[high.link_number(low)].handshake_hash
    net.cut(high, low)
    assert low.up(high)  # it has not noticed
    net.link(high, low)
    (link,) = [link for link in low.links_to(high) if link.stage is Stage.UP]
    assert link.hello.replaces == broken
    net.wait(5)
    assert list(low.links.values()) == [link]


def test_a_link_that_said_goodbye_is_not_named(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    puppet.frame(Kind.CLOSE, b"\x00").say(puppet.conn.send_end())
    again = net.puppet(ada, "carl").come_up()
    assert ada.core.links.admission._last_hash == {}
    assert again.link.stage is Stage.UP


@pytest.mark.parametrize("end", ["carrier", "clean", "garbage"])
def test_the_newcomer_begins_when_the_old_link_ends_by_itself(net, ada, end):
    old, new = contest(net, ada)
    if end == "carrier":
        old.say(b"")
    elif end == "clean":
        old.say(old.conn.send_end())
    else:
        old.say(b"\x00\x20" + bytes(32))
    assert new.heads().link.stage is Stage.UP
    assert old.ended


def test_of_two_newcomers_one_begins_when_the_old_link_dies(net, ada):
    _, first = contest(net, ada)
    second = net.puppet(ada, "carl").handshake().hello(boot_id=b"q" * 16)
    assert second.link.stage is Stage.CONTESTED
    net.wait(2.1)
    (begun,) = [puppet for puppet in (first, second) if puppet.link.stage is Stage.COMPARING]
    assert begun.heads().link.stage is Stage.UP
    net.wait(6)
    assert list(ada.links.values()) == [begun.link]


def test_two_newcomers_of_two_starts_leave_one(net, ada):
    _, first = contest(net, ada)
    second = net.puppet(ada, "carl").handshake().hello(boot_id=b"r" * 16)
    net.wait(10)
    net.pump()
    assert sum(puppet.link is not None and puppet.link.greeted for puppet in (first, second)) <= 1
    assert len(ada.links) <= 1


def test_both_newcomers_are_refused_when_the_old_link_answers(net, ada):
    old, first = contest(net, ada)
    second = net.puppet(ada, "carl").handshake().hello(boot_id=b"r" * 16)
    old.frame(Kind.PONG)
    assert first.told is second.told is Code.DUPLICATE_NODE
    assert old.link.stage is Stage.UP


def test_a_contested_newcomer_that_leaves_disturbs_nobody(net, ada):
    old, new = contest(net, ada)
    new.say(b"")
    old.frame(Kind.PONG)
    net.wait(3)
    assert old.link.stage is Stage.UP
    assert not ada.told("duplicate-node")


def test_gossip_of_a_contested_newcomer_is_held_and_bounded(net, ada):
    _, new = contest(net, ada)
    for _ in range(16):
        new.heads()
    assert new.link.stage is Stage.CONTESTED
    new.heads()
    assert new.ended


def test_a_stop_during_a_contest_ends_both(net, ada):
    old, new = contest(net, ada)
    net.give(ada, io.Stop())
    assert old.told is new.told is Code.GOODBYE
    net.wait(6)
    assert not ada.links


def test_a_revocation_during_a_contest_cuts_both(net, ada):
    old, new = contest(net, ada)
    net.give(ada, io.FactOffered(net.make_list(2, revoked=[old.identity.public]), "file"))
    assert old.told is new.told is Code.REVOKED
    net.wait(6)
    assert not ada.links


def test_remembered_broken_links_are_bounded(net, ada, monkeypatch):
    from p2pnoise.node import admission  # noqa: PLC0415

    monkeypatch.setattr(admission, "MAX_BROKEN", 2)
    for number in range(4):
        net.puppet(ada, f"peer-{number}").come_up().say(b"")
    assert len(ada.core.links.admission._last_hash) == 2
