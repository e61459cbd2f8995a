"""kill -9 of a real node between a card that it accepts and the commit that keeps its mark, and just after the commit.

The mark is what keeps an older card from coming back. Before it is kept nobody may have heard that the card counts.
"""

import signal
import sys
import time

import pytest

from cards import Policy
from cli import documents
from cli.trust_state import believe
from p2pnoise.node.frames import Kind
from p2pnoise.store import read_table
from tests.cli.conftest import Place
from tests.cli.liar import Liar

# `p2pnoise`, but for the commit that has the next card of one identity: there the process is killed.
DYING = """
import os, signal, sys
from p2pnoise.store import peer_store

when, identity, sequence = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
commit = peer_store.PeerStore.commit

def dying(self, changes):
    changes = list(changes)
    cards = [one.verified.card for one in changes if isinstance(one, peer_store.PeerChange)]
    fatal = any(card.identity == identity and card.sequence == sequence for card in cards)
    if fatal and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    commit(self, changes)
    if fatal:
        os.kill(os.getpid(), signal.SIGKILL)

peer_store.PeerStore.commit = dying
sys.argv[1:] = sys.argv[4:]
from cli.main import main
main()
"""


@pytest.fixture
def story(place, issuer):
    """A hub that has met carl by his first card and has ended; carl has a second card by now."""
    for name in ("hub", "carl"):
        place.member(name, issuer)
    place.first = place.card(place / "carl.card")
    place.identity, place.key = place.keys(place / "carl")
    place.second = place.card(place.make_card("carl", "carl"))
    assert place.second.sequence == place.first.sequence + 1
    policy = Policy.from_toml((place / "hub" / "policy.toml").read_text())
    facts, _ = believe(policy, documents.read(place / "hub" / "revocations.pem").lists, int(time.time()))
    place.heads = facts.revocations.heads
    with_hub(place, lambda hub: meet(place, hub, place.first).close())
    assert mark(place) == place.first.sequence
    return place


def dying(story, when):
    """The same place, but for its commands, which are killed before or after that commit."""
    fatal = when, bytes(story.identity.public).hex(), str(story.second.sequence)
    return Place(story.path, command=[sys.executable, "-c", DYING, *fatal])


def with_hub(place, act, *, where=None):
    hub = (where or place).daemon("hub")
    try:
        hub.wait("listening")
        act(hub)
        if where is not None:
            assert hub.end()[0] == -9
        else:
            hub.end(signal.SIGTERM)
        return hub.events
    finally:
        hub.close()


def meet(place, hub, card):
    return Liar(hub.bootstrap, place.key, card, place.heads)


def mark(place):
    """The number that the hub has kept of carl."""
    rows = read_table(place / "hub" / "node.db").rows
    return max(row.card.sequence for row in rows if row.card.identity == place.identity.public)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_mark_is_kept_before_anybody_hears_of_it(story, when):
    heard = []

    def die(hub):
        carl = meet(story, hub, story.second)
        heard.extend(carl.heard(Kind.READY))
        assert carl.ended
        carl.close()

    told = with_hub(story, die, where=dying(story, when))
    assert heard == []
    assert "peer-verified" not in {event["event"] for event in told}
    assert mark(story) == (story.first if when == "before" else story.second).sequence


def test_after_the_kill_the_older_card_brings_nothing_back(story):
    with_hub(story, lambda hub: meet(story, hub, story.second).close(), where=dying(story, "after"))

    def come_back(hub):
        carl = meet(story, hub, story.first)  # as from a backup: it has the key, too, and gets its newer card
        assert carl.heard(Kind.READY)
        carl.close()
        hub.wait("peer-lost", name="carl")

    with_hub(story, come_back)
    assert mark(story) == story.second.sequence
