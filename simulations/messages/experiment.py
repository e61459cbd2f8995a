"""MessageExperiment: a scenario in the message world."""

import gc
from collections.abc import Mapping
from typing import Any, Self

from cards import SignatureCache
from p2pnoise.instant import ns
from simulations import guard
from simulations.checks import seconds
from simulations.experiment import LOOK, versions
from simulations.faults import Schedule
from simulations.outcome import Outcome, Value
from simulations.population import draw_schedule, settle
from simulations.scenario import Scenario, ScenarioError, ScenarioFile
from simulations.watching import Watching, redundancy

from .invariants import ALWAYS
from .striking import plan
from .world import DEGREE, MessageNode, MessageWorld

NODES_PER_LOOK = 2_500  # with so many more the checks look half as often, and so on: they look at every node


class MessageExperiment:
    """A scenario whose nodes are overlays alone. Raises `ScenarioError`."""

    def __init__(
        self,
        file: ScenarioFile,
        scenario: Scenario,
        *,
        nodes: int,
        seed: int,
        schedule: Schedule | None = None,
        parameters: Mapping[str, Value] | None = None,
        signatures: SignatureCache | None = None,  # noqa: ARG002 - its memo has them
    ) -> None:
        if scenario.adversaries or scenario.law.undialable or scenario.disks == "files":
            raise ScenarioError(
                "at fidelity messages there are no adversaries, NATs or files", "take the fidelity bytes"
            )
        self.file, self.scenario, self.seed = file, scenario, seed
        self.parameters = dict(parameters or {})
        self.world = world = MessageWorld(seed, law=scenario.law, lifetime=scenario.lifetime)
        self.schedule = schedule if schedule is not None else draw_schedule(scenario, nodes, world.chance)
        publishers = nodes if scenario.publishers is None else scenario.publishers
        for place in settle(scenario, nodes, world.chance):
            world.add(at=place.at, clock=place.clock, silent=place.number >= publishers)
        world.join()
        plan(world, self.schedule)
        self.watching = Watching(world, self.schedule, scenario.expects, ALWAYS)
        for watch in self.watching.watches:
            if watch.needs_events:
                raise ScenarioError(
                    f"at fidelity messages nobody sees whether {watch.name!r} holds: nodes tell no events",
                    "take the fidelity bytes",
                )
            world.on_failure.append(watch.failed)
        self._look = LOOK * max(1, nodes // NODES_PER_LOOK)
        self._next = 0

    @property
    def now(self) -> int:
        return self.world.now

    @property
    def over(self) -> bool:
        return self.watching.settled or self.now >= ns(self.scenario.seconds)

    def advance(self, until: int) -> None:
        until = min(until, ns(self.scenario.seconds))
        with guard.simulated():
            self.world.run(until)
        if until >= self._next or self.over:
            self._next = until + self._look
            self.watching.look()

    def overview(self) -> list[dict[str, Any]]:
        return [
            {
                "node": node.number,
                "kind": node.kind,
                "online": node.online,
                "known": node.known,
                "linked": len(node.linked()),
                "bytes_sent": node.bytes_sent,
                "inputs": node.inputs,
                "failure": node.failure,
            }
            for node in self.world.nodes
        ]

    def inspect(self, number: int) -> dict[str, Any]:
        node: MessageNode = self.world.nodes[number]
        instant = node.clock.instant(self.now)
        return {
            **self.overview()[number],
            "node_id": str(node.citizen.key.public),
            "boot": node.boot,
            "clock": {"unix": instant.unix, "skew": node.clock.skew, "drift": node.clock.drift},
            "peers": [peer.card.label for peer in node.table],
            "links": {str(one): link.peer_of(number) for one, link in node.links.items()},
            "lists": [head.sequence for head in node.table.revocations.heads],
        }

    def outcome(self) -> Outcome:
        world, watching = self.world, self.watching
        watching.finish()
        metrics, samples = watching.figures()
        metrics |= {"deliveries": world.deliveries, "handshakes": world.census["peer-verified"] // 2}
        metrics["redundancy"] = redundancy(node.came for node in world.nodes)
        samples["messages_sent"] = tuple(node.messages_sent for node in world.nodes if node.honest)
        notes: dict[str, Value] = {
            "links": f"drawn: a ring and random pairs, {DEGREE} a node",
            "items": "by reference, with the size that they have",
            "looks_every": seconds(self._look),
        }
        return Outcome(
            scenario=self.file.name,
            question=self.file.question,
            fidelity="messages",
            nodes=len(world.nodes),
            seed=self.seed,
            virtual_seconds=seconds(world.now),
            parameters=self.parameters,
            checks=watching.checks,
            metrics=metrics,
            curves=watching.curves.curves,
            samples=samples,
            edges=watching.edges(),
            kinds=watching.kinds(),
            events=dict(sorted(world.told().items())),
            schedule=tuple(fault.to_json() for fault in self.schedule),
            versions=versions(("cryptography", "msgpack")),
            trace_hash=world.trace_hash,
            notes=notes,
        )

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()  # what is there stays; looking through it again and again took a third of the time
        gc.disable()
        return self

    def __exit__(self, *_exc: object) -> None:
        gc.enable()
        gc.unfreeze()
