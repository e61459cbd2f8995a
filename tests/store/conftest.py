"""What the store tests share: verified cards, lists and databases to break."""

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cards import (
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    Revocations,
    Terms,
    make_card,
    make_list,
    make_record,
    verify_card,
)
from p2pnoise.store import PeerStore, StoreError, read_table
from p2pnoise.store.peer_store import PeerChange

NOW = 1_800_000_000
NETWORK = "example-net"
OWN = b"\x01" * 32


def stream(name):
    return random.Random(hashlib.sha256(name.encode()).digest()).randbytes


@dataclass
class Shelf:
    """One database, and the things to put in it. The same names give the same bytes."""

    path: Path
    issuer: IssuerKey = field(default_factory=lambda: IssuerKey(hashlib.sha256(b"issuer").digest()))

    NOW, NETWORK, OWN = NOW, NETWORK, OWN

    def open(self, **options) -> PeerStore:
        return PeerStore(self.path, **{"network": NETWORK, "node_id": OWN, **options})

    def card(self, name, sequence=1):
        node, identity = NodeKey.generate(stream(f"{name} node")), IdentityKey.generate(stream(f"{name} identity"))
        return make_card(identity, node, network=NETWORK, now=NOW, name=name, sequence=sequence)

    def verified(self, name, sequence=1):
        card = verify_card(self.card(name, sequence), policy=Policy(network=NETWORK), now=NOW).card
        assert card is not None
        return card

    def record(self, name, sequence=1):
        node = NodeKey.generate(stream(f"{name} node"))
        return make_record(node, network=NETWORK, addresses=["192.0.2.1:7060"], sequence=sequence, now=NOW)

    def peer(self, name="ada", sequence=1, **options):
        given = {
            "verified": self.verified(name, sequence),
            "record": None,
            "standing": "verified",
            "provenance": "proven",
            "first_seen": NOW,
            "changed": NOW,
            "learned_from": OWN,
        }
        return PeerChange(**given | options)

    def list(self, sequence, revoked=(), issuer=None):
        entries = [Entry(bytes(subject), NOW, "lost", NOW + 400 * 86_400) for subject in revoked]
        return make_list(issuer or self.issuer, network=NETWORK, sequence=sequence, now=NOW, entries=entries)

    def revocations(self, *lists):
        state = Revocations()
        for one in lists:
            state, finding = state.add(one, Terms(issuers=[one.issuer], network=NETWORK, now=NOW))
            assert finding is None
        return state

    def filled(self, peers=30):
        """A closed database of some peers and lists, all in the one file."""
        store = self.open()
        store.commit([self.peer(f"peer-{n}", record=self.record(f"peer-{n}")) for n in range(peers)])
        revoked = self.card("peer-3").identity
        store.commit([self.revocations(self.list(1, [revoked]), self.list(2))])
        store.close()
        return self.path

    def read(self):
        """Everything there is, in one value."""
        store = self.open()
        try:
            return store.marks(), store.lists(), list(store.rows())
        finally:
            store.close()

    def refused(self, **options):
        """The error by which opening is refused, both for writing and for reading."""
        with pytest.raises(StoreError) as opened:
            self.open(**options).close()
        if not options:
            with pytest.raises(StoreError):
                read_table(self.path)
        assert opened.value.hint
        assert "\n" not in str(opened.value)
        return str(opened.value)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "node.db")


@pytest.fixture
def make_shelf():
    return Shelf
