"""How long does one piece of news take to every node of a network at rest?"""

from collections.abc import Iterator
from typing import Any

from p2pnoise.instant import SECOND, ns
from simulations import Check, Outcome, Scenario, ScenarioError, ScenarioFile, guard
from simulations.experiment import versions
from simulations.messages.experiment import MessageExperiment

RECORDED = """
2026-11-22, 60 nodes, 20 seeds, messages: all checks hold in all of them.
everywhere after: 0.06 (0.05 to 0.0705)

2026-11-21, 60 nodes, 10 seeds, messages: all checks hold in all of them.
everywhere after: 0.175 (0.15 to 0.1855)
"""

_SETTLED = 5 * SECOND  # all links are there, and nothing is told any more
_PAUSE = 2 * SECOND  # from when a list is looked for no more until the next one is given
_LOOK = SECOND // 100
_LOOKS = 150


def scenario(*, things: int = 6, begin: int = 20) -> Scenario:
    """The news is a revocation list, given to some nodes at one moment; several, one after another.

    So many have it at first that chance, which is great while few have it, is not what is measured: `p2pnoise simulate
    model --fit` compares the curves of networks of several sizes.
    """
    if things < 1 or begin < 1:
        raise ScenarioError(f"things {things}, begin {begin}", "both are at least 1")
    return Scenario(nodes=1000, smoke=60, seconds=5 + 3.5 * things, start=0, publishers=0, fidelities=("messages",))


class Spreading(MessageExperiment):
    """Gives one list after another, and counts who has it."""

    always = ()

    def __init__(self, file: ScenarioFile, scenario: Scenario, *, nodes: int, **given: Any) -> None:
        super().__init__(file, scenario, nodes=nodes, **given)
        told = {**file.parameters, **self.parameters}
        self._things, self._begin = int(told["things"] or 0), min(nodes, int(told["begin"] or 0))
        self._known = [0] * (_LOOKS + 1)
        self._slowest = 0
        self._course = self._go()
        self._due = next(self._course, None)

    @property
    def over(self) -> bool:
        return self._due is None or self.now >= ns(self.scenario.seconds)

    def advance(self, until: int) -> None:
        until = min(until, ns(self.scenario.seconds))
        with guard.simulated():
            while self._due is not None and self._due <= until:
                self.world.run(self._due)
                self._due = next(self._course, None)
            self.world.run(until)

    def _go(self) -> Iterator[int]:
        """Each moment at which a list is given, or looked for."""
        world, nodes = self.world, self.world.nodes
        given = _SETTLED
        for thing in range(self._things):
            given += _PAUSE
            yield given
            new = world.oracle.revoke((), world.now)
            for number in world.chance("given", thing).sample(range(len(nodes)), self._begin):
                world.offer_fact(nodes[number], new)
            for look in range(_LOOKS + 1):
                yield given + look * _LOOK
                having = sum(
                    any(head.sequence >= new.sequence for head in node.table.revocations.heads) for node in nodes
                )
                self._known[look] += having
                if having < len(nodes):
                    self._slowest = max(self._slowest, look + 1)
            given = world.now

    def outcome(self) -> Outcome:
        """`informed` is the mean over the lists, from the moment on at which each was given."""
        ended = self._due is None
        reached = ended and self._slowest <= _LOOKS
        wanted = self._things * len(self.world.nodes)
        detail = (
            f"{wanted - self._known[-1]} times a node lacks one"
            if ended
            else "the run was over before anybody could say"
        )
        return Outcome(
            scenario=self.file.name,
            question=self.file.question,
            fidelity=self.fidelity,
            nodes=len(self.world.nodes),
            seed=self.seed,
            virtual_seconds=self.now / SECOND,
            parameters={**self.parameters, "begin": self._begin},
            checks=(
                Check(
                    name=f"every list is everywhere within {_LOOKS * _LOOK / SECOND:g} s",
                    holds=reached,
                    detail="" if reached else detail,
                    at=None if reached else _LOOKS * _LOOK / SECOND,
                    decided=ended,
                ),
            ),
            metrics={"everywhere_after": self._slowest * _LOOK / SECOND if reached else None},
            curves={
                "informed": tuple(
                    (look * _LOOK / SECOND, round(count / wanted, 6)) for look, count in enumerate(self._known)
                )
            },
            schedule=tuple(fault.to_json() for fault in self.schedule),
            versions=versions(self.libraries),
            trace_hash=self.world.trace_hash,
            notes=self._notes(),
        )


EXPERIMENT = Spreading
