"""Overlay: digest-and-delta anti-entropy over the peer table, revocation lists and statements ahead of everything.

On a new link both sides compare revocation lists (lists.py); only then is the peer judged. Then statements are
compared (statements.py), and digests of the table: at once, and every few seconds with one peer chosen at random.
Those are 64 fingerprints; where they differ, the ids; what is missing is asked for, at most 512 items at a time, so a
receiver is never sent what it did not ask for. News is announced by id to all linked peers that have not told us of it,
at once after a silence and gathered otherwise. Sans I/O: messages in, effects out, time and randomness handed in.

Nothing here knows how ids, items and rows are kept: of ids it knows sets, and the table says what it can take and give
in bulk. So the same overlay runs in a node and, ten thousand times, in a simulated world.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from cards import AddressRecord, Card, CardError, Conflict, Fact, Grant, IdentityId, RevocationList
from cards.findings import BAD_SIGNATURE, BINDING, MALFORMED, Finding
from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND, Instant

from .effects import (
    Effect,
    FactApplied,
    FactRefused,
    Learned,
    LinkId,
    ListsCompared,
    Misbehaved,
    OwnCardLearned,
    PageCame,
    Pinned,
    RecordLearned,
    Refused,
    SendMessage,
    StorePeer,
    StorePin,
    StoreRevocations,
    StoreStatement,
)
from .evidence import proof_against, proof_of_twins
from .items import ItemSet, body_id, grant_id, record_id
from .lists import ListExchange
from .messages import (
    BUCKETS,
    MAX_IDS,
    MAX_ITEMS,
    MAX_ITEMS_BYTES,
    MAX_WANT,
    Announce,
    CardItem,
    Digest,
    GivenList,
    GivenPage,
    GivenStatements,
    GrantItem,
    Heads,
    HeldStatements,
    Ids,
    Item,
    Items,
    Message,
    MessageError,
    OfStatements,
    RecordItem,
    Unknown,
    Want,
    WantLists,
    WantPages,
    WantStatements,
)
from .statements import StatementExchange
from .table import Peer, PeerTable
from .wants import Wants

ANTI_ENTROPY = 5 * SECOND  # between two digests to a random peer; a guess, measured by `p2pnoise simulate`
ANNOUNCE_PAUSE = SECOND // 5  # between two announcements; measured by `p2pnoise simulate`, figures in PROTOCOL.md
OF_THE_BODY = frozenset(  # what keeps a card from counting whatever grants it comes with
    ("wrong-network", "denied", "expired", "rollback", "equivocation", "suspicious-jump", "pin-changed", "superseded")
) | {"node-conflict", "self-peer"}
MAX_EARLY = 1_000  # address records that came before the card of their node


@dataclass(slots=True)
class _Link:
    """What the overlay knows of one linked peer."""

    node_id: bytes
    up: bool = False  # it was judged and takes part


class Overlay:
    """The gossip of one node. `table` is shared with the node, which reads it; only the overlay changes it."""

    def __init__(self, table: PeerTable, *, random: Chance) -> None:
        self.table = table
        self.ignored = 0  # messages of later versions
        self._random = random
        self._links: dict[LinkId, _Link] = {}
        self._wants = Wants(table.items, most=MAX_WANT)
        self._lists = ListExchange(table, self._send)
        self._statements = StatementExchange(table, self._send)
        self._early: OrderedDict[bytes, tuple[AddressRecord, bytes]] = OrderedDict()  # Node ID -> record, who told us
        self._next_round = 0
        self._effects: list[Effect] = []
        self._news: ItemSet = table.items.gathering()  # what came since the last announcement
        self._came_by: dict[LinkId | None, ItemSet] = {}  # the same, by the link
        self._quiet_until = 0  # no announcement before then

    def has(self, link: LinkId) -> bool:
        """Whether the peer of this link has been greeted, and is not gone."""
        return link in self._links

    # Inputs: each returns what is to be done.

    def peer_greeted(self, link: LinkId, node_id: bytes, now: Instant) -> list[Effect]:
        """A peer has proven its key; it is not judged yet. Lists are compared first."""
        self._links[link] = _Link(bytes(node_id))
        self._wants.open(link)
        self._next_round = self._next_round or now.monotonic + ANTI_ENTROPY
        self._lists.peer_greeted(link)
        return self._finish(now)

    def peer_up(self, link: LinkId, now: Instant) -> list[Effect]:
        """The node has judged the peer of a greeted link well: items may flow."""
        self._links[link].up = True
        self._statements.peer_up(link)
        self._send(link, Digest(self.table.items.fingerprints()))
        return self._finish(now)

    def peer_down(self, link: LinkId, now: Instant) -> list[Effect]:
        """The link is gone, whatever state it was in; harmless for an unknown one."""
        if self._links.pop(link, None) is not None:
            self._wants.close(link)
            self._lists.peer_down(link)
            self._statements.peer_down(link, now)
            self._ask_idle(now)
        return self._finish(now)

    def message(self, link: LinkId, message: Message | Unknown, now: Instant) -> list[Effect]:
        """A message came by `link`, and can be written; what it says may be anything."""
        if link in self._links:
            try:
                self._dispatch(link, message, now)
            except MessageError as error:
                self._effects.append(Misbehaved(link, str(error)))
        return self._finish(now)

    def tick(self, now: Instant) -> list[Effect]:
        """Time passed; call at `deadline`, or at any other time."""
        if self._wants.overdue(now.monotonic):
            self._ask_idle(now)
        self._statements.tick(now)
        if self._links and now.monotonic >= self._next_round:
            self._next_round = now.monotonic + ANTI_ENTROPY + self._random.randrange(ANTI_ENTROPY // 5)
            up = [link for link, state in self._links.items() if state.up]
            if up:
                link = self._random.choice(up)
                self._lists.name_heads(link)
                self._statements.name_all(link)
                self._send(link, Digest(self.table.items.fingerprints()))
        return self._finish(now)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `tick` wants to be called, or None."""
        if not self._links:
            return None
        due = self._next_round
        if self._news:
            due = min(due, self._quiet_until)
        for other in (self._wants.deadline(), self._lists.deadline(), self._statements.deadline()):
            if other is not None and other < due:
                due = other
        return due

    @property
    def questions(self) -> dict[LinkId, tuple[int, int]]:
        """Of each link how many items were asked of its peer, and how many are to be."""
        return self._wants.sizes

    def trust_changed(self, now: Instant) -> list[Effect]:
        """Another policy is in force, or other pins: what no longer counts leaves, what was refused may come in."""
        self._forgive(now)
        self._effects += map(StorePeer, self.table.reconsider(list(self.table), now.unix))
        return self._finish(now)

    def pins_changed(
        self, pins: Mapping[str, IdentityId], untied: Mapping[str, IdentityId], now: Instant
    ) -> list[Effect]:
        """As `trust_changed`; `untied` are names that no longer belong to the identity that had them first."""
        self._effects += map(StorePin, self.table.pin_by_hand(pins, untied))
        return self.trust_changed(now)

    def offer_fact(self, fact: Fact, now: Instant) -> list[Effect]:
        """A list or a statement from elsewhere than a link: a file, an operator."""
        finding = self._take_fact(fact, now, self.table.own)
        if finding is not None:
            self._effects.append(FactRefused(finding, self.table.own))
        return self._finish(now)

    def offer_card(self, card: Card, now: Instant, *, live: bool, own: bool = False) -> list[Effect]:
        """A card from elsewhere than gossip: a handshake, our own installation."""
        self._recall(card, now)
        known = self.table.by_node(card.node_id)
        verdict, peer = self.table.offer_card(card, now.unix, source=self.table.own, live=live, own=own)
        if peer is not None:
            pin = self.table.pin(verdict)
            self._effects += [StorePin(pin)] if pin is not None else []
            self._changed(peer, known, None, now)
            self._effects += [Pinned(peer)] if pin is not None else []
        return self._finish(now)

    def card_presented(self, card: Card, now: Instant) -> list[Effect]:
        """The node is about to judge a peer that lives by this card; what ended it may have come before it."""
        self._recall(card, now)
        return self._finish(now)

    def card_refused(self, card: Card, now: Instant) -> list[Effect]:
        """The node refused this card of a peer that lives; it may contradict what we hold."""
        self._prove(proof_against(self.table, card), now)
        return self._finish(now)

    def offer_record(self, record: AddressRecord, now: Instant) -> list[Effect]:
        """An address record of our own making."""
        _, peer = self.table.offer_record(record, now.unix)
        if peer is not None:
            self._note(None, {record_id(record)})
            self._effects.append(StorePeer(peer))
        return self._finish(now)

    # Messages

    def _dispatch(self, link: LinkId, message: Message | Unknown, now: Instant) -> None:
        state = self._links[link]
        match message:
            case Heads() | WantLists() | GivenList() | WantPages() | GivenPage():
                finding = self._lists.message(link, message, now)
                if finding is not None:
                    self._effects.append(FactRefused(finding, state.node_id))
            case Unknown():
                self.ignored += 1
            case _ if not state.up:
                pass  # it judged us before we judged it; our own digest will follow
            case HeldStatements() | WantStatements() | GivenStatements():
                self._take_statements(link, message, now)
            case Digest() | Ids() | Announce() | Want() | Items():
                self._exchange(link, message, now)

    def _exchange(self, link: LinkId, message: Digest | Ids | Announce | Want | Items, now: Instant) -> None:
        match message:
            case Digest(theirs):
                self._compare(link, theirs)
            case Ids(buckets, ids):
                extra = self.table.items.in_buckets(buckets) - ids
                if extra:
                    self._send(link, Announce(self.table.items.first(extra, MAX_IDS)))
                self._offered(link, ids, now)
            case Announce(ids):
                self._offered(link, ids, now)
            case Want(ids):
                batches = [*self._serve(ids)] or [()]
                for number, batch in enumerate(batches, 1):
                    self._send(link, Items(batch, last=number == len(batches)))
            case Items(items, last):
                self._take_all(link, items, now)
                # The end of an answer: what was not in it, this peer no longer has, and others may.
                if last and self._wants.settle(link):
                    self._ask_idle(now)
                elif last:
                    self._ask(link, now)

    def _compare(self, link: LinkId, theirs: Sequence[bytes]) -> None:
        """Tell all our ids in the buckets that differ, as far as one message goes; the next digest tells the rest."""
        items = self.table.items
        differing = items.differing(theirs)
        if not differing:
            return
        start = self._random.randrange(BUCKETS)  # or one overfull bucket would hide those behind it for ever
        buckets, room = [], MAX_IDS
        for index in sorted(differing, key=lambda index: (index - start) % BUCKETS):
            size = items.bucket_size(index)
            if size <= room:
                buckets.append(index)
                room -= size
        if buckets:
            self._send(link, Ids(tuple(sorted(buckets)), items.in_buckets(buckets)))

    def _offered(self, link: LinkId, ids: ItemSet, now: Instant) -> None:
        self._wants.queue(link, ids, self._news, now.monotonic)
        self._ask(link, now)

    def _ask_idle(self, now: Instant) -> None:
        """Ask everybody whom we may ask something: what was asked of one may be asked of another now."""
        for link in self._wants.idle_with_queue():
            self._ask(link, now)

    def _ask(self, link: LinkId, now: Instant) -> None:
        batch = self._wants.next_batch(link, now.monotonic)
        if batch:
            self._send(link, Want(batch))

    def _serve(self, ids: ItemSet) -> Iterator[Collection[Item]]:
        """The items of these ids that we hold, in batches that fit a message."""
        bulk, others = self.table.bulk(ids)
        yield from bulk
        batch: list[Item] = []
        size = 0
        answered: set[bytes] = set()
        for wanted in sorted(others):  # so bodies first: they bring their grants along, and let records in
            peer = self.table.by_item(wanted)
            if peer is None or wanted in answered:
                continue
            item, covers = _item(peer, wanted)
            answered |= covers
            batch.append(item)
            size += item.size
            if size > MAX_ITEMS_BYTES or len(batch) == MAX_ITEMS:
                yield tuple(batch)
                batch, size = [], 0
        if batch:
            yield tuple(batch)

    # Taking

    def _take_all(self, link: LinkId, items: Collection[Item], now: Instant) -> None:
        wanted = self._wants.wanted(link)
        if not wanted:
            return
        taken, done, others = self.table.take_bulk(items, wanted, now.unix)
        self._wants.answered(link, done)
        self._note(link, taken)
        for item in others:
            self._take(link, item, now)

    def _take(self, link: LinkId, item: Item, now: Instant) -> None:
        """Keep an item if we asked this peer for it and it holds; cheap checks come before signatures."""
        if not self._wants.waiting(link):
            return
        try:
            match item:
                case CardItem(raw):
                    card = self.table.read_card(raw)
                    body = body_id(card.card_id)
                    if self._wants.answered(link, [body]):
                        grants = [self._ids_of(link, card.card_id, one.kid, one.attrs) for one in card.grants]
                        self._take_card(link, card, [body, *chain.from_iterable(grants)], now)
                case GrantItem(card_id, kid, attrs, signature):
                    peer = self.table.by_card_id(card_id)
                    ids = self._ids_of(link, card_id, kid, attrs)
                    if peer is not None and self._wants.answered(link, ids):
                        given = Grant.parse(kid, attrs, signature)
                        self._take_card(link, peer.card.with_grants((given,)), ids, now)
                    elif self._wants.refused(body_id(card_id)):
                        self._wants.refuse(ids, now.monotonic)
                    elif peer is None:
                        self._wants.reconsider(link, body_id(card_id), ids)
                case RecordItem(raw):
                    record = self.table.read_record(raw)
                    if self._wants.answered(link, [record_id(record)]):
                        self._take_record(link, record, now)
        except CardError as error:
            raise MessageError(str(error)) from None

    def _ids_of(self, link: LinkId, card_id: bytes, kid: bytes, attrs: bytes) -> list[bytes]:
        """What the id of a given grant may be, before it is verified."""
        keys = self.table.keys_of(kid)
        if not keys:  # of a delegate, say, that we have not heard of yet
            self._wants.strange(link)
        return [grant_id(card_id, key, attrs) for key in keys]

    def _take_card(self, link: LinkId, card: Card, ids: list[bytes], now: Instant) -> None:
        """A card, or one grant over a body that we hold; `ids` are those of what it is."""
        self._recall(card, now)
        known, giver = self.table.by_node(card.node_id), self._links[link].node_id
        ours = self.table.newer_own(card, now.unix)
        if ours is not None:
            self.table.own_card = ours
            verdict, peer = self.table.offer_card(ours, now.unix, source=self.table.own, live=True, own=True)
        else:
            verdict, peer = self.table.offer_card(card, now.unix, source=giver)
        if peer is not None:
            self._wants.answered(link, peer.item_ids)
            self._changed(peer, known, None if ours is not None else link, now)
        if ours is not None:
            self._effects.append(OwnCardLearned(ours, giver))
        missing = [item for item in ids if item not in self.table.items]
        if not verdict.ok:
            # Whoever has not heard of our newest card offers us the one before it: that is no fault.
            if any(
                finding.exit in (MALFORMED, BINDING, BAD_SIGNATURE) and finding.code != "self-peer"
                for finding in verdict.errors
            ):
                # Nothing of it is refused: under the same ids others may give it as it was signed.
                raise MessageError("; ".join(finding.message for finding in verdict.errors))
            self._effects.append(Refused(link, verdict))
            if any(finding.code in ("equivocation", "node-conflict") for finding in verdict.errors):
                self._prove(proof_against(self.table, card), now)
            if body_id(card.card_id) in ids and not any(finding.code in OF_THE_BODY for finding in verdict.errors):
                self._wants.put_aside(link, missing)  # others may give it with grants that count
                return
        # What is neither taken nor held already (an older grant, one too many) is not worth another question.
        self._wants.refuse(missing, now.monotonic)

    def _take_record(self, link: LinkId, record: AddressRecord, now: Instant) -> None:
        finding, peer = self.table.offer_record(record, now.unix)
        if peer is not None:
            self._record_changed(peer, record, self._links[link].node_id, link)
            return
        if finding is None and self.table.by_node(record.node_id) is None:
            # Checked before it is kept, so that nobody is blamed later for what another sent.
            finding = self.table.check_record(record, now.unix)
            early, _ = self._early.get(record.node_id, (record, b""))
            if finding is None and early.sequence <= record.sequence:
                self._early[bytes(record.node_id)] = record, self._links[link].node_id
                if len(self._early) > MAX_EARLY:
                    self._early.popitem(last=False)
        if finding is not None and finding.exit == BAD_SIGNATURE:
            raise MessageError(finding.message)
        self._wants.refuse([record_id(record)], now.monotonic)

    def _record_changed(self, peer: Peer, record: AddressRecord, source: bytes, link: LinkId | None) -> None:
        self._note(link, {record_id(record)})
        self._effects += [StorePeer(peer), RecordLearned(record, source)]

    def _changed(self, peer: Peer, known: Peer | None, link: LinkId | None, now: Instant) -> None:
        """A row changed: store it first, then tell the node and, when this input is done, the other peers."""
        self._note(link, {*peer.item_ids} - {*(known.item_ids if known is not None else ())})
        self._effects.append(StorePeer(peer))
        if link is not None:
            self._effects.append(Learned(peer, self._links[link].node_id))
        if peer.node_id in self._early:
            record, source = self._early.pop(peer.node_id)
            _, with_record = self.table.offer_record(record, now.unix)
            if with_record is not None:
                self._record_changed(with_record, record, source, None)

    def _take_fact(self, fact: Fact, now: Instant, source: bytes, link: LinkId | None = None) -> Finding | None:
        """Keep a fact if it holds, and let go whom it takes out; what is wrong where it was not kept."""
        finding, changed = self.table.offer_fact(fact, now.unix)
        if not changed:
            return finding
        gone = self.table.reconsider(self.table.touched_by(fact), now.unix)
        store = StoreRevocations(self.table.revocations) if isinstance(fact, RevocationList) else StoreStatement(fact)
        self._effects += [store, *map(StorePeer, gone), FactApplied(fact, source, finding, tuple(gone))]
        self._forgive(now)  # a missing or late list was a reason to refuse
        if not isinstance(fact, RevocationList):
            self._statements.accepted(fact.digest, link)
            return None
        self._lists.accepted(fact, link)
        self._prove(proof_of_twins(self.table, fact), now)
        return None

    def _take_lists(self, now: Instant) -> None:
        for link, head, pages in self._lists.whole(now):
            try:
                new = RevocationList.read(head.head, head.signature, pages)
            except CardError as error:  # nobody can hold it, so nobody honest gives it
                self._effects.append(Misbehaved(link, str(error)))
            else:
                self._take_fact(new, now, self._links[link].node_id, link)

    def _take_statements(self, link: LinkId, message: OfStatements, now: Instant) -> None:
        for statement in self._statements.message(link, message, now):
            if self._take_fact(statement, now, self._links[link].node_id, link) is not None:
                self._statements.refused(statement.digest, now)

    def _recall(self, card: Card, now: Instant) -> None:
        """Take what ended an identity before it counted here, now that it would."""
        ending = self._statements.early(card, now)
        if ending is not None:
            self._take_fact(ending, now, self.table.own)

    def _prove(self, proof: Conflict | None, now: Instant) -> None:
        """Make a contradiction that we met known to everybody (P6)."""
        if proof is not None:
            self._take_fact(proof, now, self.table.own)

    def _forgive(self, now: Instant) -> None:
        """Trust changed: what was refused may be taken now."""
        self._wants.forgive()
        self._statements.forgive(now)

    # Endings

    def _finish(self, now: Instant) -> list[Effect]:
        """Take the lists that are whole, announce what is new, see whose lists are compared, hand out all effects."""
        self._effects += map(StorePeer, self.table.expire(now.unix))
        if self._lists.busy:
            self._take_lists(now)
        if self._news and now.monotonic >= self._quiet_until:
            self._announce(now)
        self._statements.finish()
        if self._lists.busy:
            self._effects += map(PageCame, self._lists.moved())
            self._effects += map(ListsCompared, self._lists.compared())
        effects, self._effects = self._effects, []
        return effects

    def _note(self, link: LinkId | None, ids: ItemSet) -> None:
        """These have just come into the table, by this link."""
        if ids:
            self._news |= ids
            came = self._came_by.get(link)
            if came is None:
                came = self.table.items.gathering()
            came |= ids
            self._came_by[link] = came

    def _announce(self, now: Instant) -> None:
        """Tell the news to everybody who has not told us of it, nor given it."""
        news = self.table.items.held(self._news)
        for link, state in self._links.items():
            if not state.up:
                continue
            ids = news - self._wants.offered(link)
            if link in self._came_by:
                ids = ids - self._came_by[link]
            while ids:
                self._quiet_until = now.monotonic + ANNOUNCE_PAUSE
                batch = self.table.items.first(ids, MAX_IDS)
                self._send(link, Announce(batch))
                ids = ids - batch
            self._wants.forget_held(link)
        self._news = self.table.items.gathering()
        self._came_by.clear()

    def _send(self, link: LinkId, message: Message) -> None:
        self._effects.append(SendMessage(link, message))


def _item(peer: Peer, wanted: bytes) -> tuple[Item, set[bytes]]:
    """The item that `wanted` names in this row, and all ids that it answers. A body travels with its grants."""
    grants = peer.grants
    if wanted in grants:
        grant = grants[wanted]
        return GrantItem(peer.card.card_id, grant.kid, grant.attrs, grant.signature), {wanted}
    if peer.record is not None and wanted == record_id(peer.record):
        return RecordItem(peer.record.raw), {wanted}
    return CardItem(peer.card.raw), {wanted, *grants}
