"""Memo: what pure functions of signed bytes have said, remembered by everything that they depend on.

Thousands of nodes of a simulation parse and judge the same bytes under the same policy and facts; one memo for all of
them has each thing done once. What is remembered is what would be said again, to the letter, so that a run without it
comes out the same. A real node meets hardly anything twice and does without.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, TypeAlias, TypeVar

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


class _Under(NamedTuple):
    """The verdicts under one policy and one set of facts, each of which is one object for all who ask."""

    policy: Policy
    facts: Facts
    verdicts: OrderedDict[_Asked, _Judged]


class Memo:
    """Cards, records, facts and verdicts that were met before; of each kind at most `limit`, some 2 KiB for each.

    `signatures` are the signature facts that go with them.
    """

    MAX_UNDER = 64  # policies and sets of facts at once; a guess: a list reaches all nodes within a few seconds

    def __init__(self, limit: int = 100_000, *, signatures: SignatureCache | None = None) -> None:
        self.signatures = signatures if signatures is not None else SignatureCache(limit)
        self._limit = limit
        self._cards: OrderedDict[bytes, Card] = OrderedDict()
        self._records: OrderedDict[bytes, AddressRecord] = OrderedDict()
        self._good: OrderedDict[tuple[bytes, str, int], tuple[int, int]] = OrderedDict()  # records: since when, until
        self._facts: OrderedDict[tuple[object, ...], Facts] = OrderedDict()
        self._under: OrderedDict[tuple[int, int], _Under] = OrderedDict()

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

    def verify_card(
        self,
        card: Card,
        *,
        policy: Policy,
        now: int,
        facts: Facts,
        peer_static: bytes | None = None,
        pins: Mapping[str, bytes],
        mark: Mark | None = None,
        marks: Mapping[bytes, Mark],
        established: bool = False,
        thorough: bool = True,
    ) -> Verdict:
        """As `verify_card`. Not remembered where a pin or the number of pins matters, and with them other marks."""
        clock, leeway = facts.clock(policy, now), facts.leeway(policy, now)
        key: _Asked | None = None
        if card.name not in pins and len(pins) < MAX_PINS:
            with suppress(CardError):  # more grants than an envelope holds
                key = card.raw, peer_static, mark, established, thorough, leeway
        verdicts = self._verdicts(policy, facts)
        known = verdicts.get(key) if key is not None else None
        if known is not None and known.since <= clock < known.until:
            return known.verdict
        verdict = verify_card(
            card,
            policy=policy,
            now=now,
            peer_static=peer_static,
            facts=facts,
            pins=pins,
            mark=mark,
            marks=marks,
            established=established,
            signatures=self.signatures,
            thorough=thorough,
        )
        if key is not None:
            _keep(verdicts, key, _Judged(verdict, clock, _until(verdict, facts, clock)), self._limit)
        return verdict

    def _verdicts(self, policy: Policy, facts: Facts) -> OrderedDict[_Asked, _Judged]:
        # By identity: whoever holds both of them keeps others from having the same.
        key = id(policy), id(facts)
        under = self._under.get(key)
        if under is None:
            under = _keep(self._under, key, _Under(policy, facts, OrderedDict()), self.MAX_UNDER)
        return under.verdicts


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
