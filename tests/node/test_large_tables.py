"""A table that is read back in portions: what peers see, and what they bring, before the last of them is verified."""

from dataclasses import replace

import pytest

from cards import Address, make_record
from p2pnoise.gossip import views
from p2pnoise.gossip.effects import Store, StorePeer
from p2pnoise.gossip.encoding import decode
from p2pnoise.gossip.reconciliation import Reconciliation
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Kind, split_frames
from p2pnoise.node.keeping import change_of, read_first, read_trust, stored_rows
from p2pnoise.store import PeerStore


def stored(peer):
    return io.StoredPeer(peer.card, peer.record, peer.provenance, peer.first_seen, peer.learned_from)


@pytest.fixture
def said(monkeypatch):
    """Every gossip message, with who said it, by whatever link."""
    from p2pnoise.node.channel import Channel  # noqa: PLC0415

    seal, found = Channel._seal, []

    def watched(channel):
        found.extend(decode(payload) for kind, payload in split_frames(bytes(channel._frames)) if kind == Kind.GOSSIP)
        seal(channel)

    monkeypatch.setattr(Channel, "_seal", watched)
    return found


@pytest.fixture
def town(net):
    """Six members that know each other; ada is the first."""
    names = ("ada", "bob", "carl", "dora", "erik", "fay")
    members = [net.member(name, target_links=0) for name in names]
    for other in members[1:]:
        net.link(members[0], other)
    net.wait(30)
    assert all(len(one.core.table) == 6 for one in members)
    return members


@pytest.fixture
def reading(net, town, monkeypatch):
    """ada again: its own row is read back, those of the other five are left. The member, and what is left.

    Samples name nobody but who gives them, or they would give all of so small a table.
    """
    monkeypatch.setattr(views, "SAMPLED", 0)
    ada = town[0]
    ada.online = False
    net.wait(60)  # the others notice
    rows = {peer.card.name: stored(peer) for peer in ada.core.table}
    again = net.member("ada", keys=net.keys("ada"), card=ada.core.card, listening=False, target_links=0, boot="again")
    marks = {bytes(row.card.identity): row.card.mark for row in rows.values()}
    net.give(again, io.TrustRestored((net.first_list,), marks))
    net.give(again, io.PeersRestored((rows.pop("ada"),), left=5))
    net.listen(again)
    return again, rows


def test_a_node_says_how_many_it_has_stored_before_all_are_verified(reading):
    ada, _ = reading
    assert ada.told("listening")[0].known_peers == 6
    assert len(ada.core.table) == 1


def test_tables_are_compared_with_nobody_or_peers_would_give_what_the_disk_holds(net, town, reading, monkeypatch):
    ada, rows = reading
    compared = []
    mine = ada.core._overlay._reconciliation
    for name in ("begin", "message"):
        real = getattr(Reconciliation, name)

        def watched(one, *given, real=real):
            compared.append(one is mine)
            return real(one, *given)

        monkeypatch.setattr(Reconciliation, name, watched)
    net.link(ada, town[1])
    net.wait(100)
    assert compared
    assert not any(compared)
    net.give(ada, io.PeersRestored(tuple(rows.values())))
    net.wait(100)
    assert any(compared)


def test_tables_are_compared_as_soon_as_the_last_row_is_verified(net, town, reading):
    ada, rows = reading
    newcomer = net.member("newcomer", target_links=0)
    net.link(newcomer, town[1])
    net.wait(30)
    net.link(ada, town[1])
    net.wait(30)
    assert ada.core.table.by_node(newcomer.core.node_id) is None
    net.give(ada, io.PeersRestored(tuple(rows.values())))
    net.wait(10)
    assert ada.core.table.by_node(newcomer.core.node_id) is not None


def test_what_is_new_spreads_meanwhile(net, town, reading):
    ada, _ = reading
    net.link(ada, town[1])
    net.give(town[1], io.OwnCardChanged(net.grant(town[1].core.card, serial=7)))
    net.wait(5)
    assert [grant.serial for grant in ada.core.table.by_node(town[1].core.node_id).card.grants] == [7]


def test_what_came_meanwhile_stays_and_how_it_was_first_known_comes_back(net, town, reading):
    ada, rows = reading
    net.link(ada, town[1])
    net.give(town[1], io.OwnCardChanged(net.grant(town[1].core.card, serial=7)))
    net.wait(5)
    row = replace(rows["bob"], first_seen=5, learned_from=b"s" * 32)
    net.give(ada, io.PeersRestored((row,)))
    peer = ada.core.table.by_node(town[1].core.node_id)
    assert [grant.serial for grant in peer.card.grants] == [7]
    assert (peer.first_seen, peer.learned_from, peer.provenance) == (5, b"s" * 32, "live")
    assert peer.record is not None


def test_a_record_that_came_before_its_row_was_read_is_taken_with_it(net, town, reading):
    ada, rows = reading
    net.link(ada, town[1])
    net.link(town[1], town[2])
    moved = Address("10.9.9.9", 9)
    net.give(town[2], io.ConfigChanged(town[2].core.config, (moved,)))
    net.wait(5)
    assert ada.core.table.by_node(town[2].core.node_id) is None
    before = len(ada.effects)
    net.give(ada, io.PeersRestored((rows["carl"],), left=4))
    assert ada.core.table.by_node(town[2].core.node_id).record.addresses == (moved,)
    assert any(isinstance(effect, StorePeer) for effect in ada.effects[before:])


def test_a_row_is_judged_by_the_list_that_came_before_it_was_read(net, town, reading):
    ada, rows = reading
    net.give(ada, io.FactOffered(net.make_list(2, revoked=[town[2].identity.public]), "file"))
    net.give(ada, io.PeersRestored(tuple(rows.values())))
    assert ada.core.table.by_node(town[2].core.node_id) is None
    assert len(ada.core.table) == 5


def test_rows_read_back_are_told_to_nobody_as_news(net, town, reading, said):
    ada, rows = reading
    net.link(ada, town[1])
    net.wait(5)
    said.clear()
    net.give(ada, io.PeersRestored(tuple(rows.values()), left=1))
    net.wait(1)
    known = {item for peer in ada.core.table if peer.node_id != ada.core.node_id for item in peer.item_ids}
    assert len(known) >= 15
    assert not any(known & {*getattr(message, "ids", ())} or getattr(message, "items", ()) for message in said)


def test_whoever_is_behind_takes_nothing_back_of_a_row_that_was_not_read_yet(net, tmp_path):
    store = PeerStore(tmp_path / "ada.db", network=net.policy.network, node_id=bytes(net.keys("ada")[0].public))
    bob = net.card("bob")
    granted = net.grant(bob, issuer=net.second)
    records = [
        make_record(net.keys("bob")[0], network=net.NETWORK, sequence=number, addresses=[], now=net.START - 50)
        for number in (3, 9)
    ]

    def hand(member, given):
        store.commit(change_of(one, net.unix) for one in net.give(member, given) if isinstance(one, Store))

    lists = (net.first_list, net.make_list(1, issuer=net.second))
    before = net.member("ada", target_links=0, policy=net.both, lists=lists, listening=False)
    hand(before, io.PeersOffered(((granted, records[1]),)))
    ada = net.member("ada", target_links=0, policy=net.both, lists=lists, boot="again", listening=False)
    hand(ada, read_trust(store))
    hand(ada, read_first(store))
    hand(ada, io.PeersOffered(((bob, records[0]),)))
    for portion in stored_rows(store, 100):
        hand(ada, portion)
    row, (kept,) = ada.core.table.by_node(bob.node_id), store.rows()
    for known in (row, kept):
        assert known.record.sequence == 9
        assert len(known.card.grants) == 2
    store.close()
