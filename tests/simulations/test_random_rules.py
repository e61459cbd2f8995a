"""Whatever Hypothesis thinks of doing to a few nodes: every invariant holds, and they find together again."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2pnoise.instant import SECOND
from simulations import (
    ClockStep,
    Clog,
    Crash,
    Fault,
    Lag,
    Leave,
    Loss,
    Partition,
    Renew,
    Reset,
    Revoke,
    Rotate,
    begin,
    striking,
)
from simulations.experiment import LOOK

PATIENCE = 400 * SECOND  # until all know all again; the longest pause between two dials is 300 s

some = st.sets(st.integers(0, 6), min_size=1, max_size=4).map(lambda nodes: tuple(sorted(nodes)))
moments = st.integers(1, 40).map(lambda tenths: tenths / 2)


class Rules(RuleBasedStateMachine):
    """A network of three to seven nodes; each rule is a fault that begins now, or time that passes."""

    @initialize(nodes=st.integers(3, 7), seed=st.integers(1, 1_000))
    def settle(self, nodes, seed):
        self.run = begin("random-faults", nodes=nodes, seed=seed, schedule=(), seconds=1e6).__enter__()
        self.nodes = nodes
        self.calm = 0.0
        self.wait(2.0)

    @property
    def now(self) -> float:
        return self.run.now / SECOND

    def strike(self, fault: Fault) -> None:
        self.calm = max(self.calm, fault.over)
        striking.plan(self.run.world, (fault,))
        self.run.advance(self.run.now + LOOK)

    def here(self, nodes):
        return tuple(number for number in nodes if number < self.nodes) or (0,)

    @rule(seconds=moments)
    def wait(self, seconds):
        end = self.run.now + int(seconds * SECOND)
        while self.run.now < end:
            self.run.advance(self.run.now + LOOK)

    @rule(nodes=some, seconds=moments, one_way=st.booleans())
    def divide(self, nodes, seconds, one_way):
        self.strike(Partition(at=self.now, until=self.now + seconds, nodes=self.here(nodes), one_way=one_way))

    @rule(nodes=some, seconds=moments)
    def clog(self, nodes, seconds):
        self.strike(Clog(at=self.now, until=self.now + seconds, nodes=self.here(nodes)))

    @rule(nodes=some, seconds=moments, silent=st.booleans())
    def crash(self, nodes, seconds, silent):
        self.strike(Crash(at=self.now, until=self.now + seconds, nodes=self.here(nodes), silent=silent))

    @rule(nodes=some, seconds=moments)
    def leave(self, nodes, seconds):
        self.strike(Leave(at=self.now, until=self.now + seconds, nodes=self.here(nodes)))

    @rule(nodes=some, seconds=moments)
    def lag(self, nodes, seconds):
        self.strike(Lag(at=self.now, until=self.now + seconds, nodes=self.here(nodes), seconds=seconds / 5))

    @rule(seconds=moments, share=st.floats(0, 0.4))
    def lose(self, seconds, share):
        self.strike(Loss(at=self.now, until=self.now + seconds, share=share))

    @rule(nodes=some)
    def reset(self, nodes):
        self.strike(Reset(at=self.now, nodes=self.here(nodes)))

    @rule(nodes=some)
    def renew(self, nodes):
        self.strike(Renew(at=self.now, nodes=self.here(nodes)))

    @rule(node=st.integers(0, 6))
    def rotate(self, node):
        self.strike(Rotate(at=self.now, nodes=self.here((node,))))

    @rule(node=st.integers(1, 6), by=st.integers(0, 2))
    def revoke(self, node, by):
        if len(self.run.world.oracle.revoked) < self.nodes - 2:
            self.strike(Revoke(at=self.now, nodes=self.here((node,)), by=by))

    @rule(nodes=some, seconds=st.integers(-60, 60))
    def step_clock(self, nodes, seconds):
        self.strike(ClockStep(at=self.now, nodes=self.here(nodes), seconds=seconds))

    @invariant()
    def nothing_is_broken(self):
        if hasattr(self, "run"):
            watches = [watch for watch in self.run.watching.watches if watch.name.startswith("S")]
            assert [watch.check for watch in watches if not watch.check.holds] == []

    def teardown(self):
        if not hasattr(self, "run"):
            return
        world = self.run.world
        calm = max(self.run.now, int(self.calm * SECOND))
        end = calm + PATIENCE
        while self.run.now < calm or (self.apart(world) and self.run.now < end):
            self.run.advance(self.run.now + SECOND // 4)
        assert self.apart(world) == []
        self.run.outcome()
        self.nothing_is_broken()
        self.run.__exit__()

    def apart(self, world):
        """Who does not know all that it should, or still knows a node that was revoked."""
        revoked = world.oracle.revoked
        standing = [node for node in world.live() if node.number not in revoked]
        everybody = [node.citizen for node in standing]
        gone = [world.oracle.citizens[number] for number in revoked]
        return [node.number for node in standing if node.lacks(everybody) or any(map(node.holds, gone))]


CALM = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,  # the same rules every time: what is found is found again
    "database": None,
}


def _play(examples, steps):
    case = Rules.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=steps, **CALM)
    case("runTest").runTest()


def test_a_few_nodes_bear_whatever_is_done_to_them():
    _play(15, 12)


@pytest.mark.long
def test_a_few_nodes_bear_whatever_is_done_to_them_for_long():
    _play(400, 30)
