"""Checks of views: of whom the neighbours of honest nodes are; beside checks.py."""

from dataclasses import dataclass
from statistics import mean

from p2pnoise.instant import SECOND

from .checks import View, Watch
from .faults import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsShared:
    """In the end the hostile have at most so many rows of any honest table, and in all of them the same."""

    at_most: int

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Rows(view, schedule, self.at_most)


class _Rows(Watch):
    def __init__(self, view: View, schedule: Schedule, at_most: int) -> None:
        super().__init__(view, schedule)
        self.name = f"the hostile have at most {at_most} rows of a table, and the same in all"
        self.settled = False  # it lasts the whole time
        self._at_most = at_most

    def finish(self) -> None:
        hostile = [node.citizen for node in self.view.nodes if not node.honest]
        held = {node.number: frozenset(one.number for one in hostile if node.holds(one)) for node in self.live()}
        self.metrics["hostile_rows"] = max(map(len, held.values()), default=0)
        self.metrics["different_tables"] = len(set(held.values()))
        for number, rows in held.items():
            if len(rows) > self._at_most:
                self.broken(f"{len(rows)} at node {number}")
        if len(set(held.values())) > 1:
            self.broken(f"{len(set(held.values()))} sorts of tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestCompany:
    """From second `after` on the neighbours of honest nodes are honest: a `share` of them in the mean.

    And no honest node that runs has none but hostile ones, or nobody.
    """

    after: float
    share: float = 0.9

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Company(view, schedule, self)


class _Company(Watch):
    def __init__(self, view: View, schedule: Schedule, said: HonestCompany) -> None:
        super().__init__(view, schedule)
        self.name = f"{said.share:.0%} of neighbours are honest and nobody is eclipsed, from second {said.after:g} on"
        self.settled = False  # it lasts the whole time
        self._share = said.share
        self._next = self._after = int(said.after * SECOND)
        self._hostile = {bytes(node.citizen.key.public) for node in view.nodes if not node.honest}
        self._least = 1.0
        self.metrics["honest_share"] = self.metrics["honest_share_least"] = None
        self.metrics["eclipsed"] = 0

    def look(self) -> None:
        if self.view.now < self._next:
            return
        self._next = self.view.now + SECOND
        shares, sizes, eclipsed = [], [], []
        for node in self.live():
            neighbours = node.neighbours()
            hostile = sum(one in self._hostile for one in neighbours)
            sizes.append(len(neighbours))
            if neighbours:
                shares.append(1 - hostile / len(neighbours))
            if hostile == len(neighbours):
                eclipsed.append(node.number)
        found = mean(shares) if shares else 0.0
        self._least = min(self._least, found)
        self.metrics |= {"honest_share": round(found, 4), "honest_share_least": round(self._least, 4)}
        self.metrics["neighbours"] = round(mean(sizes), 2) if sizes else None
        self.metrics["eclipsed"] = max(self.metrics["eclipsed"] or 0, len(eclipsed))
        self.samples["honest_shares"] = tuple(shares)
        if found < self._share:
            self.broken(f"{found:.1%} in the mean")
        if eclipsed:
            self.broken(f"{len(eclipsed)} nodes have hostile neighbours alone or none, such as node {eclipsed[0]}")

    def finish(self) -> None:
        if self.metrics["honest_share"] is None:
            self.undecided()
