"""Peers from a file: judged as those that a link brings, kept, and told to nobody by themselves."""

import dataclasses

from p2pnoise.gossip import effects
from p2pnoise.gossip.messages import Announce, Push


def offer(mesh, speaker, *peers):
    before = len(speaker.done)
    mesh.carry_out(speaker, speaker.overlay.offer_peers(peers, mesh.instant))
    mesh.pump()
    return speaker.done[before:]


def test_what_counts_is_kept_with_its_addresses(mesh):
    ada = mesh.add("ada")
    card, record = mesh.place.card("carl"), mesh.place.record("carl")
    (stored,) = offer(mesh, ada, (card, record))
    row = ada.table.by_identity(card.identity)
    assert stored == effects.StorePeer(row)
    assert (row.card, row.record, row.provenance, row.learned_from) == (card, record, "proven", bytes(ada.table.own))
    assert offer(mesh, ada, (card, record)) == []


def test_what_does_not_count_is_not_kept_and_changes_no_trust(mesh):
    ada, place = mesh.add("ada"), mesh.place
    forged = dataclasses.replace(place.card("carl"), key_signature=bytes(64))
    foreign = place.grant(place.bare("dora"), place.stranger)
    assert offer(mesh, ada, (forged, None), (foreign, None), (place.bare("eve"), place.record("eve"))) == []
    assert len(ada.table) == 1


def test_an_address_record_of_another_node_or_a_forged_one_is_not_taken(mesh):
    ada, place = mesh.add("ada"), mesh.place
    forged = dataclasses.replace(place.record("carl"), signatures=(bytes(64),))
    for card, record in ((place.card("carl"), forged), (place.card("dora"), place.record("carl"))):
        offer(mesh, ada, (card, record))
        assert ada.table.by_identity(card.identity).record is None


def test_a_twin_in_a_file_is_proof_against_its_owner(mesh):
    ada, place = mesh.add("ada", names=["carl"]), mesh.place
    twin = place.grant(place.bare("carl-twin", keys=place.keys("carl")))
    offer(mesh, ada, (twin, None))
    assert ada.did(effects.StoreStatement)


def test_nobody_is_told_until_tables_are_compared(mesh):
    ada, bob = mesh.add("ada"), mesh.add("bob")
    mesh.join(ada, bob)
    bob.heard.clear()
    card = mesh.place.card("carl")
    offer(mesh, ada, (card, None))
    assert not [message for message in bob.heard if isinstance(message, Announce | Push)]
    mesh.wait(200)
    assert bob.table.by_identity(card.identity) is not None
