"""What the gossip tests share: cards by the dozen, overlays joined by message queues, and puppets that can lie."""

import hashlib
import random
from collections import deque

import pytest

from cards import (
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    SignatureCache,
    grant,
    make_card,
    make_list,
    make_record,
)
from p2pnoise.gossip import Overlay, PeerTable, effects
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.messages import CardItem, GivenList, Items, RecordItem, Unknown, Want
from p2pnoise.instant import SECOND, Instant
from simulations.messages.registry import Registry
from simulations.messages.table import DenseTable

START = 1_800_000_000
NETWORK = "example-net"
DAY = 86_400


class Place:
    """One network: its issuers, and cards, grants, records and lists made to measure."""

    START, NETWORK, DAY = START, NETWORK, DAY

    def __init__(self, *, dense=False):
        self.dense = dense
        self.issuer = IssuerKey(hashlib.sha256(b"issuer").digest())
        self.second = IssuerKey(hashlib.sha256(b"second issuer").digest())
        self.stranger = IssuerKey(hashlib.sha256(b"a stranger's issuer").digest())
        self.policy = Policy(network=NETWORK, issuers={"ops": self.issuer.public})
        self.both = Policy(network=NETWORK, issuers={"ops": self.issuer.public, "lab": self.second.public})
        self.first_list = self.make_list(1)
        self.signatures = SignatureCache()
        self._cards = {}

    @staticmethod
    def keys(name):
        def stream(label):
            return random.Random(hashlib.sha256(f"{name} {label}".encode()).digest()).randbytes

        return NodeKey.generate(stream("node")), IdentityKey.generate(stream("identity"))

    def bare(self, name, *, keys=None, sequence=1, **options):
        key, identity = keys or self.keys(name)
        return make_card(
            identity, key, **{"network": NETWORK, "now": START - 100, "name": name, "sequence": sequence} | options
        )

    def grant(self, card, issuer=None, *, serial=1, now=START - 100, **options):
        return grant(issuer or self.issuer, card, serial=serial, now=now, entropy=bytes, **options)

    def card(self, name, *, issuer=None, serial=1, **options):
        what = (name, issuer, serial, tuple(options.items()))
        if what not in self._cards:
            self._cards[what] = self.grant(self.bare(name, **options), issuer, serial=serial)
        return self._cards[what]

    def record(self, name, *, sequence=1, key=None, **options):
        options = {"now": START - 50, "addresses": ["10.0.0.1:7060"]} | options
        return make_record(key or self.keys(name)[0], network=NETWORK, sequence=sequence, **options)

    def make_list(self, sequence, *, revoked=(), issuer=None, **options):
        entries = [Entry(bytes(subject), START, "lost", START + 400 * DAY) for subject in revoked]
        options = {"now": START - 100} | options
        return make_list(issuer or self.issuer, network=NETWORK, sequence=sequence, entries=entries, **options)

    @staticmethod
    def given(one):
        """The message that gives this list with all its pages."""
        return GivenList(one.head, one.signature, one.pages)

    def table(self, own="own", *, policy=None, lists=None):
        policy, own = policy or self.policy, self.keys(own)[0].public
        if self.dense:
            table = DenseTable(self.registry, policy, own=own)
        else:
            table = PeerTable(policy, own=own, signatures=self.signatures)
        for one in (self.first_list,) if lists is None else lists:
            table.offer_fact(one, START)
        return table


class Speaker:
    """An overlay in the mesh, with all that it wanted done; or a puppet, moved by hand."""

    def __init__(self, name, overlay, node_id):
        self.name, self.overlay, self.node_id = name, overlay, node_id
        self.done, self.heard, self.blamed, self.links = [], [], [], {}
        self.opened = 0  # links, ever
        self.visits = set()  # links

    @property
    def table(self):
        return self.overlay.table

    def did(self, kind):
        return [effect for effect in self.done if isinstance(effect, kind)]

    def heard_of(self, kind):
        return [message for message in self.heard if isinstance(message, kind)]


class Mesh:
    """Overlays joined by queues of messages. A message arrives at once; time passes by `wait` alone."""

    def __init__(self, place, seed=1):
        self.place = place
        self.now = 0
        self.speakers = {}  # overlays
        self.puppets = {}
        self.queue = deque()
        self.bytes = 0
        self.seed = seed

    @property
    def instant(self):
        return Instant(self.now, START + self.now // SECOND)

    def add(self, name, *, names=(), policy=None, lists=None, record=True):
        """An overlay of this node that holds the cards of `names` besides its own."""
        overlay = Overlay(
            self.place.table(name, policy=policy, lists=lists), random=random.Random(self.seed + len(self.speakers))
        )
        speaker = self.speakers[name] = Speaker(name, overlay, overlay.table.own)
        for other in (name, *names):
            overlay.offer_card(self.place.card(other), self.instant, live=other == name, own=other == name)
            if record:
                overlay.offer_record(self.place.record(other), self.instant)
        return speaker

    def puppet(self, name, victim, *, visit=False):
        """A peer that says only what the test says, judged well and up at `victim`."""
        puppet = self.puppets[name] = Speaker(name, None, self.place.keys(name)[0].public)
        self.join(victim, puppet)
        self.up(victim, victim.links[name], self.place.card(name), visit=visit)
        self.pump()
        return puppet

    def join(self, one, other, *, visit=False):
        """`one` dials `other`; lists are compared, and whoever is judged well then is up, as the node would."""
        for mine, theirs in ((one, other), (other, one)):
            mine.opened += 1
            mine.links[theirs.name] = mine.opened
            if visit:
                mine.visits.add(mine.opened)
        for mine, theirs in ((one, other), (other, one)):
            if mine.overlay is not None:
                link = mine.links[theirs.name]
                self.carry_out(mine, mine.overlay.peer_greeted(link, theirs.node_id, self.instant, ours=mine is one))
        self.pump()

    def part(self, one, other):
        for mine, theirs in ((one, other), (other, one)):
            link = mine.links.pop(theirs.name)
            if mine.overlay is not None:
                self.carry_out(mine, mine.overlay.peer_down(link, self.instant))
        self.pump()

    def say(self, puppet, victim, *messages):
        for message in messages:
            if not isinstance(message, Unknown):
                encode(message)  # what cannot be written cannot be said
            self.carry_out(victim, victim.overlay.message(victim.links[puppet.name], message, self.instant))
        self.pump()

    def give(self, puppet, victim, *items):
        """Answers the open question with these items, as an honest peer would."""
        self.say(puppet, victim, Items(items, last=True))

    def items(self, *names):
        """The cards and records of these."""
        cards = [CardItem(self.place.card(name).raw) for name in names]
        return [*cards, *(RecordItem(self.place.record(name).raw) for name in names)]

    def asked(self, puppet):
        """All ids that the puppet was asked for, in order, with repeats."""
        return [item for want in puppet.heard_of(Want) for item in sorted(want.ids)]

    def carry_out(self, speaker, done):
        speaker.done += done
        names = {link: name for name, link in speaker.links.items()}
        for effect in done:
            match effect:
                case effects.SendMessage(link, message):
                    if link in names:
                        data = encode(message)
                        self.bytes += len(data)
                        self.queue.append((speaker, names[link], data))
                case effects.Misbehaved(link, reason):
                    speaker.blamed.append((names.get(link), reason))
                case effects.ListsCompared(link):
                    self.judge(speaker, names[link])

    def judge(self, speaker, name):
        other = self.speakers.get(name)
        if other is None:
            return  # a puppet
        card = self.place.card(name)
        if speaker.table.judge(card, self.instant.unix, peer_static=other.node_id).ok:
            link = speaker.links[name]
            self.queue.append((speaker, None, (card, link)))

    def up(self, speaker, link, card, *, visit=False):
        """The peer of this link has shown this card, and is judged well by it."""
        verdict = speaker.table.judge(card, self.instant.unix)
        self.carry_out(speaker, speaker.overlay.peer_up(link, verdict, self.instant, visit=visit))

    def pump(self, limit=200_000):
        for _ in range(limit):
            if not self.queue:
                return
            speaker, name, data = self.queue.popleft()
            if name is None:
                card, link = data
                self.carry_out(speaker, speaker.overlay.offer_card(card, self.instant, live=True))
                self.up(speaker, link, card, visit=link in speaker.visits)
                continue
            target = self.speakers.get(name)
            if target is None:
                self.puppets[name].heard.append(decode(data))
            elif speaker.name in target.links:
                message = decode(data)
                target.heard.append(message)
                link = target.links[speaker.name]
                self.carry_out(target, target.overlay.message(link, message, self.instant))
        raise AssertionError("the mesh never comes to rest")

    def wait(self, seconds):
        end = self.now + int(seconds * SECOND)
        self.pump()
        while True:
            dues = [(s.overlay.deadline(), s.name) for s in self.speakers.values()]
            due = min(((due, name) for due, name in dues if due is not None and due <= end), default=None)
            if due is None:
                break
            self.now = max(self.now, due[0])
            speaker = self.speakers[due[1]]
            self.carry_out(speaker, speaker.overlay.tick(self.instant))
            after = speaker.overlay.deadline()
            assert after is None or after > self.now, "an overlay that is never at rest"
            self.pump()
        self.now = end

    @property
    def converged(self):
        tables = {frozenset(speaker.table.items) for speaker in self.speakers.values()}
        heads = {speaker.table.revocations.heads for speaker in self.speakers.values()}
        return len(tables) == 1 and len(heads) == 1


@pytest.fixture(scope="session", params=["a node's table", "a table of a simulated world"])
def place(request):
    """All that is true of overlays and tables is true with every kind of table."""
    return Place(dense="simulated" in request.param)


@pytest.fixture(autouse=True)
def _new_world(place):
    """Each test has tables of its own, and so has their registry."""
    place.registry = Registry()


@pytest.fixture
def mesh(place):
    return Mesh(place)


@pytest.fixture
def make_mesh(place):
    return lambda seed: Mesh(place, seed)


@pytest.fixture
def table(place):
    return place.table()


@pytest.fixture
def offer(place):
    def offer(table, card, **options):
        now = options.pop("now", place.START)
        return table.offer_card(card, now, source=b"somebody", **options)

    return offer


@pytest.fixture
def both(place):
    """A table that accepts two issuers."""
    return place.table(policy=place.both, lists=(place.first_list, place.make_list(1, issuer=place.second)))


@pytest.fixture
def made_up_items(place):
    """Only a node's table can be told that it holds what there is not."""
    if place.dense:
        pytest.skip("every item of a simulated world is a real one")
