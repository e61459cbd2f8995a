"""Simulated: the same network in a simulated world, measured as the processes are."""

from collections.abc import Mapping
from functools import partial

from p2pnoise.events import Event, Listening, PeerLost
from p2pnoise.instant import SECOND
from simulations.byte_experiment import ByteExperiment
from simulations.faults import Crash
from simulations.nodes import SimulatedNode
from simulations.outcome import Value
from simulations.running import begin
from simulations.scenario import Fidelity

from .measuring import Figures, Meter

__all__ = ["simulate"]

STEP = SECOND // 10


def simulate(name: str, *, nodes: int, seed: int, parameters: Mapping[str, Value], fidelity: Fidelity) -> list[Figures]:
    """What each node of one simulated run did. Raises ScenarioError."""
    with begin(name, nodes=nodes, seed=seed, parameters=parameters, fidelity=fidelity) as running:
        assert isinstance(running, ByteExperiment)  # noqa: S101 - the one with cores, and so is its heir
        world, meters = running.world, {}
        crash = next((fault for fault in running.schedule if isinstance(fault, Crash)), None)
        killed = crash.nodes[0] if crash is not None else None
        victim = world.nodes[killed].citizen.key.public if killed is not None else None
        lost: dict[int, float] = {}

        def attach(node: SimulatedNode) -> None:
            meters[node.number] = Meter(node.node, node.number, nodes, lambda: world.now / SECOND)

        def hear(node: SimulatedNode, event: Event) -> None:
            if isinstance(event, Listening):  # nothing was said yet
                world.alarm(world.now, partial(attach, node))
            elif isinstance(event, PeerLost) and event.node_id == victim:
                lost[node.number] = world.now / SECOND

        world.on_event.append(hear)
        look_at = int((crash.at if crash is not None else running.scenario.seconds) * SECOND) - STEP
        while running.now < look_at:
            running.advance(min(running.now + STEP, look_at))
        for meter in meters.values():
            meter.look_at_links()
        while running.now < int(running.scenario.seconds * SECOND):
            running.advance(running.now + STEP)
    figures = [meters[number].figures for number in sorted(meters)]
    for one in figures:
        if crash is not None and lost.get(one.number, 0.0) >= crash.at:
            one.noticed_after = lost[one.number] - crash.at
    return figures
