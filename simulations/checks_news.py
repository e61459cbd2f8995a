"""Checks of news: what is to be everywhere, and what nowhere any more, or never; beside checks.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from p2pnoise.instant import SECOND

from .checks import NodeView, View, Watch, all_started, seconds, yet_to_start
from .faults import Revoke, Schedule
from .oracle import Citizen


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """All honest nodes that run hold the newest card and the addresses of all others.

    That is so `within` so many seconds, and `per_doubling` of the number of nodes more, of the last fault, or of second
    `since`, or of the start where there is no fault; its figures count from there, too. Nodes that are met by faults of
    the kinds `apart_from` are left out. Where it counts from the last fault, it is so in the end, too, unless it is not
    `lasting`, as where cards end later.
    """

    within: float
    per_doubling: float = 0.0
    since: float | None = None
    apart_from: tuple[str, ...] = ()
    lasting: bool = True

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Convergence(view, schedule, self)


class _Convergence(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Converged) -> None:
        super().__init__(view, schedule)
        self.settled = False
        self._since = self.calm if said.since is None else int(said.since * SECOND)
        within = said.within + said.per_doubling * log2(max(len(view.nodes), 1))
        self._limit = int(within * SECOND)
        self._lasting = said.lasting and self._since >= self.calm  # or else what comes later may undo it
        self._apart = {number for one in schedule if one.kind in said.apart_from for number in one.nodes_hit}
        but = f" but the {' and '.join(said.apart_from)}" if said.apart_from else ""
        since = f" of second {said.since:g}" if said.since is not None else ""
        self.name = f"all{but} know all within {within:.4g} s{since}"
        apart = "".join(f"_but_{kind}" for kind in said.apart_from)
        self._figure = f"{apart}_since_{said.since:g}" if said.since is not None else f"{apart}_after"
        self._after: dict[int, float] = {}  # node -> seconds after which it knew all

    def look(self) -> None:
        if self.settled or self.view.now < self._since:
            return
        taking_part, everybody = self._concerned()
        # Whoever knew all before the last had started knew too few.
        if all_started(self.view):
            for node in taking_part:
                if node.number not in self._after and _knows(node, everybody):
                    self._after[node.number] = seconds(self.view.now - self._since)
            if taking_part and all(node.number in self._after for node in taking_part):
                self._settle(taking_part, everybody)
        if not self.settled and self.view.now > self._since + self._limit and not self._first:
            self.broken(self._lacking(taking_part, everybody))

    def _lacking(self, taking_part: Sequence[NodeView], everybody: Sequence[Citizen]) -> str:
        """Why it is not so yet."""
        lacking = [node for node in taking_part if not _knows(node, everybody)]
        missing = sum(node.lacks(everybody) for node in lacking)
        waited_for = len(yet_to_start(self.view))
        told = [f"{len(lacking)} of {len(taking_part)} nodes lack {missing} cards or records"] if missing else []
        honest = sum(node.honest for node in self.view.nodes)
        told += [f"{waited_for} of {honest} nodes have not started"] if waited_for else []
        told += ["nobody runs who is to know all"] if not taking_part else []
        return "; ".join(told) or f"{len(lacking)} of {len(taking_part)} nodes hold fewer cards than there are"

    def _settle(self, taking_part: Sequence[NodeView], everybody: Sequence[Citizen]) -> None:
        for node in taking_part:
            if not _knows(node, everybody):  # it did, and has lost something since
                del self._after[node.number]
        if len(self._after) < len(taking_part):
            return
        self.settled = True
        taken = [self._after[node.number] for node in taking_part]
        self.metrics[f"converged{self._figure}"] = max(taken)
        self.samples[f"known_all{self._figure}"] = tuple(taken)

    def finish(self) -> None:
        if not self.settled:
            self.metrics[f"converged{self._figure}"] = None
            self.undecided()
        elif self._lasting:
            taking_part, everybody = self._concerned()
            lacking = [node for node in taking_part if not _knows(node, everybody)]
            if lacking:
                missing = sum(node.lacks(everybody) for node in lacking)
                self.broken(f"{len(lacking)} of {len(taking_part)} nodes knew all and lost {missing} cards or records")

    def _concerned(self) -> tuple[list[NodeView], list[Citizen]]:
        """Who is to know all, and all whom they are to know."""
        taking_part = [node for node in self.live() if node.number not in self._apart]
        return taking_part, [node.citizen for node in taking_part if node.citizen.cards]


def _knows(node: NodeView, everybody: Sequence[Citizen]) -> bool:
    return node.known >= len(everybody) and node.knows_all(everybody)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Every honest node drops whoever was revoked, from table and links, `within` seconds.

    With `at_last` they count from the last fault, as where the network was divided.
    """

    within: float
    at_last: bool = False

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Cut(view, schedule, self)


class _Cut(Watch):
    def __init__(self, view: View, schedule: Schedule, said: Cut) -> None:
        super().__init__(view, schedule)
        self.name = f"whoever is revoked is cut within {said.within:g} s"
        self._limit = int(said.within * SECOND)
        self._at_last = said.at_last
        self._last = max((int(one.at * SECOND) for one in schedule if isinstance(one, Revoke)), default=0)
        self._after: dict[int, float] = {}  # revoked node -> seconds until all others were rid of it
        self.settled = not any(isinstance(one, Revoke) for one in schedule)

    def look(self) -> None:
        if self.settled or self.view.now < self._last:
            return
        oracle = self.view.oracle
        for number, since in oracle.revoked.items():
            since = max(since, self.calm) if self._at_last else since  # noqa: PLW2901
            if number in self._after or self.view.now < since:
                continue
            victim = oracle.citizens[number]
            left = [node.number for node in self.live() if node.holds(victim) or victim.key.public in node.linked()]
            if not left:
                self._after[number] = seconds(self.view.now - since)
            elif self.view.now > since + self._limit:
                self.broken(f"{len(left)} nodes, such as {left[0]}, keep node {number}")
                self._after[number] = -1.0
        if oracle.revoked and len(self._after) == len(oracle.revoked):
            self.settled = True
            if self._first is None:
                self.metrics["cut_after"] = max(self._after.values())

    def finish(self) -> None:
        if not self.settled:
            self.undecided()
        oracle = self.view.oracle
        for number in (number for number, after in self._after.items() if after >= 0):
            if any(node.holds(oracle.citizens[number]) for node in self.live()):
                self.broken(f"node {number} was cut, and came back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """At no time an honest node holds a card of a node of these kinds, or is linked to one."""

    kinds: tuple[str, ...]

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Exclusion(view, schedule, self.kinds)


class _Exclusion(Watch):
    def __init__(self, view: View, schedule: Schedule, kinds: tuple[str, ...]) -> None:
        super().__init__(view, schedule)
        self.name = f"no {' or '.join(kinds)} in any table"
        self._kinds = kinds

    def look(self) -> None:
        if self._first is None:
            self._see()

    def _see(self) -> None:
        bad = [node for node in self.view.nodes if node.kind in self._kinds]
        names = {bytes(node.citizen.key.public) for node in bad}
        for node in self.live():
            if any(node.holds(one.citizen) for one in bad) or not names.isdisjoint(node.linked()):
                self.broken(f"at node {node.number}")

    def finish(self) -> None:
        self._see()
