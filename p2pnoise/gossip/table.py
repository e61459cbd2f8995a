"""The peer table: every verified card that counts, with its address record, beside the trust they were judged by."""

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from cards import (
    AddressRecord,
    Card,
    CardError,
    Finding,
    Memo,
    NodeId,
    Policy,
    SignatureCache,
    Verdict,
)
from p2pnoise.chance import Chance
from p2pnoise.errors import LocalProtocolError

from .content import Content, roots_of
from .grants import merged, renewed
from .items import NO_ISSUER, ItemIndex, ItemSet, body_id
from .marks import RestingMarks
from .messages import Item
from .networks import Network, home_of
from .peer import Peer, Provenance
from .quotas import Quotas, over_quota, quota
from .trust import Trust

MAX_PEERS = 100_000  # cards, some 5.9 kB of memory each with its record and the ids of both; whose: see quotas.py
_SLACK = 1_000  # ends in the heap that no row needs any longer, beyond one for each row


class InBulk(NamedTuple):
    """What came of many items: which are `new` here, which are `done` with, and which need a look at each."""

    new: ItemSet
    done: ItemSet
    others: Iterable[Item]


class PeerTable(Trust):
    """The verified peers, ours included, with the trust they were judged by. Bounded by `MAX_PEERS`.

    `policy`, `facts` and the pins made by hand are replaced whole; `reconsider` then says whose verdict changed.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        own: NodeId,
        own_card: Card | None = None,
        signatures: SignatureCache | None = None,
        memo: Memo | None = None,
    ) -> None:
        """`memo` is for worlds of many nodes, which may share one."""
        super().__init__(policy, signatures=signatures, memo=memo)
        self.own = own
        self._own_card = own_card
        self._peers: dict[bytes, Peer] = {}  # by identity key
        self._by_node: dict[bytes, bytes] = {}  # Node ID -> identity key
        self._superseded: dict[bytes, Card] = {}  # Node ID -> the last card of an identity that has handed over
        self.items = ItemIndex()
        self._ends: list[tuple[int, bytes]] = []  # heap of (valid_until, identity key)
        self._quotas = Quotas(self._peers, own, self._quota)
        self._resting = RestingMarks()
        self.most = MAX_PEERS
        """Rows that it may have."""
        self.crowded_out: list[Peer] = []
        """Who had to make room for others of its issuer, until somebody takes it from here."""
        self.forgotten: list[bytes] = []
        """Identities whose marks were forgotten, until the same."""

    # Reading

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def by_node(self, node_id: bytes) -> Peer | None:
        identity = self._by_node.get(node_id)
        return self._peers[identity] if identity is not None else None

    def by_identity(self, identity: bytes) -> Peer | None:
        return self._peers.get(identity)

    def last_card(self, node_id: bytes) -> Card | None:
        """The card of this node, or the last one of the identity that has handed over since."""
        peer = self.by_node(node_id)
        return peer.card if peer is not None else self._superseded.get(node_id)

    def by_item(self, item: bytes) -> Peer | None:
        identity = self.items.owner(item)
        return self._peers[identity] if identity is not None else None

    def by_card_id(self, card_id: bytes) -> Peer | None:
        return self.by_item(body_id(card_id))

    @property
    def own_card(self) -> Card:
        """What we show of ourselves, whether it counts here or not. Raises `LocalProtocolError` where there is none."""
        if self._own_card is None:
            raise LocalProtocolError("a table of nobody in particular")
        return self._own_card

    @own_card.setter
    def own_card(self, card: Card) -> None:
        self._own_card = card

    def sample(self, random: Chance, most: int) -> list[bytes]:
        """The body ids of so many peers with addresses at random, or of somewhat fewer; ours may be among them."""
        rows = list(self._peers.values())
        if len(rows) > 2 * most:
            rows = [rows[index] for index in {random.randrange(len(rows)): None for _ in range(2 * most)}]
        found = [row.content.item_ids[0] for row in rows if row.content.record is not None]
        random.shuffle(found)
        return found[:most]

    def home(self, body: bytes) -> Network | None:
        """The network in which the peer of this body says that it lives, by the first of its addresses."""
        peer = self.by_item(body)
        return home_of(peer.record) if peer is not None and peer.record is not None else None

    def record_beside(self, body: bytes) -> bytes | None:
        """The id of the record that we hold beside this body; None where we lack either."""
        peer = self.by_item(body)
        return peer.content.record_id if peer is not None else None

    def bulk(self, ids: ItemSet) -> tuple[Iterable[Collection[Item]], ItemSet]:
        """Items of these ids that can be given without a look at each, in batches; and the ids of the others."""
        return (), ids

    def in_bulk(self, _items: Collection[Item], /) -> ItemSet:
        """The ids of these items, if they are such as `take_bulk` takes."""
        return self.items.none

    def take_bulk(self, items: Collection[Item], _wanted: ItemSet, _now: int, /) -> InBulk:
        """Take those of these items that are wanted and need no look at each."""
        return InBulk(self.items.none, self.items.none, items)

    def _conflict(self, card: Card) -> Finding | None:
        """A Node ID serves one identity, and only our own installation may speak for our node and identity."""
        known = self._peers.get(card.identity)
        if card.node_id == self.own or (known is not None and known.node_id == self.own):
            return Finding("self-peer", "a card of our own node or identity, from somebody else")
        holder = self._by_node.get(card.node_id)
        if holder is not None and holder != card.identity:
            return Finding("node-conflict", f"node {card.node_id.short} already serves another identity")
        return None

    # Changing

    def offer_card(
        self, card: Card, now: int, *, source: bytes, live: bool = False, own: bool = False
    ) -> tuple[Verdict, Peer | None]:
        """Judge `card` and keep it if it counts; the changed row, or None where nothing changed.

        Grants over one body are merged, and only those that count are kept. The mark of the identity moves in the
        same step.
        """
        known = self._peers.get(card.identity)
        verdict = self.judge(card, now, own=own, thorough=False)
        # A first use is a meeting: by hearsay anybody could have names pinned before their owners come.
        hearsay = verdict.findings and not live and any(finding.code == "first-use" for finding in verdict.findings)
        if verdict.ok and not (live or own) and any(one.code == "app-signature-invalid" for one in verdict.findings):
            # Whoever passes on what does not hold beside what does would have the ids of the former refused for good.
            forged = (replace(one, severity="error") for one in verdict.findings if one.code == "app-signature-invalid")
            verdict = replace(verdict, level="reject", findings=(*verdict.findings, *forged))
        if not verdict.ok or hearsay or (known is None and not (own or self._has_room(card, verdict))):
            return verdict, None
        # Only what counts takes part in the choice, or a forged grant of a high serial would displace a good one.
        issuers = len(self.policy.issuers)
        held = known.verdict.counting if known and known.card.card_id == card.card_id else ()
        kept = merged(card, (*held, *verdict.counting) if held else verdict.counting, issuers)
        if own and not {one.grant.signature for one in verdict.counting} <= {one.signature for one in kept.grants}:
            kept = merged(card, verdict.counting, issuers)  # our owner has chosen, and may have chosen a larger one
        if kept.raw != card.raw:
            verdict = self.judge(kept, now, own=own)
        if not verdict.ok or verdict.card is None:
            return verdict, None
        same_node = known is not None and known.node_id == card.node_id
        live = live or (known is not None and same_node and known.provenance == "live")
        peer = Peer(
            content=self._content(verdict, known.record if known and same_node else None),
            provenance="live" if live else "proven",
            first_seen=known.first_seen if known else now,
            learned_from=known.learned_from if known else source,
        )
        if known is not None and known.card.raw == kept.raw and known.provenance == peer.provenance:
            return verdict, None
        self._put(peer)
        self._marks[card.identity] = card.mark
        self._make_room()
        return verdict, peer if card.identity in self._peers else None

    def newer_own(self, card: Card, now: int) -> Card | None:
        """What our own card becomes by one that others hold of our node; None where it stays as it is (P6).

        So a folder that was restored from a backup gets back what its owner has signed since, and its issuers.
        """
        ours = self._own_card
        if ours is None or (card.identity, card.node_id) != (ours.identity, self.own):
            return None
        verdict = self.judge(card, now, own=True)
        if not verdict.ok:
            return None
        try:
            if card.sequence > ours.sequence:
                return merged(card, verdict.counting, len(self.policy.issuers))
            same = renewed(ours, verdict.counting) if card.card_id == ours.card_id else ours
            return same if same.raw != ours.raw else None
        except CardError:  # more than an envelope holds, as a longer grant may make it
            return None

    def restore(
        self, card: Card, now: int, *, provenance: Provenance, first_seen: int, learned_from: bytes, own: bool = False
    ) -> Verdict:
        """Take back a row that was stored, if it still counts: a row on disk is a claim like any other.

        What links brought in the meantime stays, beside grants that it lacks; how we came to know the node is older,
        and comes back.
        """
        known = self._peers.get(card.identity)
        if known is not None:
            if known.node_id == card.node_id:
                live = "live" in (known.provenance, provenance)
                known = replace(
                    known,
                    content=self._with_grants(known, card, now),
                    provenance="live" if live else "proven",
                    first_seen=min(known.first_seen, first_seen),
                    learned_from=learned_from,
                )
                self._put(known)
            return known.verdict
        verdict = self.judge(card, now, established=True, own=own, thorough=False)
        if verdict.ok and verdict.card is not None and (own or self._has_room(card, verdict)):
            peer = Peer(
                content=self._content(verdict),
                provenance=provenance,
                first_seen=first_seen,
                learned_from=learned_from,
            )
            self._put(peer)
            self._marks[card.identity] = card.mark  # who made room for others may have had it forgotten
            self._make_room()
        self._note_superseded(card, verdict)
        return verdict

    def _with_grants(self, known: Peer, stored: Card, now: int) -> Content:
        """What this row holds, with those grants of a stored card over the same body that count besides."""
        ours, same = known.node_id == self.own, stored.card_id == known.card.card_id
        if ours or not same or {*stored.grants} <= {*known.card.grants}:
            return known.content
        counting = (*known.verdict.counting, *self.judge(stored, now, established=True, thorough=False).counting)
        verdict = self.judge(merged(known.card, counting, len(self.policy.issuers)), now, established=True)
        return self._content(verdict, known.record) if verdict.ok and verdict.card is not None else known.content

    def offer_record(self, record: AddressRecord, now: int) -> tuple[Finding | None, Peer | None]:
        """Keep `record` if its node is in the table, signed it, and it is newer than what we have."""
        peer = self.by_node(record.node_id)
        if peer is None or (peer.record is not None and record.sequence <= peer.record.sequence):
            return None, None
        finding = self.check_record(record, now)
        if finding is not None:
            return finding, None
        changed = peer.with_record(record)
        self._put(changed)
        return None, changed

    def reconsider(self, peers: Iterable[Peer], now: int) -> list[Peer]:
        """Judge again after trust or time changed; those that no longer count leave the table and are returned.

        Their marks stay, so that nothing older can come back (as many as marks.py says).
        """
        gone = []
        for peer in list(peers):
            verdict = self.judge(peer.card, now, established=True, own=peer.node_id == self.own)
            if verdict.ok and verdict.card is not None:
                self._put(replace(peer, content=self._content(verdict, peer.record)))
            else:
                self._remove(peer)
                self._note_superseded(peer.card, verdict)
                gone.append(replace(peer, content=Content(verdict, peer.record, verified=peer.verified)))
        self._make_room()
        return gone

    def expire(self, now: int) -> list[Peer]:
        """Take out what has ended: cards leave and are returned, records are forgotten where they stand."""
        due: dict[bytes, Peer] = {}  # a row stands in the heap once for every time that it was put
        while self._ends and self._ends[0][0] <= now:
            _, identity = heapq.heappop(self._ends)
            peer = self._peers.get(identity)
            if peer is None:
                continue
            if peer.record is not None and peer.record.not_after <= now:
                self._put(peer.with_record(None))
                peer = self._peers[identity]
            if peer.verdict.valid_until <= now:
                due[identity] = peer
        return self.reconsider(due.values(), now)

    def _note_superseded(self, card: Card, verdict: Verdict) -> None:
        if any(finding.code == "superseded" for finding in verdict.errors):  # so at most one for each succession
            self._superseded[bytes(card.node_id)] = card

    def trim(self) -> None:
        """Have those leave for whom there is no place by the policy as it is now; `crowded_out` has them then."""
        self._quotas.recount()
        self._make_room()

    def _has_room(self, card: Card, verdict: Verdict) -> bool:
        """Whether there is room for a newcomer with this verdict, if need be in the place of others (quotas.py)."""
        return self._quotas.admits(card.identity, roots_of(verdict))

    def _make_room(self) -> None:
        """Have those leave who have no place any longer, since rows came or those who vouch for them are others."""
        for row in self._quotas.crowded_out():
            self._remove(row)
            verdict = over_quota(row.card, row.verdict)
            self.crowded_out.append(replace(row, content=Content(verdict, row.record, verified=row.verified)))

    def _quota(self, root: bytes) -> int:
        return quota(self.most, root, len(self.policy.issuers))

    def _content(self, verdict: Verdict, record: AddressRecord | None = None) -> Content:
        """What a row holds of a card that counts; in a world worked out once for all nodes that judge alike."""
        content = self._memo.once(Content, verdict) if self._memo is not None else Content(verdict)
        return content.with_record(record) if record is not None else content

    def _put(self, peer: Peer) -> None:
        content = peer.content
        identity, node_id, places = content.card.identity, content.card.node_id, content.places
        old = self._peers.get(identity)
        if old is not None and old.node_id != node_id:
            del self._by_node[old.node_id]
        self._peers[identity] = peer
        self._quotas.added(peer)
        if old is not None and old.roots != peer.roots:
            self._let_rest(bytes(identity), old.roots - peer.roots)
        self._by_node[node_id] = identity
        held = old.content.places if old is not None else {}
        for item, place in held.items() if held is not places else ():
            if places.get(item) != place:
                self.items.remove(item, place)
        for item, place in places.items():
            if held.get(item) != place:
                self.items.add(item, identity, place)
        self._push_end(peer)
        if len(self._ends) > 2 * len(self._peers) + _SLACK:  # or a node that renews its record for ever would fill it
            self._ends.clear()
            for row in self:
                self._push_end(row)

    def _push_end(self, peer: Peer) -> None:
        """Note the next time at which something of this row ends; `expire` looks what, and notes the next."""
        heapq.heappush(self._ends, (peer.content.until, peer.content.card.identity))

    def _remove(self, peer: Peer) -> None:
        del self._peers[peer.card.identity]
        del self._by_node[peer.node_id]
        self._quotas.removed(peer)
        self._let_rest(bytes(peer.card.identity), peer.roots)
        for item, place in peer.places.items():
            self.items.remove(item, place)

    def _let_rest(self, identity: bytes, roots: Iterable[bytes]) -> None:
        """Keep the mark of an identity for which these vouch no longer, as long as there is room (marks.py)."""
        for root in roots:
            oldest = self._resting.add(identity, root, self._quota(root))
            if oldest is not None and not self._is_needed(oldest) and self._marks.pop(oldest, None) is not None:
                self.forgotten.append(oldest)

    def let_restored_rest(self) -> None:
        """All rows were read back: the marks without one rest, for each issuer since nobody knows who vouched."""
        roots = [*map(bytes, self.policy.issuers.values()), NO_ISSUER]
        for identity in [one for one in self._marks if one not in self._peers and one not in self._resting]:
            self._let_rest(identity, roots)

    def _is_needed(self, identity: bytes) -> bool:
        """Whether something stands on its mark: a row, or whom alone it may hand a pinned name or itself over to.

        Whoever steals the key of one that has left must not name an heir against its commitment.
        """
        return identity in self._peers or identity in self.pins.values() or bool(self.facts.heirs(identity, None))
