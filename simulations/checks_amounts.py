"""Checks of amounts: how much nodes send, and how often they tell their applications something; beside checks.py."""

from dataclasses import dataclass

from p2pnoise.events import Event
from p2pnoise.instant import SECOND

from .checks import NodeView, View, Watch
from .faults import Renew, Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """From second `after` on, honest nodes send at most so many bytes a second, on average over them and the time.

    And `bytes_a_renewal` for each new card that is issued from then on.
    """

    bytes_per_second: float
    after: float
    bytes_a_renewal: float = 0.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Quiet(view, schedule, self)


class _Quiet(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Quiet) -> None:
        super().__init__(view, schedule)
        more = f" and {said.bytes_a_renewal:g} B for each new card" if said.bytes_a_renewal else " when idle"
        self.name = f"at most {said.bytes_per_second:g} B/s a node{more}"
        self._renewals = sum(
            len(fault.nodes) for fault in schedule if isinstance(fault, Renew) and fault.at >= said.after
        )
        self.settled = False  # it lasts as long as the run
        self._said = said
        self._begun: tuple[int, int] | None = None

    def look(self) -> None:
        if self._begun is None and self.view.now >= self._said.after * SECOND:
            self._begun = self.view.now, self._sent()

    def _sent(self) -> int:
        return sum(node.bytes_sent for node in self.view.nodes if node.honest)

    def finish(self) -> None:
        if self._begun is None or self._begun[0] == self.view.now:
            self.undecided()
            return
        since, sent = self._begun
        honest = sum(node.honest for node in self.view.nodes)
        lasted = (self.view.now - since) / SECOND
        rate = (self._sent() - sent) / honest / lasted
        self.metrics["bytes_per_second" if self._said.bytes_a_renewal else "idle_bytes_per_second"] = round(rate, 1)
        if rate > self._said.bytes_per_second + self._said.bytes_a_renewal * self._renewals / lasted:
            self.broken(f"{rate:.0f} B/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frugal:
    """From second `after` on, at most so many copies of an item come to honest nodes beside each that is needed."""

    redundancy: float
    after: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Frugal(view, schedule, self)


class _Frugal(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Frugal) -> None:
        super().__init__(view, schedule)
        self.name = f"at most {said.redundancy:g} copies of an item too many"
        self.settled = False  # it lasts as long as the run
        self._said = said
        self._before: tuple[int, int] | None = None

    def look(self) -> None:
        if self._before is None and self.view.now >= self._said.after * SECOND:
            self._before = self._came()

    def _came(self) -> tuple[int, int]:
        came = [node.came for node in self.view.nodes if node.honest]
        return sum(items for items, _ in came), sum(spare for _, spare in came)

    def finish(self) -> None:
        items, spare = (now - before for now, before in zip(self._came(), self._before or self._came(), strict=True))
        if items == spare:
            self.undecided()
            return
        found = spare / (items - spare)
        self.metrics["steady_redundancy"] = round(found, 3)
        if found > self._said.redundancy:
            self.broken(f"{found:.2f} of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAtMost:
    """Honest nodes tell at most so many events of one kind: `per_node` over the whole run, whoever tells the most.

    With `reason`, those alone whose reason begins with it.
    """

    kind: str
    per_node: float
    reason: str = ""
    after: float = 0.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Events(view, schedule, self)


class _Events(Watch):
    def __init__(self, view: View, schedule: Schedule, said: EventsAtMost) -> None:
        super().__init__(view, schedule)
        what = f"{said.kind} ({said.reason})" if said.reason else said.kind
        self.name = f"at most {said.per_node:g} {what} a node"
        self._said = said
        self._counts: dict[int, int] = {}

    def told(self, node: NodeView, event: Event) -> None:
        said = self._said
        reason = getattr(event, "reason", "")
        late = self.view.now >= said.after * SECOND
        if late and node.honest and event.kind == said.kind and str(reason).startswith(said.reason):
            self._counts[node.number] = self._counts.get(node.number, 0) + 1

    def finish(self) -> None:
        most = max(self._counts.values(), default=0)
        self.metrics[f"most_{self._said.kind}".replace("-", "_")] = most
        if most > self._said.per_node:
            number = max(self._counts, key=lambda one: (self._counts[one], -one))
            self.broken(f"{most} at node {number}")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstNodeCarries:
    """The first node sends each node at most `bytes_a_node`, and `bytes_a_card` for each card that there is.

    Who has a table for all cannot send less than all of it to whoever begins there, if nobody else gives it.
    """

    bytes_a_node: float
    bytes_a_card: float = 0.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Load(view, schedule, self.bytes_a_node + self.bytes_a_card * len(view.nodes))


class _Load(Watch):
    def __init__(self, view: View, schedule: Schedule, most: float) -> None:
        super().__init__(view, schedule)
        self.name = f"the first node sends at most {most:g} bytes a node"
        self._most = most

    def finish(self) -> None:
        load = self.view.nodes[0].bytes_sent / len(self.view.nodes)
        self.metrics["first_node_bytes_a_node"] = round(load)
        if load > self._most:
            self.broken(f"{load:.0f}")
