"""Checks of networks that many enter or leave: who is known, who is linked with the dead, what holds together."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND
from p2pnoise.node.link import Stage

from .checks import View, Watch, seconds
from .checks_links import components
from .faults import Schedule
from .nodes import SimulatedNode

PAUSE = 5 * SECOND  # between two looks of those that go through all pairs
ASKED = 100  # nodes at each of these looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """From second `after` on, those who have run for `settled` seconds know a `share` of one another, on average.

    To know somebody is to hold the newest card and the addresses of its last start.
    """

    share: float
    after: float
    settled: float = 5.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Recall(view, schedule, self)


class _Recall(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Recall) -> None:
        super().__init__(view, schedule)
        self.name = f"{said.share:.3g} of all who live are known"
        self.settled = False  # it lasts as long as the run
        self._said = said
        self._up: dict[int, int] = {}  # since when each runs
        self._next = int(said.after * SECOND)
        self._wanted = self._lacking = 0

    def look(self) -> None:
        now = self.view.now
        live = self.live()
        self._up = {node.number: self._up.get(node.number, now) for node in live}
        if now < self._next:
            return
        self._next = now + PAUSE
        there = [node for node in live if now - self._up[node.number] >= self._said.settled * SECOND]
        citizens = [node.citizen for node in there if node.citizen.cards]
        for node in there[:: 1 + len(there) // ASKED]:
            self._wanted += len(citizens)
            self._lacking += node.lacks(citizens)

    def finish(self) -> None:
        if not self._wanted:
            self.undecided()
            return
        found = 1 - self._lacking / self._wanted
        self.metrics["recall"] = round(found, 5)
        if found < self._said.share:
            self.broken(f"{found:.4f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """No honest table ever has more than so many `rows`, and `within` seconds of the last fault they are current.

    That is so where each row of a node that runs has its newest card and the addresses of its last start.
    """

    rows: int
    within: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Current(view, schedule, self)


class _Current(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Current) -> None:
        super().__init__(view, schedule)
        self.name = f"tables of {said.rows} rows are current within {said.within:g} s"
        self.settled = False
        self._rows = said.rows
        self._most = 0
        self._next = self.calm
        self._limit = self.calm + int(said.within * SECOND)

    def look(self) -> None:
        live = self.live()
        self._most = max((self._most, *(node.known for node in live)))
        if self._most > self._rows:
            self.broken(f"one has {self._most}")
        if self.settled or self.view.now < self._next:
            return
        self._next = self.view.now + PAUSE
        citizens = [node.citizen for node in live if node.citizen.cards]
        asked = live[:: 1 + len(live) // ASKED]
        held = {node.number: [one for one in citizens if node.holds(one)] for node in asked}
        stale = sum(node.lacks(held[node.number]) for node in asked)
        self.metrics["rows_least"] = min((len(one) for one in held.values()), default=0)
        if not stale:
            self.settled = True
            self.metrics["current_after"] = seconds(self.view.now - self.calm)
        elif self.view.now > self._limit:
            self.broken(f"{stale} rows of {len(asked)} tables are not")

    def finish(self) -> None:
        self.metrics["rows_most"] = self._most
        if not self.settled:
            self.undecided()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadInViews:
    """From second `after` on at most a `share` of all peers that nodes count on are down, on average over the time."""

    share: float
    after: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _DeadInViews(view, schedule, self)


class _DeadInViews(Watch):
    def __init__(self, view: View, schedule: Schedule, said: DeadInViews) -> None:
        super().__init__(view, schedule)
        self.name = f"at most {said.share:g} of all links lead to the dead"
        self.settled = False  # it lasts as long as the run
        self._share = said.share
        self._next = int(said.after * SECOND)
        self._peers = self._dead = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        down = {bytes(node.citizen.key.public) for node in self.view.nodes if not node.online}
        for node in self.live():
            peers = node.linked()
            self._peers += len(peers)
            self._dead += sum(peer in down for peer in peers)

    def finish(self) -> None:
        if not self._peers:
            self.undecided()
            return
        found = self._dead / self._peers
        self.metrics["dead_in_views"] = round(found, 4)
        if found > self._share:
            self.broken(f"{found:.3f} of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survives:
    """A `share` of the honest who run are joined by links, each with `links` of the others, or all of them.

    That is so `within` so many seconds of second `since`, and in the end.
    """

    since: float
    within: float
    share: float = 0.99
    links: int = 4

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Survival(view, schedule, self)


class _Survival(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Survives) -> None:
        super().__init__(view, schedule)
        self.name = f"{said.share:g} in one part, with {said.links} links each, within {said.within:g} s"
        self.settled = False
        self._said = said
        self._since = int(said.since * SECOND)
        self._next = self._since

    def look(self) -> None:
        now = self.view.now
        if self.settled or now < self._next:
            return
        self._next = now + SECOND // 4
        wrong = self._wrong()
        if not wrong:
            self.settled = True
            self.metrics["repaired_after"] = seconds(now - self._since)
        elif now > self._since + self._said.within * SECOND and self._first is None:
            self.broken(wrong)

    def _wrong(self) -> str:
        live = self.live()
        largest = max(map(len, components(live)), default=0)
        ids = {bytes(node.citizen.key.public) for node in live}
        least = min(self._said.links, len(live) - 1)
        alone = sum(sum(peer in ids for peer in node.linked()) < least for node in live)
        self.metrics["largest_part"] = round(largest / max(1, len(live)), 4)
        if largest < self._said.share * len(live):
            return f"{largest} of {len(live)} in the largest part"
        return f"{alone} of {len(live)} have fewer links" if alone > (1 - self._said.share) * len(live) else ""

    def finish(self) -> None:
        wrong = self._wrong()
        if not self.settled:
            self.undecided()
        elif wrong:
            self.broken(f"it did, and does not in the end: {wrong}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DialledAtMost:
    """From second `after` on no honest node has more than `links` with peers that dialled it. At fidelity bytes."""

    links: int
    after: float = 0.0

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Dialled(view, schedule, self)


class _Dialled(Watch):
    def __init__(self, view: View, schedule: Schedule, said: DialledAtMost) -> None:
        super().__init__(view, schedule)
        self.name = f"at most {said.links} peers that dialled it stay with a node"
        self.settled = False  # it lasts as long as the run
        self._said = said
        self._next = int(said.after * SECOND)
        self._most = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        for node in self.live():
            links = node.node.links.all.values() if isinstance(node, SimulatedNode) else ()
            count = sum(link.stage is Stage.UP and not link.initiator for link in links)
            self._most = max(self._most, count)
            if count > self._said.links:
                self.broken(f"{count} at node {node.number}")

    def finish(self) -> None:
        self.metrics["dialled_by_most"] = self._most
