"""Grants end, some renewed in time and some not: does every node drop those that ended, and keep all others?"""

from collections.abc import Iterable
from dataclasses import dataclass

from p2pnoise.instant import SECOND
from simulations import Converged, Expectation, Fault, Renew, Scenario, Schedule, Setting, Watch
from simulations.checks import View

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 58,093 (55,101 to 62,007)
converged after: 0.075 (0.07375 to 0.1)
redundancy: 2.008 (1.825 to 2.322)
"""


def scenario(*, lifetime: int = 60) -> Scenario:
    """All grants last `lifetime` seconds; half of the nodes renew theirs in time, the others never."""

    def faults(setting: Setting) -> Iterable[Fault]:
        yield Renew(at=lifetime / 2, nodes=(0, *setting.some(0.5)))

    return Scenario(
        nodes=50,
        seconds=1.25 * lifetime + 5,
        lifetime=lifetime,
        faults=faults,
        expects=[Converged(within=15, lasting=False), _Ended(at=lifetime + 3)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended(Expectation):
    """From second `at` on those that renewed know each other and nobody else."""

    at: float

    def watch(self, view: View, schedule: Schedule) -> Watch:
        return _Ending(view, schedule, self.at)


class _Ending(Watch):
    name = "those that ended are gone, the others stay"

    def __init__(self, view: View, schedule: Schedule, at: float) -> None:
        super().__init__(view, schedule)
        self.settled = False  # it lasts as long as the run
        self._at = int(at * SECOND)
        self._renewed = set(schedule[0].nodes_hit) if schedule else set()

    def look(self) -> None:
        if self.view.now < self._at:
            return
        for node in self.live():
            if node.number not in self._renewed:
                continue
            for other in self.live():
                renewed = other.number in self._renewed
                if node.holds(other.citizen) != renewed:
                    self.broken(f"node {node.number} {'lacks' if renewed else 'keeps'} node {other.number}")
