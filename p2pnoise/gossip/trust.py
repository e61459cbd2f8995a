"""Trust: by what one node judges cards, records and statements: policy, facts, pins, and the marks of identities."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from cards import (
    AddressRecord,
    Card,
    CardError,
    Fact,
    Facts,
    Finding,
    IdentityId,
    IssuerId,
    Judge,
    Mark,
    Memo,
    Pin,
    Policy,
    RevocationList,
    Revocations,
    SignatureCache,
    SignedHead,
    Terms,
    Verdict,
    verify_card,
)
from cards.facts import Statement
from cards.revocation import MAX_NEXT
from cards.verification import MAX_PINS


class Trust:
    """What a table of peers stands on; it knows no rows.

    `policy`, `facts` and the pins made by hand are replaced whole.
    """

    def __init__(self, policy: Policy, *, signatures: SignatureCache | None = None, memo: Memo | None = None) -> None:
        """`memo` is for worlds of many nodes, which may share one."""
        self.policy = policy
        self.facts = Facts()
        self.pins: Mapping[str, IdentityId] = {}
        self._first_uses: dict[str, IdentityId] = {}
        self._untied: Mapping[str, IdentityId] = {}  # names and whom a first use no longer pins them to
        self._signatures = memo.signatures if memo is not None else signatures or SignatureCache()
        self._memo = memo
        self._judge: Judge | None = None  # of the memo, under the policy and facts that were in force
        self._keys: tuple[Policy, Facts, Mapping[bytes, list[IssuerId]]] | None = None
        self.read_card: Callable[[bytes], Card] = Card.parse  # a card as claimed; raises `CardError`
        self.read_record: Callable[[bytes], AddressRecord] = AddressRecord.parse  # the same
        if memo is not None:
            self.read_card, self.read_record = memo.card, memo.record
        self._marks: dict[bytes, Mark] = {}  # by identity key; one never goes back

    @property
    def revocations(self) -> Revocations:
        """The revocation lists of the facts."""
        return self.facts.revocations

    def keys_of(self, kid: bytes) -> list[IssuerId]:
        """The keys of accepted issuers and of their delegates that the hint of a grant may mean."""
        known = self._keys
        if known is None or known[0] is not self.policy or known[1] is not self.facts:
            delegates = (authority.key for authority in self.facts.authorities(self.policy))
            keys: dict[bytes, list[IssuerId]] = {}
            for key in dict.fromkeys((*self.policy.issuers.values(), *delegates)):
                keys.setdefault(key.hint, []).append(key)
            known = self._keys = self.policy, self.facts, keys
        return known[2].get(kid, [])

    def mark(self, identity: bytes) -> Mark | None:
        return self._marks.get(identity)

    def restore_mark(self, identity: bytes, mark: Mark) -> None:
        """Takes back a mark that was stored; before any card of that identity is offered."""
        self._marks[identity] = mark

    def judge(
        self,
        card: bytes | Card,
        now: int,
        *,
        peer_static: bytes | None = None,
        established: bool = False,
        own: bool = False,
        thorough: bool = True,
    ) -> Verdict:
        """`verify_card` under this policy, these facts, pins and marks; nothing is changed.

        Besides, it has `_conflict` where it is not our `own` installation that shows the card.
        """
        try:
            claim = card if isinstance(card, Card) else self.read_card(card)
        except CardError as error:
            return Verdict(level="reject", findings=(error.finding,))
        judge = self._judge_now() if self._memo is not None else None
        mark = self._marks.get(claim.identity)
        if judge is not None:
            verdict = judge.verify_card(
                claim,
                now=now,
                peer_static=peer_static,
                pins=self.pins,
                mark=mark,
                marks=self._marks,
                established=established,
                thorough=thorough,
            )
        else:
            verdict = verify_card(
                claim,
                policy=self.policy,
                now=now,
                peer_static=peer_static,
                facts=self.facts,
                pins=self.pins,
                mark=mark,
                marks=self._marks,
                established=established,
                signatures=self._signatures,
                thorough=thorough,
            )
        conflict = None if own else self._conflict(claim)
        if conflict is None:
            return verdict
        return replace(verdict, level="reject", findings=(*verdict.findings, conflict))

    def _conflict(self, _card: Card, /) -> Finding | None:
        """What else speaks against a card that is not our own."""
        return None

    def _judge_now(self) -> Judge | None:
        judge, memo = self._judge, self._memo
        if memo is not None and (judge is None or judge.policy is not self.policy or judge.facts is not self.facts):
            judge = self._judge = memo.judge(self.policy, self.facts)
        return judge

    def check_record(self, record: AddressRecord, now: int) -> Finding | None:
        """What keeps `record` from being believed, whoever's it is; nothing is changed."""
        judge = self._judge_now()
        if judge is not None and self._memo is not None:
            _, clock, leeway = judge.time(now)
            return self._memo.check_record(record, network=self.policy.network, now=clock, leeway=leeway)
        return record.check(
            network=self.policy.network,
            now=self.facts.clock(self.policy, now),
            leeway=self.facts.leeway(self.policy, now),
            signatures=self._signatures,
        )

    def check_list(self, head: SignedHead, now: int) -> Finding | None:
        """What keeps a list of this head from being taken, whatever is on its pages; nothing is changed."""
        return self.facts.check_list(head, policy=self.policy, now=now, signatures=self._signatures)

    def check_statement(self, statement: Statement) -> Finding | None:
        """What keeps a statement from being believed, whatever it is about; nothing is changed."""
        return statement.check(
            network=self.policy.network, now=None, leeway=self.policy.leeway, signatures=self._signatures
        )

    def offer_fact(self, fact: Fact, now: int, *, own: bool = False) -> tuple[Finding | None, bool]:
        """Keep `fact` if it is signed and news: what there is to say, and whether anything changed."""
        before = self.facts
        facts, finding = before.add(
            fact, policy=self.policy, now=now, marks=self._marks, signatures=self._signatures, own=own
        )
        if facts is not before:
            self.facts = self._intern(facts)
        return finding, self.facts is not before

    def restore_facts(self, facts: Iterable[Fact], now: int) -> None:
        """Take back what was stored, lists oldest first; statements in any order, and whatever the policy says today.

        Or an issuer that leaves the policy and comes back would have its retirement and its lists forgotten, and a
        shorter lifetime of lists would take back what those revoke that were taken before. Nor does it matter that a
        clock that is behind has a list begin later: it was taken when it had begun, and the next list of its issuer
        would take its place on the disk, too.
        """
        statements = {}
        lists = Revocations()
        for fact in facts:
            if isinstance(fact, RevocationList):
                begun = max(now, fact.issued_at)
                terms = Terms(issuers=(fact.issuer,), network=self.policy.network, now=begun, lifetime=MAX_NEXT)
                lists, _ = lists.add(fact, terms, signatures=self._signatures)
            elif self.check_statement(fact) is None:
                statements[fact.digest] = fact
        self.facts = self._intern(self.facts.merge(Facts(lists, statements), now).within_shares(self.policy))

    def _intern(self, facts: Facts) -> Facts:
        return self._memo.facts(facts) if self._memo is not None else facts

    def pin(self, verdict: Verdict) -> Pin | None:
        """Pin the name of a card that was trusted on first use; the new pin, if there is one."""
        card = verdict.claim
        first = any(finding.code == "first-use" for finding in verdict.findings)
        if not (verdict.ok and first and card and card.name) or len(self._first_uses) >= MAX_PINS:
            return None
        if self._untied.get(card.name) == card.identity:
            return None  # the name is kept free for another
        self._first_uses[card.name] = card.identity
        self.pins = {**self.pins, card.name: card.identity}
        return Pin(card.name, card.identity)

    def pin_by_hand(self, pins: Mapping[str, IdentityId], untied: Mapping[str, IdentityId]) -> list[Pin]:
        """Take these pins in place of all that were made by hand before; of the other names, those of a first use.

        Those that are `untied` from the identity of their first use are forgotten and returned.
        """
        forgotten = [name for name, identity in untied.items() if self._first_uses.get(name) == identity]
        for name in forgotten:
            del self._first_uses[name]
        self._untied = untied
        self.pins = {**self._first_uses, **pins}
        return [Pin(name, None) for name in forgotten]

    def restore_pins(self, pins: Mapping[str, IdentityId]) -> None:
        """Take back what was pinned on first use; before the pins made by hand."""
        self._first_uses = dict(pins)
        self.pins = pins
