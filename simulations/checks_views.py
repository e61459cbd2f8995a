"""Checks of views: of whom the neighbours of honest nodes are; beside checks.py."""

from dataclasses import dataclass
from statistics import mean

from p2pnoise.instant import SECOND

from .checks import View, Watch
from .faults import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestCompany:
    """From second `after` on the neighbours of honest nodes are honest: a `share` of them in the mean.

    And no honest node that runs has none but hostile ones.
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
