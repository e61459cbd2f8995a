"""Facts: what lists and statements say for and against keys and cards: taken if it holds, with all that follows.

What a fact takes out leaves the table in the same step, what it contradicts is proven to everybody (P6), and what was
refused for want of it may be taken now. How lists and statements get around is said in lists.py and statements.py.
"""

from collections import Counter
from collections.abc import Callable, Set

from cards import (
    Card,
    CardError,
    Conflict,
    Delegation,
    Fact,
    Facts,
    Retirement,
    RevocationList,
    SelfRevocation,
    Succession,
)
from cards.facts import Statement
from cards.findings import Finding
from p2pnoise.instant import Instant

from .effects import (
    Effect,
    FactApplied,
    FactRefused,
    LinkId,
    ListsCompared,
    Misbehaved,
    PageCame,
    StorePeer,
    StoreRevocations,
    StoreStatement,
)
from .evidence import proof_against, proof_of_twins
from .lists import ListExchange
from .messages import Message, OfLists, OfStatements
from .peer import Peer
from .statements import StatementExchange
from .table import PeerTable

MAX_REPLACED = 1_000  # delegations and retirements of one root; a guess


class FactExchange:
    """The facts of one node and their way in and out, for its overlay; `effects` says what came of them.

    `trust_moved` is called when the table trusts otherwise than before.
    """

    def __init__(
        self,
        table: PeerTable,
        send: Callable[[LinkId, Message], None],
        effects: list[Effect],
        *,
        trust_moved: Callable[[Instant], None],
    ) -> None:
        self.lists = ListExchange(table, send)
        self.statements = StatementExchange(table, send)
        self._table = table
        self._effects = effects
        self._trust_moved = trust_moved
        self._givers: dict[LinkId, bytes] = {}  # Node IDs
        self._replaced: Counter[bytes] = Counter()  # what was taken of a root since one made room for another

    # Links

    def peer_greeted(self, link: LinkId, node_id: bytes) -> None:
        self._givers[link] = node_id
        self.lists.peer_greeted(link)

    def peer_up(self, link: LinkId) -> None:
        self.statements.peer_up(link)

    def peer_down(self, link: LinkId, now: Instant) -> None:
        del self._givers[link]
        self.lists.peer_down(link)
        self.statements.peer_down(link, now)

    def name_all(self, link: LinkId) -> None:
        """Tell this peer of everything that we hold."""
        self.lists.begin_anew(link)
        self.statements.name_all(link)

    def of_lists(self, link: LinkId, message: OfLists, now: Instant) -> None:
        """Raises `MessageError`."""
        finding = self.lists.message(link, message, now)
        if finding is not None:
            self._effects.append(FactRefused(finding, self._givers[link]))

    def of_statements(self, link: LinkId, message: OfStatements, now: Instant) -> None:
        """Raises `MessageError`."""
        for statement in self.statements.message(link, self._givers[link], message, now):
            if self._take(statement, now, self._givers[link], link) is not None:
                self.statements.refused(statement.digest, now)

    # From elsewhere

    def offer(self, fact: Fact, now: Instant) -> None:
        """A list or a statement from elsewhere than a link: a file, an operator."""
        finding = self._take(fact, now, self._table.own, own=True)
        if finding is not None:
            self._effects.append(FactRefused(finding, self._table.own))

    def recall(self, card: Card, now: Instant) -> None:
        """Take what ended an identity before it counted here, now that it would."""
        ending = self.statements.early(card, now)
        if ending is not None:
            self._take(ending, now, self._table.own)

    def contradicted(self, card: Card, now: Instant) -> None:
        """Make it known to everybody if a card contradicts what we hold (P6)."""
        self._prove(proof_against(self._table, card), now)

    # What comes of it

    def take_whole_lists(self, now: Instant) -> None:
        """Take the lists whose pages have all come."""
        for link, head, pages in self.lists.whole(now):
            try:
                new = RevocationList.read(head.head, head.signature, pages)
            except CardError as error:  # nobody can hold it, so nobody honest gives it
                self._effects.append(Misbehaved(link, str(error)))
            else:
                if self._take(new, now, self._givers[link], link) is not None:
                    self.lists.waive(link, head)

    def tell_compared(self) -> None:
        """Say by which links pages came, and with whom all lists are compared."""
        self._effects += map(PageCame, self.lists.moved())
        self._effects += map(ListsCompared, self.lists.compared())

    def _take(
        self, fact: Fact, now: Instant, source: bytes, link: LinkId | None = None, *, own: bool = False
    ) -> Finding | None:
        """Keep a fact if it holds, and let go whom it takes out; what is wrong where it was not kept."""
        before = self._table.facts
        finding, changed = self._table.offer_fact(fact, now.unix, own=own)
        if not changed:
            return finding
        gone = self._table.reconsider(touched_by(self._table, fact, before), now.unix)
        if isinstance(fact, RevocationList):
            self._effects.append(StoreRevocations(self._table.revocations))
        elif self._is_stored(fact, before) or own:
            self._effects.append(StoreStatement(fact))
        self._effects += [*map(StorePeer, gone), FactApplied(fact, source, finding, tuple(gone))]
        self.statements.forget(before.statements.keys() - self._table.facts.statements.keys())
        self.statements.forgive(now)
        self._trust_moved(now)  # a missing or late list was a reason to refuse
        if not isinstance(fact, RevocationList):
            self.statements.accepted(fact.digest, link)
            return None
        self.lists.accepted(fact, link)
        self._prove(proof_of_twins(self._table, fact), now)
        return None

    def _is_stored(self, fact: Statement, before: Facts) -> bool:
        """Whether it goes to the disk, or is left to peers, who give it again.

        A root of which one delegation makes room for another may have `MAX_REPLACED` more stored until we start again:
        many years of renewals, but nobody who signs without end fills the disk.
        """
        if not isinstance(fact, Delegation | Retirement):
            return True
        if isinstance(fact, Retirement) and _is_root(self._table, fact.issuer):
            return True
        roots = {authority.root for authority in before.authorities(self._table.policy) if authority.key == fact.issuer}
        made_room = bool(before.statements.keys() - self._table.facts.statements.keys())
        counted = [root for root in roots if made_room or root in self._replaced]
        self._replaced.update(counted)
        return all(self._replaced[root] <= MAX_REPLACED for root in counted)

    def _prove(self, proof: Conflict | None, now: Instant) -> None:
        if proof is not None:
            self._take(proof, now, self._table.own)


def touched_by(table: PeerTable, fact: Fact, before: Facts) -> list[Peer]:
    """The peers of whom a fact that was not there `before` may change what they are worth.

    Of a manifest, or a retirement of one of the policy's issuers, it may be all.
    """
    if isinstance(fact, RevocationList):  # at most 16,000 entries, of identities, card ids, or delegates' keys
        known, now = (one.by_issuer.get(fact.issuer) for one in (before.revocations, table.revocations))
        were, are = (one.entries if one is not None else {} for one in (known, now))
        new = {entry.subject for entry in fact.entries if were.get(entry.subject) != are.get(entry.subject)}
        named = [table.by_identity(subject) or table.by_card_id(subject) for subject in new]
        named += _granted_through(table, new)
    elif isinstance(fact, SelfRevocation | Succession):
        named = [table.by_identity(fact.signers[0])]
    elif isinstance(fact, Delegation) or (isinstance(fact, Retirement) and not _is_root(table, fact.issuer)):
        named = [*_reached_by(table, before)]
    elif isinstance(fact, Conflict):
        named = [table.by_identity(fact.subject) or table.by_node(fact.subject)]
    else:
        return list(table)
    return list({peer.card.identity: peer for peer in named if peer is not None}.values())


def _granted_through(table: PeerTable, keys: Set[bytes]) -> list[Peer]:
    """The peers with a grant that counts by way of one of these keys."""
    may_sign = {key for authority in table.facts.authorities(table.policy) for key, _ in authority.steps}
    if may_sign.isdisjoint(keys):  # nearly always, and then the whole table need not be looked through
        return []
    ways = ((peer, one.authority.steps) for peer in table for one in peer.verdict.counting)
    return [peer for peer, steps in ways if any(key in keys for key, _ in steps)]


def _is_root(table: PeerTable, key: bytes) -> bool:
    return key in table.policy.issuers.values()


def _reached_by(table: PeerTable, before: Facts) -> list[Peer]:
    """The peers with a grant by a key whose ways to sign are others than `before`.

    Judging all would let whoever may delegate keep a large network busy: 5 s for 50,000 peers.
    """
    others = {*before.authorities(table.policy)} ^ {*table.facts.authorities(table.policy)}
    changed = {authority.key.hint for authority in others}
    return [peer for peer in table if any(grant.kid in changed for grant in peer.card.grants)] if changed else []
