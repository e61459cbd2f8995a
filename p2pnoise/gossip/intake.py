"""Intake: what comes of items is judged and kept, put aside for later, or refused.

Cheap checks come before signatures. Of an answer nothing is taken that was not asked for, of what was pushed nothing
that is held or was refused. What is not worth another question is remembered, and what came garbled is not: under the
same ids others may give it as it was signed.
"""

from collections.abc import Callable, Collection, Container, Iterable

from cards import AddressRecord, Card, CardError, Grant
from cards.findings import BAD_SIGNATURE, BINDING, MALFORMED
from p2pnoise.instant import Instant

from .broadcast import Broadcast
from .early import Early, forget_one
from .effects import Effect, Learned, LinkId, OwnCardLearned, RecordLearned, Refused, StorePeer
from .items import body_id, grant_id, record_id
from .messages import CardItem, GrantItem, Item, MessageError, RecordItem
from .pace import PAUSE, Pace
from .peer import Peer
from .table import PeerTable
from .wants import Wants

OF_THE_BODY = frozenset(  # what keeps a card from counting whatever grants it comes with
    ("wrong-network", "denied", "expired", "rollback", "equivocation", "suspicious-jump", "pin-changed", "superseded")
) | {"node-conflict", "self-peer"}
CONTRADICTING = frozenset(("equivocation", "node-conflict"))  # of two such cards each proves the other's fault
MAX_EARLY = 1_000  # address records that came before the card of their node


class Intake:
    """The way into one node's table for what its peers give; `effects` says what came of it.

    `met` is called with each card before it is judged, `contradicted` with one that speaks against another.
    """

    def __init__(
        self,
        table: PeerTable,
        wants: Wants,
        broadcast: Broadcast,
        effects: list[Effect],
        *,
        met: Callable[[Card, Instant], None],
        contradicted: Callable[[Card, Instant], None],
    ) -> None:
        self.came = 0
        """Items that came, as often as they did."""
        self.spare = 0
        """Those of them that need not have come: they were held, or not asked for any longer."""
        self.early: Early[AddressRecord] = {}  # by Node ID
        self._table = table
        self._wants = wants
        self._broadcast = broadcast
        self._effects = effects
        self._met = met
        self._contradicted = contradicted
        self._pace = Pace()
        self._early_pace = Pace()  # or whoever makes up nodes would have the pace of those that there are forgotten

    def take_answer(self, link: LinkId, giver: bytes, items: Collection[Item], now: Instant) -> None:
        """Take what the peer with the Node ID `giver` gives us of what it was asked for. Raises `MessageError`."""
        self.came += len(items)
        wanted = self._wants.wanted(link)
        if not wanted:
            self.spare += len(items)
            return
        in_bulk = self._table.in_bulk(items)
        self.spare += len(in_bulk) - len(self._table.items.lacking(in_bulk))
        taken, done, others = self._table.take_bulk(items, wanted, now.unix)
        self._wants.answered(link, done)
        self._broadcast.note(link, taken, now)
        for item in others:
            if not (self._wants.waiting(link) and self._take(link, giver, item, now)):
                self.spare += not in_bulk

    def take_pushed(self, link: LinkId, giver: bytes, items: Collection[Item], now: Instant) -> bool:
        """Take what the peer pushed; whether anything of it was new. Raises `MessageError`."""
        self.came += len(items)
        self._wants.forget_refused(now.monotonic)
        in_bulk = self._table.in_bulk(items)
        self._broadcast.held_by(link, in_bulk)
        welcome = self._wants.welcome(link, in_bulk)
        self.spare += len(in_bulk) - len(welcome)
        taken, done, others = self._table.take_bulk(items, welcome, now.unix)
        self._wants.answered(link, done)
        self._broadcast.note(link, taken, now)
        new = bool(welcome)
        for item in others:
            if self._take(link, giver, item, now, pushed=True):
                new = True
            else:
                self.spare += not in_bulk
        return new

    def _take(self, link: LinkId, giver: bytes, item: Item, now: Instant, *, pushed: bool = False) -> bool:
        """Keep an item if it holds, and we asked this peer for it or it was `pushed` and is welcome.

        Cheap checks come before signatures. Whether there was anything of it that we do not hold.
        """
        try:
            match item:
                case CardItem(raw):
                    card = self._table.read_card(raw)
                    body = body_id(card.card_id)
                    if not pushed and not self._wants.answered(link, [body]):
                        return False
                    ids = [body]
                    for one in card.grants:
                        ids += self._ids_of(link, card.card_id, one.kid, one.attrs, pushed=pushed)
                    if pushed and not self._is_welcome(link, ids):
                        return False
                    new = self._is_new(ids)
                    self._take_card(link, giver, card, ids, now)
                case GrantItem(card_id, kid, attrs, signature):
                    peer = self._table.by_card_id(card_id)
                    ids = self._ids_of(link, card_id, kid, attrs, pushed=pushed)
                    new = self._is_new(ids)
                    if peer is not None and self._is_due(link, ids, pushed=pushed):
                        given = Grant.parse(kid, attrs, signature)
                        self._take_card(link, giver, peer.card.with_grants((given,)), ids, now)
                    elif self._wants.refused(body_id(card_id)):
                        self._wants.refuse(ids, now.monotonic)
                    elif peer is None:
                        self._wants.reconsider(link, body_id(card_id), ids)
                case RecordItem(raw):
                    record = self._table.read_record(raw)
                    ids = [record_id(record)]
                    new = self._is_new(ids)
                    if self._is_due(link, ids, pushed=pushed):
                        self._take_record(link, giver, record, now)
        except CardError as error:
            raise MessageError(str(error)) from None
        return new

    def _is_new(self, ids: Iterable[bytes]) -> bool:
        return any(item not in self._table.items for item in ids)

    def _is_due(self, link: LinkId, ids: list[bytes], *, pushed: bool) -> bool:
        """Whether one of these was asked of this peer, or `pushed` and is welcome."""
        return self._is_welcome(link, ids) if pushed else self._wants.answered(link, ids)

    def _is_welcome(self, link: LinkId, ids: list[bytes]) -> bool:
        self._broadcast.held_by(link, frozenset(ids))
        return self._wants.answered(link, ids) or bool(self._wants.welcome(link, frozenset(ids)))

    def _ids_of(self, link: LinkId, card_id: bytes, kid: bytes, attrs: bytes, *, pushed: bool) -> list[bytes]:
        """What the id of a given grant may be, before it is verified."""
        keys = self._table.keys_of(kid)
        if not keys and not pushed:  # of a delegate, say, that we have not heard of yet
            self._wants.strange(link)
        return [grant_id(card_id, key, attrs) for key in keys]

    def _take_card(self, link: LinkId, giver: bytes, card: Card, ids: list[bytes], now: Instant) -> None:
        """A card, or one grant over a body that we hold; `ids` are those of what it is."""
        origins = self.origins(card)
        if not self._pace.allows(origins, now.monotonic):
            self._drop(ids, now)
            return
        self._met(card, now)
        known = self._table.by_node(card.node_id)
        ours = self._table.newer_own(card, now.unix) if card.node_id == self._table.own else None
        if ours is not None:
            self._table.own_card = ours
            verdict, peer = self._table.offer_card(ours, now.unix, source=self._table.own, live=True, own=True)
        else:
            verdict, peer = self._table.offer_card(card, now.unix, source=giver)
        if peer is not None:
            self._wants.answered(link, peer.item_ids)
            self.changed(peer, known, None if ours is not None else (link, giver), origins, now)
        if ours is not None:
            self._effects.append(OwnCardLearned(ours, giver))
        held: Container[bytes] = peer.places if peer is not None else self._table.items
        missing = [item for item in ids if item not in held]
        if not verdict.ok:
            # Whoever has not heard of our newest card offers us the one before it: that is no fault.
            if any(
                finding.exit in (MALFORMED, BINDING, BAD_SIGNATURE) and finding.code != "self-peer"
                for finding in verdict.errors
            ):
                # Nothing of it is refused: under the same ids others may give it as it was signed.
                raise MessageError("; ".join(finding.message for finding in verdict.errors))
            if {"rollback", "self-peer"} - {finding.code for finding in verdict.errors}:
                self._effects.append(Refused(link, verdict))  # our own card before this one is on its way for a while
            if any(finding.code in CONTRADICTING for finding in verdict.errors):
                self._contradicted(card, now)
            if body_id(card.card_id) in ids and not any(finding.code in OF_THE_BODY for finding in verdict.errors):
                self._wants.put_aside(link, missing)  # others may give it with grants that count
                return
        # What is neither taken nor held already (an older grant, one too many) is not worth another question.
        if missing:
            self._wants.refuse(missing, now.monotonic)

    def _drop(self, ids: Iterable[bytes], now: Instant) -> None:
        """They come too soon: nobody is asked for them before they may be taken, or all who have them would be."""
        self._wants.refuse([item for item in ids if item not in self._table.items], now.monotonic, lasts=PAUSE)

    def origins(self, card: Card) -> list[bytes]:
        """Who has signed what would change here by this card: a newer body, or grants over the one that we hold."""
        known = self._table.by_identity(card.identity)
        if known is None or card.node_id == self._table.own:
            return []
        if card.card_id != known.card.card_id:
            return [card.identity] if card.sequence > known.card.sequence else []
        held = {(grant.kid, grant.attrs) for grant in known.card.grants}
        new = (grant.kid for grant in card.grants if (grant.kid, grant.attrs) not in held)
        return [card.identity + kid for kid in new if self._table.keys_of(kid)]

    def _take_record(self, link: LinkId, giver: bytes, record: AddressRecord, now: Instant) -> None:
        if not all(pace.allows([record.node_id], now.monotonic) for pace in (self._pace, self._early_pace)):
            self._drop([record_id(record)], now)
            return
        finding, peer = self._table.offer_record(record, now.unix)
        if peer is not None:
            self._pace.changed([record.node_id], now.monotonic)
            self._record_changed(peer, record, giver, link, now)
            return
        if finding is None and self._table.by_node(record.node_id) is None:
            # Checked before it is kept, so that nobody is blamed later for what another sent.
            finding = self._table.check_record(record, now.unix)
            early, _ = self.early.get(record.node_id, (None, b""))
            # The same again stays whose it was, or it could be taken over, and be forgotten with what that one made up.
            if finding is None and (early is None or early.sequence < record.sequence):
                self._early_pace.changed([record.node_id], now.monotonic)
                self.early[bytes(record.node_id)] = record, giver
                if len(self.early) > MAX_EARLY:
                    forget_one(self.early)
        if finding is not None and finding.exit == BAD_SIGNATURE:
            raise MessageError(finding.message)
        self._wants.refuse([record_id(record)], now.monotonic)

    def _record_changed(
        self, peer: Peer, record: AddressRecord, source: bytes, link: LinkId | None, now: Instant
    ) -> None:
        self._broadcast.note(link, {*peer.item_ids[-1:]}, now)
        self._effects += [StorePeer(peer), RecordLearned(record, source)]

    def changed(
        self,
        peer: Peer,
        known: Peer | None,
        source: tuple[LinkId, bytes] | None,
        origins: Collection[bytes],
        now: Instant,
    ) -> None:
        """A row changed: store it first, then tell the node and, when this input is done, the other peers.

        `source` is the link that it came by, with the Node ID there; None where we met it ourselves. Where its
        `origins` have changed too often, who shows us a card has it kept, and others hear of it by comparisons alone.
        """
        new = {*peer.item_ids}
        if known is not None:
            new.difference_update(known.item_ids)
        if self._pace.allows(origins, now.monotonic):
            self._pace.changed(origins, now.monotonic)
            self._broadcast.note(source[0] if source else None, new, now)
        self._effects.append(StorePeer(peer))
        if source is not None:
            self._effects.append(Learned(peer, source[1]))
        self.take_early(peer.node_id, now)

    def take_early(self, node_id: bytes, now: Instant) -> None:
        """Take the record of this node that came before its card, which we hold now."""
        if node_id in self.early:
            record, giver = self.early.pop(node_id)
            _, with_record = self._table.offer_record(record, now.unix)
            if with_record is not None:
                self._record_changed(with_record, record, giver, None, now)
