"""Checks of networks with inhabitants that mean no good: what they are not to reach, and what it costs the others."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND

from .checks import View, Watch
from .faults import Schedule
from .oracle import Lie
from .signatures import CountingSignatures
from .world import SimulatedNode


@dataclass(frozen=True, slots=True, kw_only=True)
class LiesEndLinks:
    """Whoever tells an honest node a plain lie loses the link on which it did, `within` seconds; at least so many did.

    Of how often a liar may come back it says nothing.
    """

    within: float = 1.0
    least: int = 10

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Lies(view, schedule, self)


class _Lies(Watch):
    def __init__(self, view: View, schedule: Schedule, said: LiesEndLinks) -> None:
        super().__init__(view, schedule)
        self.name = f"a plain lie ends its link within {said.within:g} s"
        self.settled = False
        self._within = int(said.within * SECOND)
        self._least = said.least
        self._next = 0  # of the lies, the first that was not looked at
        self._ended = 0

    def look(self) -> None:
        lies = self.view.oracle.lies
        while self._next < len(lies) and lies[self._next].at + self._within <= self.view.now:
            self._judge(lies[self._next])
            self._next += 1
        self.settled = self._ended >= self._least

    def _judge(self, lie: Lie) -> None:
        node = self.view.nodes[lie.node]
        if not (lie.plain and isinstance(node, SimulatedNode)):
            return
        carrier = node.carriers.get(lie.connection)
        if carrier is not None and self.view.nodes[carrier.peer].honest:
            self.broken(f"node {carrier.peer} heard a false {lie.kind} from node {node.number} and keeps the link")
        else:
            self._ended += 1

    def finish(self) -> None:
        self.metrics["lies_told"] = len(self.view.oracle.lies)
        self.metrics["links_ended_for_lies"] = self._ended
        if not self.settled:
            self.broken(f"{self._ended} plain lies were told, at least {self._least} expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiesCost:
    """Of the signatures that nodes verify at most so many fail `per_lie` that was told."""

    per_lie: float = 3.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Cost(view, schedule, self.per_lie)


class _Cost(Watch):
    def __init__(self, view: View, schedule: Schedule, per_lie: float) -> None:
        super().__init__(view, schedule)
        self.name = f"a lie costs at most {per_lie:g} signatures that fail"
        self._per_lie = per_lie

    def finish(self) -> None:
        signatures = getattr(self.view, "signatures", None)
        if not isinstance(signatures, CountingSignatures):
            self.broken("nobody counted")
            return
        self.metrics["signatures_asked"] = signatures.asked
        self.metrics["signatures_failed"] = signatures.failed
        lies = len(self.view.oracle.lies)
        if signatures.failed > self._per_lie * lies:
            self.broken(f"{signatures.failed} failed for {lies} lies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Honest nodes tell at least so many events of one kind, all together: what was to be met was met."""

    kind: str
    least: int = 1
    reason: str = ""

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Told(view, schedule, self)


class _Told(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Told) -> None:
        super().__init__(view, schedule)
        what = f"{said.kind} ({said.reason})" if said.reason else said.kind
        self.name = f"at least {said.least} {what} told"
        self.settled = False
        self._said = said
        self._count = 0

    def told(self, node: object, event: object) -> None:
        kind, reason = getattr(event, "kind", ""), str(getattr(event, "reason", ""))
        if getattr(node, "honest", False) and kind == self._said.kind and self._said.reason in reason:
            self._count += 1
            self.settled = self._count >= self._said.least

    def finish(self) -> None:
        if not self.settled:
            self.broken(f"{self._count} told")
