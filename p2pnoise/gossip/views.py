"""Views: with which of its links a node gossips, and whom else it could turn to: HyParView's active and passive view.

The active view are the links whose peers are *neighbours*: what is new goes there. A node dials until it has enough of
them, more than half of them of its own choice, for whom places are kept. Whoever comes to a node that has more than
enough, or enough and would make its company one-sided (company.py), is a *visitor*: it is told of others, and goes to
them. One that is still there after a while has nowhere else to go (behind a NAT, say), and becomes a neighbour, unless
it crowds. A node that has neighbours pays visits, too, now and then, to anyone: tables are compared, so the parts of a
network that was divided find each other, and it is seen who is where its record says. The passive view are peers that
others named: a table that somebody has filled says nothing about whom others meet (candidates.py).

HyParView (DSN 2007) spreads a newcomer by random walks and shuffles by them, since its nodes know nobody else. Here a
table and the broadcast of every card stand beside the views, so that both parties of one link exchange samples, at once
when it comes up and every 30 s; nobody relays what it cannot vouch for.
"""

from collections.abc import Callable

from cards import Verdict
from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND

from .candidates import Candidates
from .company import ENOUGH, Company
from .effects import Effect, LeaveLink, LinkId
from .items import ItemSet, body_id
from .messages import MAX_SAMPLE, Message, Sample
from .networks import Network
from .table import PeerTable

MOST = 12  # neighbours from which on whoever comes is a visitor; half as many again as a node dials: HyParView's 6 to 8
CHOSEN = 5  # of its own choice that a node takes however many came to it; or whoever is first would have all places
SHUFFLE = 30 * SECOND  # HyParView as iroh-gossip and this design have it
VISIT = 2 * SECOND  # how long a visit lasts at least: some round trips of slow lines; a guess
# From one search for neighbours to the next; twice as long for every so many peers that had no room for us since we
# last lost a neighbour. Where tables have rows for a tenth of all nodes, those who have one cannot be neighbours of
# everybody, and are asked again and again: 400 nodes with 40 rows sent 2 kB/s each at rest, and 0.5 kB/s with
# this, after a minute.
SEARCH, LONGEST_SEARCH, PATIENT = SECOND, 64 * SECOND, 8
SAMPLED = MAX_SAMPLE // 2  # peers of one sample, each with two ids; HyParView's shuffle names seven and the sender


class Views:
    """The neighbours of one node and the peers that it heard of. Bounded by the links, and by those of `candidates`."""

    def __init__(
        self,
        table: PeerTable,
        send: Callable[[LinkId, Message], None],
        effects: list[Effect],
        *,
        random: Chance,
    ) -> None:
        self.table = table
        self.active: dict[LinkId, bool] = {}  # neighbours; whether they are of our own choice
        self.company = Company(table)  # of the same
        self.candidates = Candidates(table, random=random)
        self._send = send
        self._effects = effects
        self._random = random
        self.visits: dict[LinkId, int] = {}  # that we pay: until when at least, in nanoseconds; 0 where we may leave
        self._homeless: dict[LinkId, None] = {}  # of these, where we had rather stay
        self._visitors: dict[LinkId, None] = {}  # links whose peers we sent on to others
        self._peers: dict[LinkId, tuple[Network | None, frozenset[bytes]]] = {}  # where who is there is, and by whom
        self._next_shuffle = 0
        self._answers_at: dict[LinkId, int] = {}  # not before then
        self._turned_away = 0  # by how many peers, since we last lost a neighbour

    # Links

    def peer_up(
        self,
        link: LinkId,
        node_id: bytes,
        network: Network | None,
        verdict: Verdict | None,
        now: int,
        *,
        ours: bool,
        visit: bool,
    ) -> bool:
        """A peer takes part; whether we are to begin to compare tables. It is told of others, and of ourselves.

        By the verdict on what it has shown, if anything: who counts may have no place in the table, its issuer's being
        taken, and would be of no issuer there.
        """
        self._peers[link] = network, self.company.issuers(verdict) if verdict is not None else frozenset()
        self.company.known = self.candidates.networks(now)
        if ours:
            self.candidates.answered(node_id, network)
        full = not visit and not self._has_room(link, ours=ours)
        if ours and (visit or full):
            self.visits[link] = now + VISIT if visit else 0
        elif full and not ours:
            self._visitors[link] = None
        elif not (full or visit):
            self._take(link, ours=ours)
        self._next_shuffle = self._next_shuffle or self._soon(now)
        self._send(link, Sample(self._sample(), asks=False, full=full))
        return ours and not full  # whoever dials knows best whom it is comparing its table with already

    def peer_down(self, link: LinkId) -> None:
        if link in self.active:
            self._turned_away = 0
        self._let_go(link)
        self._peers.pop(link, None)
        self.visits.pop(link, None)
        self._homeless.pop(link, None)
        self._visitors.pop(link, None)
        self._answers_at.pop(link, None)

    def is_visitor(self, link: LinkId) -> bool:
        """Whether the peer has been sent on to others."""
        return link in self._visitors

    def peer_is_full(self, link: LinkId) -> None:
        """The peer has no room for us among its neighbours."""
        if self._let_go(link):
            self._turned_away += 1
            self.visits[link] = 0
            self._homeless[link] = None

    def peer_stays(self, link: LinkId) -> bool:
        """A visitor has been here for long, so it has nowhere else to go: whether it is a neighbour from now on.

        Where it crowds the others it is let go: or whoever is patient would have all places.
        """
        if link not in self._visitors:
            return False
        del self._visitors[link]
        if self._crowds(link):
            self._effects.append(LeaveLink(link))
            return False
        self._take(link, ours=False)
        return True

    def welcome(self, link: LinkId) -> None:
        """The peer begins to compare tables: where we came to stay, it has made us a neighbour."""
        if link in self._homeless:
            del self.visits[link], self._homeless[link]
            self._turned_away = max(self._turned_away - 1, 0)  # or one could count for many, by turns
            self._take(link, ours=True)

    @property
    def search(self) -> int:
        """Nanoseconds from one search for neighbours to the next."""
        if not any(self.active.values()):  # those who came to us may be whoever wants to be all that we have
            return SEARCH
        return min(SEARCH << min(self._turned_away // PATIENT, 32), LONGEST_SEARCH)

    @property
    def chosen(self) -> int:
        """How many neighbours are of our own choice, but for those whom others are to replace."""
        return sum(self.active.values()) - len(self.company.crowding(ours=True))

    @property
    def kept(self) -> int:
        """How many neighbours there are, but for those whom others are to replace."""
        return len(self.active) - len(self.company.crowding())

    def _has_room(self, link: LinkId, /, *, ours: bool) -> bool:
        """Whether the peer of a new link can be a neighbour, if need be in the place of one who crowds."""
        if not ours and self._crowds(link):
            return False
        most = 2 * MOST if self.company.binds else MOST  # the lot lets few come: were these sent on, too, others stayed
        room = len(self.active) < most or (ours and sum(self.active.values()) < CHOSEN)
        return room or bool(self.company.crowding(ours=False))

    def _crowds(self, link: LinkId) -> bool:
        """Whether whoever came by this link would make our company one-sided, and we have enough of it."""
        if len(self.active) < ENOUGH or not self.company.binds:
            return False
        return self.company.crowds(*self._peers[link], ours=False)

    def _take(self, link: LinkId, *, ours: bool) -> None:
        """A neighbour more. Those who crowd go for it, but nobody of our own choice for whoever came."""
        self.active[link] = ours
        self.company.join(link, *self._peers[link], ours=ours)
        self._make_room()

    def _make_room(self) -> None:
        """Send on those who crowd, as far as there are enough without them."""
        rid = self.company.crowding(ours=False)[: max(len(self.active) - ENOUGH, 0)]
        rid += self.company.crowding(ours=True)[: max(sum(self.active.values()) - CHOSEN, 0)]
        for link in rid:
            self._let_go(link)
            self._effects.append(LeaveLink(link))

    def _let_go(self, link: LinkId) -> bool:
        """Whoever is there is no neighbour any more; whether it was one of our own choice."""
        self.company.part(link)
        return self.active.pop(link, False)

    def leave(self, now: int, at_rest: Callable[[LinkId], bool]) -> None:
        """Where we have neighbours, end the visits that are long enough, to who has told us all that it was asked."""
        for link, until in list(self.visits.items()):
            if now >= until and self.active and at_rest(link):
                del self.visits[link]
                self._homeless.pop(link, None)
                self._effects.append(LeaveLink(link))
            elif now >= until:
                self.visits[link] = 0

    # Samples

    def message(self, link: LinkId, message: Sample, now: int) -> ItemSet:
        """What the peer named, to be asked for where we lack it; an answer goes out if it asks for one, and seldom."""
        self.candidates.named(message.ids)
        if message.asks and now >= self._answers_at.get(link, 0):
            self._answers_at[link] = now + SHUFFLE // 2
            self._send(link, Sample(self._sample(), asks=False, full=False))
        return message.ids

    def tick(self, now: int) -> None:
        """Time passed: swap samples with a neighbour, if it is time, and see who is one too many by now."""
        if self.active and now >= self._next_shuffle:
            self._next_shuffle = self._soon(now)
            self.company.known = self.candidates.networks(now)
            self._make_room()
            self._send(self._random.choice(list(self.active)), Sample(self._sample(), asks=True, full=False))

    def deadline(self) -> int | None:
        """When `tick` or `leave` wants to be called, in monotonic nanoseconds."""
        if not self.active:
            return None
        return min((self._next_shuffle, *filter(None, self.visits.values()))) if self.visits else self._next_shuffle

    def _sample(self) -> ItemSet:
        """The ids of cards and records: of ourselves, of peers that others named, and of any."""
        own = self.table.by_node(self.table.own)
        bodies = [body_id(own.card.card_id)] if own is not None else []
        passive = self.candidates.passive
        if passive:
            bodies += [passive[self._random.randrange(len(passive))] for _ in range(SAMPLED // 2)]
        bodies += self.table.sample(self._random, SAMPLED)
        ids: set[bytes] = set()
        for body in bodies:
            record = self.table.record_beside(body)
            if record is not None and len(ids) < MAX_SAMPLE:
                ids |= {body, record}
        return frozenset(ids)

    def _soon(self, now: int) -> int:
        return now + SHUFFLE - self._random.randrange(SHUFFLE // 5)
