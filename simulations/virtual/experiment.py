"""VirtualExperiment: a scenario in the virtual world; as in the bytes world, but for what makes its nodes."""

from typing import Any

from simulations.byte_experiment import ByteExperiment
from simulations.invariants import Clean
from simulations.scenario import Fidelity, Scenario, ScenarioError, ScenarioFile

from .world import VirtualWorld

__all__ = ["MAX_NODES", "VirtualExperiment"]

MAX_NODES = 1_000  # a guess: three hundred take minutes


class VirtualExperiment(ByteExperiment):
    """A scenario whose nodes are run by the daemon's own driver. Raises `ScenarioError`."""

    fidelity: Fidelity = "virtual"
    make_world = VirtualWorld
    libraries = (*ByteExperiment.libraries, "trio")
    world: VirtualWorld

    def __init__(self, file: ScenarioFile, scenario: Scenario, *, nodes: int, **more: Any) -> None:
        if nodes > MAX_NODES:
            raise ScenarioError(f"{nodes} nodes, at most {MAX_NODES} at fidelity virtual", "take fewer, or another one")
        if scenario.adversaries or scenario.clocks.drift:
            raise ScenarioError(
                "at fidelity virtual all nodes are the daemon's own, by one clock", "take the fidelity bytes"
            )
        super().__init__(file, scenario, nodes=nodes, **more)
        self._failures: list[Exception] = []
        self.world.on_failure.append(lambda _node, error: self._failures.append(error))

    def advance(self, until: int) -> None:
        super().advance(until)
        while self._failures:  # what a check of somebody's own raises ends the node that told it something
            self.file.answer_for(self._failures.pop())

    def _wind_down(self) -> None:
        super()._wind_down()
        for node in self.world.live():
            for watch in self.watching.watches:
                if isinstance(watch, Clean):
                    watch.broken(f"node {node.number} has not ended")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.world.close()
        super().__exit__(kind, error, trace)
