"""Memo: what pure functions of signed bytes have said, remembered by everything that they depend on.

Thousands of nodes of a simulation parse and judge the same bytes under the same policy and facts; one memo for all of
them has each thing done once. What is remembered is what would be said again, to the letter, so that a run without it
comes out the same. A real node meets hardly anything twice and does without.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from .address import AddressRecord
from .card import Card, Mark
from .codec import MAX_INT
from .facts import Facts
from .findings import CardError, Finding
from .policy import Policy
from .statements import SignatureCache
from .verdict import Verdict
from .verification import MAX_PINS, verify_card

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Judged(NamedTuple):
    verdict: Verdict
    since: int  # seconds since 1970, by the clock of the facts
    until: int


_Asked: TypeAlias = tuple[bytes, bytes | None, Mark | None, bool, bool, int]


class Judge:
    """Verdicts under one policy and one set of facts, each of which is one object for all who ask."""

    __slots__ = ("_limit", "_signatures", "_time", "_verdicts", "facts", "policy")

    def __init__(self, policy: Policy, facts: Facts, signatures: SignatureCache, limit: int) -> None:
        self.policy = policy
        self.facts = facts
        self._signatures = signatures
        self._limit = limit
        self._verdicts: OrderedDict[_Asked, _Judged] = OrderedDict()
        self._time: tuple[int, int, int] | None = None  # of the last question: its `now`, and what the facts make of it

    def time(self, now: int) -> tuple[int, int, int]:
        """`now` again, the clock of the facts, and the leeway."""
        time = self._time
        if time is None or time[0] != now:
            time = self._time = now, self.facts.clock(self.policy, now), self.facts.leeway(self.policy, now)
        return time

    def verify_card(
        self,
        card: Card,
        *,
        now: int,
        peer_static: bytes | None = None,
        pins: Mapping[str, bytes],
        mark: Mark | None = None,
        marks: Mapping[bytes, Mark],
        established: bool = False,
        thorough: bool = True,
    ) -> Verdict:
        """As `verify_card`. Not remembered where a pin or the number of pins matters, and with them other marks."""
        _, clock, leeway = self.time(now)
        key: _Asked | None = None
        if not pins or (card.name not in pins and len(pins) < MAX_PINS):
            try:
                key = card.raw, peer_static, mark, established, thorough, leeway
            except CardError:  # more grants than an envelope holds
                key = None
        known = self._verdicts.get(key) if key is not None else None
        if known is not None and known.since <= clock < known.until:
            return known.verdict
        verdict = verify_card(
            card,
            policy=self.policy,
            now=now,
            peer_static=peer_static,
            facts=self.facts,
            pins=pins,
            mark=mark,
            marks=marks,
            established=established,
            signatures=self._signatures,
            thorough=thorough,
        )
        if key is not None:
            _keep(self._verdicts, key, _Judged(verdict, clock, _until(verdict, self.facts, clock)), self._limit)
        return verdict


class Memo:
    """Cards, records, facts and verdicts that were met before; of each kind at most `limit`, some 2 KiB for each.

    `signatures` are the signature facts that go with them.
    """

    MAX_JUDGES = 64  # policies and sets of facts at once; a guess: a list reaches all nodes within a few seconds

    def __init__(self, limit: int = 100_000, *, signatures: SignatureCache | None = None) -> None:
        self.signatures = signatures if signatures is not None else SignatureCache(limit)
        self._limit = limit
        self._cards: OrderedDict[bytes, Card] = OrderedDict()
        self._records: OrderedDict[bytes, AddressRecord] = OrderedDict()
        self._good: OrderedDict[tuple[bytes, str, int], tuple[int, int]] = OrderedDict()  # records: since when, until
        self._facts: OrderedDict[tuple[object, ...], Facts] = OrderedDict()
        self._judges: OrderedDict[tuple[int, int], Judge] = OrderedDict()
        self._once: OrderedDict[tuple[object, int], tuple[object, Any]] = OrderedDict()

    def once(self, work_out: Callable[[_Key], _Value], of: _Key) -> _Value:
        """`work_out(of)`, which is pure; worked out once of one object, whatever else is equal to it."""
        # By identity: it is kept with the answer, so that no other has the same.
        key = work_out, id(of)
        known = self._once.get(key)
        if known is None:
            known = _keep(self._once, key, (of, work_out(of)), self._limit)
        value: _Value = known[1]
        return value

    def card(self, raw: bytes) -> Card:
        """`Card.parse`; equal bytes give one object. Raises `CardError`."""
        known = self._cards.get(raw)
        return known if known is not None else _keep(self._cards, raw, Card.parse(raw), self._limit)

    def record(self, raw: bytes) -> AddressRecord:
        """`AddressRecord.parse`; equal bytes give one object. Raises `CardError`."""
        known = self._records.get(raw)
        return known if known is not None else _keep(self._records, raw, AddressRecord.parse(raw), self._limit)

    def facts(self, facts: Facts) -> Facts:
        """The same facts, in the same order; equal ones are one object, as verdicts are remembered by it."""
        lists = tuple(
            (issuer, state.disputed, len(state.older), *((one.digest, one.signature) for one in state.lists))
            for issuer, state in facts.revocations.by_issuer.items()
        )
        key = (lists, *(one.raw for one in facts.statements.values()))
        known = self._facts.get(key)
        return known if known is not None else _keep(self._facts, key, facts, self._limit)

    def check_record(self, record: AddressRecord, *, network: str, now: int, leeway: int) -> Finding | None:
        """As `record.check`."""
        key = record.raw, network, leeway
        since, until = self._good.get(key, (0, 0))
        if since <= now < until:
            return None
        finding = record.check(network=network, now=now, leeway=leeway, signatures=self.signatures)
        if finding is None:
            _keep(self._good, key, (now, record.not_after), self._limit)
        return finding

    def verify_card(self, card: Card, *, policy: Policy, facts: Facts, **options: Any) -> Verdict:
        """As `Judge.verify_card`."""
        return self.judge(policy, facts).verify_card(card, **options)

    def judge(self, policy: Policy, facts: Facts) -> Judge:
        """The judge under these."""
        # By identity: a judge holds both of them, so that no other has the same.
        key = id(policy), id(facts)
        known = self._judges.get(key)
        if known is None:
            known = _keep(self._judges, key, Judge(policy, facts, self.signatures, self._limit), self.MAX_JUDGES)
        return known


def _until(verdict: Verdict, facts: Facts, clock: int) -> int:
    """The second until which this verdict, made at `clock`, would be the same to the letter.

    Where there is nothing to say against a card, that is the first end of anything that it goes by. All else may name
    the time, or wait for it.
    """
    if not verdict.ok or verdict.findings or verdict.claim is None or any(one.problem for one in verdict.weighed):
        return clock + 1
    lists = facts.revocations.by_issuer
    ends = [verdict.valid_until, verdict.claim.not_after]
    ends += [one.grant.not_after for one in verdict.weighed]
    ends += [lists[one.authority.root].next_due for one in verdict.weighed if one.authority.root in lists]
    return min(MAX_INT, *ends)


def _keep(store: OrderedDict[_Key, _Value], key: _Key, value: _Value, limit: int) -> _Value:
    store[key] = value
    if len(store) > limit:
        store.popitem(last=False)
    return value
