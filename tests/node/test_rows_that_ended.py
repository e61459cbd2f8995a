"""Rows that ended while their node was down: they are written as such, once, and do not add up on the disk."""

from collections import Counter
from dataclasses import replace

import pytest

from p2pnoise.gossip.effects import Store, StorePeer
from p2pnoise.node import effects as io
from p2pnoise.node.keeping import change_of, read_back
from p2pnoise.store import PeerStore, peer_store

HOUR, DAY = 3600, 86_400
FEW = 5  # that are kept of those that ceased


@pytest.fixture
def start(net, tmp_path, monkeypatch):
    """Starts ada anew with what its database holds; what it wants kept is kept."""
    monkeypatch.setattr(peer_store, "MAX_CEASED", FEW)
    node_id = net.keys("ada")[0].public
    store = PeerStore(tmp_path / "ada.db", network=net.policy.network, node_id=bytes(node_id))

    def begin(**options):
        ada = net.member("ada", listening=False, target_links=0, **options)
        ada.keep = lambda effects: store.commit(change_of(one, net.unix) for one in effects if isinstance(one, Store))
        for given in read_back(store):
            ada.keep(net.give(ada, given))
        ada.store = store
        return ada

    yield begin
    store.close()


def offer(net, ada, *names, **options):
    cards = [net.card(name, **options) for name in names]
    ada.keep(net.give(ada, io.PeersOffered(tuple((card, None) for card in cards))))
    assert all(ada.core.table.by_node(card.node_id) for card in cards)


def standings(ada):
    return Counter(row.standing for row in ada.store.rows())


def told(member):
    return [effect.peer for effect in member.effects if isinstance(effect, StorePeer)]


@pytest.mark.parametrize(("what", "standing"), [("lifetime", "expired"), ("grant_lifetime", "expired-app")])
def test_they_are_kept_for_a_while_and_do_not_add_up(net, start, what, standing):
    for evening in range(3):
        ada = start()
        offer(net, ada, "friend")
        offer(net, ada, *(f"guest-{evening}-{number}" for number in range(4)), **{what: net.shift + HOUR})
        net.shift += DAY
    ada = start()
    assert standings(ada) == {"verified": 1, standing: FEW}
    assert len(ada.core.table) == 1


def test_so_are_those_who_were_revoked_before_their_row_was_read(net, start):
    offer(net, start(), "friend", "foe")
    ada = start(lists=[net.first_list, net.make_list(2, revoked=[net.keys("foe")[1].public])])
    assert standings(ada) == {"verified": 1, "revoked": 1}


def test_so_are_those_for_whom_another_policy_has_no_room(net, start, monkeypatch):
    names = [f"node-{number}" for number in range(8)]
    offer(net, start(), *names)
    monkeypatch.setattr("p2pnoise.gossip.table.MAX_PEERS", 8)
    ada = start(policy=net.both)
    assert standings(ada) == {"verified": 2, "over-quota": FEW}


def test_they_are_written_once(net, start):
    offer(net, start(), "guest", lifetime=HOUR)
    net.shift += DAY
    assert len(told(start())) == 1
    assert not told(start())


@pytest.mark.parametrize("late", ["clock", "list"])
def test_what_a_late_clock_or_a_list_that_is_missing_keeps_out_stays_as_it_was(net, start, late):
    offer(net, start(), "friend")
    net.shift -= DAY if late == "clock" else 0
    ada = start(lists=(net.make_list(1, now=net.START - 2 * DAY),) if late == "clock" else ())
    assert not len(ada.core.table)
    assert standings(ada) == {"verified": 1}


def test_a_row_that_was_written_anew_since_it_was_read_stays_as_it_was(net, start):
    ada = start()
    offer(net, ada, "guest", lifetime=HOUR)
    row = ada.core.table.by_node(net.keys("guest")[0].public)
    stored = io.StoredPeer(row.card, row.record, row.provenance, row.first_seen, row.learned_from)
    offer(net, ada, "guest", lifetime=2 * HOUR, sequence=2)
    net.shift += DAY
    net.give(ada, io.PeersOffered(()))
    assert not ada.core.table.by_node(row.node_id)
    before = len(told(ada))
    net.give(ada, io.PeersRestored((stored,)))
    assert len(told(ada)) == before


def test_of_a_row_that_nobody_signed_nothing_is_written(net, start):
    ada = start()
    card = net.card("guest", lifetime=HOUR)
    forged = replace(card, key_signature=bytes(64))
    net.shift += DAY
    net.give(ada, io.PeersRestored((io.StoredPeer(forged, None, "live", 1, b"x" * 32),)))
    assert not told(ada)


def test_marks_of_those_who_left_do_not_add_up_on_the_disk(net, start, monkeypatch):
    """Restarts notwithstanding: or an issuer that signs without end would fill it."""
    monkeypatch.setattr("p2pnoise.gossip.table.MAX_PEERS", 10)  # nine for the one issuer, one for those without any
    cards = [net.card(f"member-{number}") for number in range(60)]
    cards.sort(key=lambda card: card.identity, reverse=True)  # each takes the place of the one before
    for batch in range(3):
        ada = start()
        for card in cards[20 * batch : 20 * batch + 20]:
            ada.keep(net.give(ada, io.PeersOffered(((card, None),))))
        assert len(ada.store.marks()) <= len(ada.core.table) + 9 + 1
    assert {card.identity for card in cards[-9:]} - {net.card("ada").identity} <= ada.store.marks().keys()
