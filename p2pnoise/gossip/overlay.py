"""Overlay: all of gossip on the links of one node, revocation lists and statements ahead of everything.

On a new link both sides compare revocation lists (lists.py); only then is the peer judged. Then statements are
compared (statements.py, both taken by facts.py), and tables (reconciliation.py): at once, and every minute with one
peer chosen at random. What is missing is asked for (exchange.py) and taken (intake.py); news is pushed along a tree
(broadcast.py). Sans I/O: messages in, effects out, time and randomness handed in.

Nothing here knows how ids, items and rows are kept: of ids it knows sets, and the table says what it can take and give
in bulk. So the same overlay runs in a node and, ten thousand times, in a simulated world.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cards import Address, AddressRecord, Card, Fact, IdentityId, NodeId, Verdict
from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND, Instant

from .broadcast import Broadcast
from .effects import (
    Effect,
    ForgetMarks,
    LinkId,
    Misbehaved,
    Pinned,
    SendMessage,
    StorePeer,
    StorePin,
)
from .exchange import Exchange
from .facts import FactExchange
from .intake import CONTRADICTING, Intake
from .items import ItemSet, record_id
from .liveness import Liveness
from .messages import (
    Announce,
    GivenList,
    GivenPage,
    GivenStatements,
    Heads,
    HeldStatements,
    Items,
    Message,
    MessageError,
    OfItems,
    OfStatements,
    Probe,
    ProbeAnswer,
    Prune,
    Push,
    Ranges,
    Sample,
    Unknown,
    Want,
    WantLists,
    WantPages,
    WantStatements,
)
from .networks import Network, network_of
from .reconciliation import Reconciliation
from .table import PeerTable
from .views import Views

ANTI_ENTROPY = 60 * SECOND  # between two comparisons with a random peer; a guess, measured by `p2pnoise simulate`
# Between two comparisons with all neighbours since what was refused may be taken now: whoever signs lists and
# statements without end would have a node compare without end. A guess.
FORGIVEN = 5 * SECOND

# Messages that are kept until their sender is judged, which takes ten seconds at most: a sample, the beginning of a
# comparison, and statements, of which six messages name all that there can be. They are not said again soon. A peer
# that has shown a card, and no stranger, may so fill 640 kB of ours.
MAX_EARLY = 10


@dataclass(slots=True)
class _Link:
    """What the overlay knows of one linked peer."""

    node_id: bytes
    ours: bool  # we dialled it
    network: Network | None
    up: bool = False  # it was judged and takes part
    early: list[Ranges | Sample | OfStatements] = field(default_factory=list)  # came before it was judged


class Overlay:
    """The gossip of one node. `table` is shared with the node, which reads it; only the overlay changes it."""

    make_views: Callable[..., Views] = Views
    """Simulations have some that mean no good."""

    def __init__(self, table: PeerTable, *, random: Chance) -> None:
        self.table = table
        self.ignored = 0  # messages of later versions
        self._random = random
        self._links: dict[LinkId, _Link] = {}
        self._effects: list[Effect] = []
        self._exchange = Exchange(table, self._send)
        self._broadcast = Broadcast(table.items, self._exchange, self._send, random=random)
        self._reconciliation = Reconciliation(table, self._exchange.wants, self._send, random=random)
        self._facts = FactExchange(table, self._send, self._effects, trust_moved=self._forgive)
        self._intake = Intake(
            table,
            self._exchange.wants,
            self._broadcast,
            self._effects,
            met=self._facts.recall,
            contradicted=self._facts.contradicted,
        )
        self.views = self.make_views(table, self._send, self._effects, random=random)
        self._liveness = Liveness(self.views.active, self._send, self._effects, random=random)
        self._timed = (
            self._exchange.wants,
            self._broadcast,
            self._reconciliation,
            self._facts.statements,
            self.views,
            self._liveness,
            self._facts.lists,
        )
        self._next_round = 0
        self._offered_in_vain = False  # what may be taken now, perhaps
        self._next_forgiving = 0
        self._stored = 0  # rows of our own store that are not verified yet

    def has(self, link: LinkId) -> bool:
        """Whether the peer of this link has been greeted, and is not gone."""
        return link in self._links

    # Inputs: each returns what is to be done.

    def peer_greeted(
        self, link: LinkId, node_id: bytes, now: Instant, *, ours: bool, address: Address | None = None
    ) -> list[Effect]:
        """A peer has proven its key; it is not judged yet. Lists are compared first.

        `ours`: we dialled it. `address` is where it was dialled, or comes from.
        """
        self._links[link] = _Link(bytes(node_id), ours, network_of(address) if address is not None else None)
        self._exchange.wants.open(link)
        self._reconciliation.open(link, bytes(node_id))
        self._next_round = self._next_round or self._in_a_minute(now)
        self._facts.peer_greeted(link, bytes(node_id))
        return self._finish(now)

    def peer_up(self, link: LinkId, verdict: Verdict | None, now: Instant, *, visit: bool = False) -> list[Effect]:
        """The node has judged the peer of a greeted link well: items may flow. `visit`: one pays the other one.

        `verdict` is that on the card of the peer; None in a simulated world without cards.
        """
        state = self._links[link]
        state.up = True
        self._liveness.peer_up(link, state.node_id, now.monotonic, ours=state.ours)
        self._facts.peer_up(link)
        self._broadcast.peer_up(link)
        node_id, network, ours = state.node_id, state.network, state.ours
        if self.views.peer_up(link, node_id, network, verdict, now.monotonic, ours=ours, visit=visit):
            self._compare_in_turn([link], now)
        early, state.early = state.early, []
        try:
            for message in early:
                self._dispatch(link, message, now)
        except MessageError as error:
            self._effects.append(Misbehaved(link, str(error)))
        return self._finish(now)

    def peer_stays(self, link: LinkId, now: Instant) -> list[Effect]:
        """The peer of a link that is up has nowhere else to go: it is a neighbour, if it was none."""
        if self.views.peer_stays(link):
            self._compare([link], now)
        return self._finish(now)

    def peer_down(self, link: LinkId, now: Instant) -> list[Effect]:
        """The link is gone, whatever state it was in; harmless for an unknown one."""
        if self._links.pop(link, None) is not None:
            self._broadcast.peer_down(link)
            self._reconciliation.close(link)
            self.views.peer_down(link)
            self._liveness.peer_down(link)
            self._facts.peer_down(link, now)
            self._exchange.peer_down(link, now)
            self._reconciliation.tick(now)  # it may have been this one's turn
        return self._finish(now)

    def heard(self, link: LinkId, now: Instant) -> list[Effect]:
        """The peer of this link sent something that it alone can have written, whatever it is: it lives."""
        return self._finish(now) if self._liveness.heard(link, now.monotonic) else []

    def message(self, link: LinkId, message: Message | Unknown, now: Instant) -> list[Effect]:
        """A message came by `link`, and can be written; what it says may be anything."""
        if link in self._links:
            self._liveness.heard(link, now.monotonic)
            try:
                self._dispatch(link, message, now)
            except MessageError as error:
                self._effects.append(Misbehaved(link, str(error)))
        return self._finish(now)

    def tick(self, now: Instant) -> list[Effect]:
        """Time passed; call at `deadline`, or at any other time."""
        self._exchange.tick(now)
        self._broadcast.tick(now)
        self._reconciliation.tick(now)
        self._facts.statements.tick(now)
        self.views.tick(now.monotonic)
        self._liveness.tick(now.monotonic)
        self._have_it_offered(now)
        if self._links and now.monotonic >= self._next_round:
            self._next_round = self._in_a_minute(now)
            if self.views.active:
                link = self._random.choice(self._to_compare_with())
                self._facts.name_all(link)
                self._compare([link], now)
        return self._finish(now)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `tick` wants to be called, or None."""
        if not self._links:
            return None
        due = min(self._next_round, self._next_forgiving) if self._offered_in_vain else self._next_round
        for part in self._timed:
            other = part.deadline()
            if other is not None and other < due:
                due = other
        return due

    def rtt(self, link: LinkId) -> int | None:
        """The smoothed round trip of a link in nanoseconds; None where none was measured."""
        return self._liveness.rtt(link)

    @property
    def questions(self) -> dict[LinkId, tuple[int, int]]:
        """Of each link how many items were asked of its peer, and how many are to be."""
        return self._exchange.wants.sizes

    @property
    def redundancy(self) -> tuple[int, int]:
        """How many items came since the start, and how many of these need not have come."""
        return self._intake.came, self._intake.spare

    def trust_changed(self, now: Instant) -> list[Effect]:
        """Another policy is in force, or other pins: what no longer counts leaves, what was refused may come in."""
        self._facts.statements.forgive(now)
        self._exchange.wants.forgive()
        self._effects += map(StorePeer, self.table.reconsider(list(self.table), now.unix))
        self.table.trim()
        self._facts.lists.reconsider()
        self._compare(self.views.active, now)  # what only another issuer's group has was compared with nobody
        return self._finish(now)

    def pins_changed(
        self, pins: Mapping[str, IdentityId], untied: Mapping[str, IdentityId], now: Instant
    ) -> list[Effect]:
        """As `trust_changed`; `untied` are names that no longer belong to the identity that had them first."""
        self._effects += map(StorePin, self.table.pin_by_hand(pins, untied))
        return self.trust_changed(now)

    def offer_fact(self, fact: Fact, now: Instant) -> list[Effect]:
        """A list or a statement from elsewhere than a link: a file, an operator."""
        self._facts.offer(fact, now)
        return self._finish(now)

    def offer_card(self, card: Card, now: Instant, *, live: bool, own: bool = False) -> list[Effect]:
        """A card from elsewhere than gossip: a handshake, our own installation."""
        self._facts.recall(card, now)
        known, origins = self.table.by_node(card.node_id), self._intake.origins(card)
        verdict, peer = self.table.offer_card(card, now.unix, source=self.table.own, live=live, own=own)
        if peer is not None:
            pin = self.table.pin(verdict)
            self._effects += [StorePin(pin)] if pin is not None else []
            self._intake.changed(peer, known, None, origins, now)
            self._effects += [Pinned(peer)] if pin is not None else []
        return self._finish(now)

    def offer_peers(self, peers: Iterable[tuple[Card, AddressRecord | None]], now: Instant) -> list[Effect]:
        """Cards of others and their records from elsewhere than a link, as a file; each judged as if a peer gave it.

        Nobody is told: whoever lacks them finds out when tables are compared, and many may come at once.
        """
        for card, record in peers:
            self._facts.recall(card, now)
            verdict, changed = self.table.offer_card(card, now.unix, source=self.table.own)
            if any(finding.code in CONTRADICTING for finding in verdict.errors):
                self._facts.contradicted(card, now)
            if record is not None and record.node_id == card.node_id:
                _, located = self.table.offer_record(record, now.unix)
                changed = located or changed
            if changed is not None:
                self._effects.append(StorePeer(changed))
                self._intake.take_early(card.node_id, now)
        return self._finish(now)

    def restored(self, node_ids: Iterable[NodeId], left: int, now: Instant) -> list[Effect]:
        """The rows of these nodes were read back from our own store and verified, and so many are left.

        Until none is, nothing is compared with anybody: we would ask for what our disk holds. What is new spreads.
        """
        for node_id in node_ids:
            self._intake.take_early(node_id, now)
        if not left:
            self.table.let_restored_rest()
        before, self._stored = self._stored, left
        if before and not left:
            self._compare_in_turn(self.views.active, now)
        return self._finish(now)

    def card_presented(self, card: Card, now: Instant) -> list[Effect]:
        """The node is about to judge a peer that lives by this card; what ended it may have come before it."""
        self._facts.recall(card, now)
        return self._finish(now)

    def card_refused(self, card: Card, now: Instant) -> list[Effect]:
        """The node refused this card of a peer that lives; it may contradict what we hold."""
        self._facts.contradicted(card, now)
        return self._finish(now)

    def offer_record(self, record: AddressRecord, now: Instant) -> list[Effect]:
        """An address record of our own making."""
        _, peer = self.table.offer_record(record, now.unix)
        if peer is not None:
            self._broadcast.note(None, {record_id(record)}, now)
            self._effects.append(StorePeer(peer))
        return self._finish(now)

    def _in_a_minute(self, now: Instant) -> int:
        """When the next round is, a tenth more or less: those who began together are not to go on together."""
        return now.monotonic + ANTI_ENTROPY * 9 // 10 + self._random.randrange(ANTI_ENTROPY // 5)

    def _to_compare_with(self) -> list[LinkId]:
        """Every other time one of our own choice: those who came to us may be many of one mind."""
        chosen = [link for link, ours in self.views.active.items() if ours]
        return chosen if chosen and self._random.randrange(2) else list(self.views.active)

    # Messages

    def _dispatch(self, link: LinkId, message: Message | Unknown, now: Instant) -> None:
        state = self._links[link]
        match message:  # what comes most often first
            case Items() | Announce() | Want() | Push() | Prune() | Ranges() if state.up:
                self._items(link, message, now)
            case Heads() | WantLists() | GivenList() | WantPages() | GivenPage():
                self._facts.of_lists(link, message, now)
            case Unknown():
                self.ignored += 1
            case Ranges() | Sample() | HeldStatements() | GivenStatements() if not state.up:
                if len(state.early) < MAX_EARLY:  # it judged us before we judged it
                    state.early.append(message)
            case _ if not state.up:
                pass
            case HeldStatements() | WantStatements() | GivenStatements():
                self._facts.of_statements(link, message, now)
            case Sample():
                self._take_sample(link, message, now)
            case Probe() | ProbeAnswer():
                self._liveness.message(link, message, now.monotonic)

    def _items(self, link: LinkId, message: OfItems, now: Instant) -> None:
        match message:  # what comes most often first
            case Announce(ids):
                self._reconciliation.announced(link, len(ids), now)
                self._broadcast.announced(link, ids, now)
            case Want(ids, graft):
                self._reconciliation.earned(link, asked=len(self.table.items.held(ids)), given=0, now=now)
                if graft:
                    self._broadcast.grafted(link)
                self._exchange.give(link, ids)
            case Items(items, last):
                owed = self._exchange.wants.owed(link)
                self._intake.take_answer(link, self._links[link].node_id, items, now)
                given = owed - self._exchange.wants.owed(link)
                self._reconciliation.earned(link, asked=0, given=given, now=now)
                if last:
                    self._exchange.settled(link, now)
                    self._reconciliation.resume(now)
            case Push(items):
                if not self._broadcast.admits(self._links[link].node_id, len(items), now):
                    self._broadcast.prune(link)
                elif not self._intake.take_pushed(link, self._links[link].node_id, items, now):
                    self._broadcast.was_needless(link, now)
            case Prune():
                self._broadcast.pruned(link)
            case Ranges() if self.views.is_visitor(link):
                pass  # it hears that it is one, and goes to others, or stays and is asked by us
            case Ranges():
                self._take_ranges(link, message, now)

    def _take_ranges(self, link: LinkId, message: Ranges, now: Instant) -> None:
        self.views.welcome(link)
        if not self._stored:
            self._offered(link, self._reconciliation.offered(message), now)
            self._reconciliation.message(link, message, now)

    def _take_sample(self, link: LinkId, message: Sample, now: Instant) -> None:
        if message.full:
            self.views.peer_is_full(link)
            self._reconciliation.put_off(link)
        self._offered(link, self.views.message(link, message, now.monotonic), now)

    def _offered(self, link: LinkId, ids: ItemSet, now: Instant) -> None:
        self._exchange.offered(link, ids, self._broadcast.news, now)

    def _forgive(self, now: Instant) -> None:
        """Trust changed: what was refused may be taken now, and was offered in vain."""
        if self._exchange.wants.forgive():
            self._offered_in_vain = True
            self._have_it_offered(now)

    def _have_it_offered(self, now: Instant) -> None:
        if self._offered_in_vain and now.monotonic >= self._next_forgiving:
            self._offered_in_vain, self._next_forgiving = False, now.monotonic + FORGIVEN
            self._compare(self.views.active, now)

    def _compare(self, links: Iterable[LinkId], now: Instant) -> None:
        """Have these peers compare their items with ours, once all of ours are read back."""
        if not self._stored:
            for link in links:
                self._reconciliation.begin(link, now)

    def _compare_in_turn(self, links: Iterable[LinkId], now: Instant) -> None:
        """The same, one after the other."""
        if not self._stored:
            for link in links:
                self._reconciliation.begin_in_turn(link, now)

    # Endings

    def _finish(self, now: Instant) -> list[Effect]:
        """Take the lists that are whole, tell what is new, see whose lists are compared, hand out all effects."""
        gone, busy = self.table.expire(now.unix), self._facts.lists.busy
        if gone:
            self._effects += map(StorePeer, gone)
        if self.table.crowded_out:
            self._effects += map(StorePeer, self.table.crowded_out)
            self.table.crowded_out.clear()
        if self.table.forgotten:
            self._effects.append(ForgetMarks(tuple(self.table.forgotten)))
            self.table.forgotten.clear()
        if busy:
            self._facts.take_whole_lists(now)
        self._facts.statements.finish()
        self._broadcast.tell(self.views.active, now)
        if self.views.visits:
            self.views.leave(now.monotonic, self._at_rest)
        if busy:
            self._facts.tell_compared()
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def _at_rest(self, link: LinkId) -> bool:
        return self._exchange.wants.at_rest(link) and not self._reconciliation.is_waiting(link)

    def _send(self, link: LinkId, message: Message) -> None:
        self._effects.append(SendMessage(link, message))
