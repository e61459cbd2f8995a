"""Worth: which plain items count for whoever goes by a policy and facts, judged once for all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cards import Facts, Memo, Policy, Verdict
from p2pnoise.gossip.messages import CardItem, GrantItem, Item, RecordItem

from .bits import numbers_of, without

FOREVER = 1 << 62


@dataclass(slots=True)
class _Judged:
    """What items are worth by one policy and one set of facts, from second `since` until `until`."""

    policy: Policy
    facts: Facts
    verdicts: dict[int, Verdict] = field(default_factory=dict)  # of bodies that are good
    known: int = 0
    good: int = 0
    since: int = 0
    until: int = FOREVER


class Worth:
    """One for each world. `item` gives an item by its number, `grants_of` the grants that come with bodies."""

    def __init__(self, memo: Memo, item: Callable[[int], Item], grants_of: Callable[[int], int]) -> None:
        self._memo = memo
        self._item = item
        self._grants_of = grants_of
        self._judged: dict[tuple[int, int], _Judged] = {}

    def good(self, policy: Policy, facts: Facts, now: int, bits: int) -> tuple[int, int]:
        """Which of these plain items count for whoever goes by this policy and these facts and has no pins, until when.

        Nothing, if it is not known for this second.
        """
        key = id(policy), id(facts)
        judged = self._judged.get(key)
        if judged is None or now >= judged.until:
            judged = self._judged[key] = _Judged(policy, facts)
        good = bits & judged.good
        if good != bits:
            unknown = without(bits, judged.known)
            if unknown:
                self._judge(judged, unknown, now)
                good = bits & judged.good
        return (good, judged.until) if now >= judged.since else (0, now)

    def verdict(self, policy: Policy, facts: Facts, now: int, body: int) -> Verdict | None:
        """That of this plain body, if it counts so."""
        key = id(policy), id(facts)
        judged = self._judged.get(key)
        if judged is not None and body in judged.verdicts and judged.since <= now < judged.until:
            return judged.verdicts[body]
        good, _ = self.good(policy, facts, now, 1 << body)
        return self._judged[key].verdicts[body] if good else None

    def _judge(self, judged: _Judged, bits: int, now: int) -> None:
        memo = self._memo
        judged.since = max(judged.since, now)
        judged.known |= bits
        clock, leeway = judged.facts.clock(judged.policy, now), judged.facts.leeway(judged.policy, now)
        for number in numbers_of(bits):
            match self._item(number):
                case CardItem(raw):
                    verdict = memo.verify_card(
                        memo.card(raw), policy=judged.policy, now=now, facts=judged.facts, pins={}, marks={}
                    )
                    counting = {bytes(one.grant.signature) for one in verdict.counting}
                    whole = all(bytes(one.signature) in counting for one in memo.card(raw).grants)
                    if verdict.ok and whole and not any(one.code == "first-use" for one in verdict.findings):
                        judged.good |= 1 << number | self._grants_of(1 << number)
                        judged.verdicts[number] = verdict
                        judged.until = min(judged.until, verdict.valid_until)
                case RecordItem(raw):
                    record = memo.record(raw)
                    finding = memo.check_record(record, network=judged.policy.network, now=clock, leeway=leeway)
                    if finding is None:
                        judged.good |= 1 << number
                        judged.until = min(judged.until, record.not_after)
                case GrantItem():
                    pass  # it counts with its body
