"""Views: with which of its links a node gossips, and whom else it could turn to: HyParView's active and passive view.

The active view are the links whose peers are *neighbours*: what is new goes there. A node dials until it has enough of
them, half of them of its own choice. Whoever comes to a node that has more than enough is a *visitor*: it is told of
others, and goes to them. One that is still there after a while has nowhere else to go (behind a NAT, say), and becomes
a neighbour. A node that has neighbours pays visits, too, now and then, to anyone: tables are compared, and so the parts
of a network that was divided find each other. The passive view are peers that others named, from which the next to be
dialled is drawn: a table that somebody has filled says nothing about whom others meet.

HyParView (DSN 2007) spreads a newcomer by random walks and shuffles by them, since its nodes know nobody else. Here a
table and the broadcast of every card stand beside the views, so that both parties of one link exchange samples, at once
when it comes up and every 30 s; nobody relays what it cannot vouch for.
"""

from collections.abc import Callable

from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND

from .effects import Effect, LeaveLink, LinkId
from .items import ItemSet, body_id, is_body
from .messages import MAX_SAMPLE, Message, Sample
from .table import Peer, PeerTable

MOST = 12  # neighbours from which on whoever comes is a visitor; half as many again as a node dials: HyParView's 6 to 8
PASSIVE = 64  # peers; overlay-and-gossip 2.2: P(no live one among them) is 0.0001 % when 80 % fail
SHUFFLE = 30 * SECOND  # HyParView as iroh-gossip and this design have it
VISIT = 2 * SECOND  # how long a visit lasts at least: some round trips of slow lines; a guess
SAMPLED = MAX_SAMPLE // 2  # peers of one sample, each with two ids; HyParView's shuffle names seven and the sender


class Views:
    """The neighbours of one node and the peers that it heard of. Bounded by the links, and by `PASSIVE`."""

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
        self._send = send
        self._effects = effects
        self._random = random
        self.visits: dict[LinkId, int] = {}  # that we pay: until when at least, in nanoseconds; 0 where we may leave
        self._homeless: dict[LinkId, None] = {}  # of these, where we had rather stay
        self._visitors: dict[LinkId, None] = {}  # links whose peers we sent on to others
        self._passive: list[bytes] = []  # ids of card bodies
        self._next_shuffle = 0

    # Links

    def peer_up(self, link: LinkId, now: int, *, ours: bool, visit: bool) -> bool:
        """A peer takes part; whether we are to begin to compare tables. It is told of others, and of ourselves."""
        # Of our own choice there is room whoever has come: where they fill the view, they choose what we hear.
        full = not visit and (sum(self.active.values()) if ours else len(self.active)) >= MOST
        if ours and (visit or full):
            self.visits[link] = now + VISIT if visit else 0
        elif full and not ours:
            self._visitors[link] = None
        elif not (full or visit):
            self.active[link] = ours
        self._next_shuffle = self._next_shuffle or self._soon(now)
        self._send(link, Sample(self._sample(), asks=False, full=full))
        return ours and not full  # whoever dials knows best whom it is comparing its table with already

    def peer_down(self, link: LinkId) -> None:
        self.active.pop(link, None)
        self.visits.pop(link, None)
        self._homeless.pop(link, None)
        self._visitors.pop(link, None)

    def is_visitor(self, link: LinkId) -> bool:
        """Whether the peer has been sent on to others."""
        return link in self._visitors

    def peer_is_full(self, link: LinkId) -> None:
        """The peer has no room for us among its neighbours."""
        if self.active.pop(link, False):
            self.visits[link] = 0
            self._homeless[link] = None

    def peer_stays(self, link: LinkId) -> bool:
        """A visitor has been here for long, so it has nowhere else to go: whether it is a neighbour from now on."""
        if link not in self._visitors:
            return False
        del self._visitors[link]
        self.active[link] = False
        return True

    def welcome(self, link: LinkId) -> None:
        """The peer begins to compare tables: where we came to stay, it has made us a neighbour."""
        if link in self._homeless:
            del self.visits[link], self._homeless[link]
            self.active[link] = True

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

    def message(self, link: LinkId, message: Sample) -> ItemSet:
        """What the peer named, to be asked for where we lack it; an answer goes out if it asks for one."""
        for item in sorted(message.ids):
            if is_body(item) and item not in self._passive:
                if len(self._passive) < PASSIVE:
                    self._passive.append(item)
                else:
                    self._passive[self._random.randrange(PASSIVE)] = item
        if message.asks:
            self._send(link, Sample(self._sample(), asks=False, full=False))
        return message.ids

    def tick(self, now: int) -> None:
        """Time passed: swap samples with a neighbour, if it is time."""
        if self.active and now >= self._next_shuffle:
            self._next_shuffle = self._soon(now)
            self._send(self._random.choice(list(self.active)), Sample(self._sample(), asks=True, full=False))

    def deadline(self) -> int | None:
        """When `tick` or `leave` wants to be called, in monotonic nanoseconds."""
        return min((self._next_shuffle, *filter(None, self.visits.values()))) if self.active else None

    def candidates(self, most: int) -> list[Peer]:
        """Up to so many peers with addresses that could be dialled: of the passive view, then of the table."""
        bodies = dict.fromkeys(self._passive)
        if len(bodies) < most:
            bodies |= dict.fromkeys(self.table.sample(self._random, most))
        found = (self.table.by_item(body) for body in bodies)
        peers = [peer for peer in found if peer is not None and peer.record is not None]
        return [peer for peer in peers if peer.node_id != self.table.own][:most]

    def _sample(self) -> ItemSet:
        """The ids of cards and records: of ourselves, of peers that others named, and of any."""
        own = self.table.by_node(self.table.own)
        bodies = [body_id(own.card.card_id)] if own is not None else []
        if self._passive:
            bodies += [self._passive[self._random.randrange(len(self._passive))] for _ in range(SAMPLED // 2)]
        bodies += self.table.sample(self._random, SAMPLED)
        ids: set[bytes] = set()
        for body in bodies:
            record = self.table.record_beside(body)
            if record is not None and len(ids) < MAX_SAMPLE:
                ids |= {body, record}
        return frozenset(ids)

    def _soon(self, now: int) -> int:
        return now + SHUFFLE - self._random.randrange(SHUFFLE // 5)
