"""What is stored comes before what is said: a node that is killed has promised nothing that it forgot."""

import itertools

import pytest

from p2pnoise.gossip.effects import StorePeer, StoreRevocations
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Kind, split_frames


@pytest.fixture
def life(net, monkeypatch):
    """A short life of five members, with what each sealed into its links; the members."""
    from p2pnoise.node.channel import Channel  # noqa: PLC0415

    seal = Channel._seal

    def watched(channel):
        frames = bytes(channel._frames)
        seal(channel)
        if frames:
            sealed.append((channel, frames))

    sealed = []
    monkeypatch.setattr(Channel, "_seal", watched)
    members = [net.member(f"node-{number}", target_links=0) for number in range(5)]
    for one, other in itertools.pairwise(members):
        net.link(one, other)
    net.wait(20)
    net.give(members[0], io.OwnCardChanged(net.grant(members[0].core.card, serial=2)))
    net.give(members[2], io.FactOffered(net.make_list(2, revoked=[members[4].identity.public]), "file"))
    net.wait(20)
    members[0].sealed = sealed
    return members


def test_every_card_and_address_told_of_was_stored_before(life):
    for member in life:
        stored = set()
        for effect in member.effects:
            if isinstance(effect, StorePeer):
                stored.add((effect.peer.node_id, effect.peer.card.sequence, effect.peer.record is not None))
            elif isinstance(effect, io.Emit) and effect.event.kind == "card-learned":
                known = {(node_id, sequence) for node_id, sequence, _ in stored}
                assert (effect.event.node_id, effect.event.sequence) in known
            elif isinstance(effect, io.Emit) and effect.event.kind == "address-learned":
                assert any(node_id == effect.event.node_id and record for node_id, _, record in stored)
            elif isinstance(effect, io.Emit) and effect.event.kind == "peer-verified":
                assert effect.event.node_id in {node_id for node_id, *_ in stored}


def test_every_list_told_of_was_stored_before_and_with_it_what_it_took_away(life):
    seen = 0
    for member in life[:4]:
        sequences, gone = set(), set()
        for effect in member.effects:
            match effect:
                case StoreRevocations(revocations):
                    sequences |= {head.sequence for head in revocations.heads}
                case StorePeer(peer) if not peer.verdict.ok:
                    gone.add(peer.node_id)
                case io.Emit(event) if event.kind == "list-applied":
                    seen += 1
                    assert event.sequence in sequences
                    assert set(event.revoked) <= gone
    assert seen == 4


def test_within_a_batch_nothing_is_sent_before_everything_is_stored(life):
    for member in life:
        for batch in member.batches:
            stores = [place for place, effect in enumerate(batch) if isinstance(effect, StorePeer | StoreRevocations)]
            sends = [place for place, effect in enumerate(batch) if isinstance(effect, io.SendBytes)]
            if stores and sends:
                assert stores[-1] < sends[-1]


def test_no_item_is_offered_before_it_was_stored(life):
    """Ids leave in announcements and comparisons; by then their rows are in this batch or an earlier one."""
    from p2pnoise.gossip.encoding import decode  # noqa: PLC0415
    from p2pnoise.gossip.messages import Announce, Ranges  # noqa: PLC0415

    stored = set()
    for member in life:
        stored |= {item for effect in member.effects if isinstance(effect, StorePeer) for item in effect.peer.item_ids}
    said = [
        decode(payload) for _, frames in life[0].sealed for kind, payload in split_frames(frames) if kind == Kind.GOSSIP
    ]
    offered = {item for message in said if isinstance(message, Announce) for item in message.ids}
    for message in said:
        if isinstance(message, Ranges):
            named = [one.holds for _, ranges in message.groups for one in ranges if isinstance(one.holds, frozenset)]
            offered |= message.told.union(*named)
    assert offered
    assert offered <= stored
