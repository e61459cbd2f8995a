"""MessageExperiment: a scenario in the message world."""

import gc
from collections.abc import Sequence
from typing import Any, Self

from p2pnoise.instant import ns
from simulations import guard
from simulations.checks import Watch, seconds
from simulations.experiment import LOOK, Experiment
from simulations.neighbourhoods import Networks
from simulations.outcome import Value
from simulations.population import Place
from simulations.scenario import Fidelity, Scenario, ScenarioError, ScenarioFile

from .invariants import ALWAYS
from .nodes import DEGREE, MessageNode
from .striking import plan
from .sybils import KIND
from .world import MessageWorld

NODES_PER_LOOK = 2_500  # with so many more the checks look half as often, and so on: they look at every node


class MessageExperiment(Experiment[MessageWorld]):
    """A scenario whose nodes are overlays alone. Raises `ScenarioError`."""

    fidelity: Fidelity = "messages"
    always = ALWAYS

    def __init__(self, file: ScenarioFile, scenario: Scenario, *, nodes: int, **given: Any) -> None:
        if {*scenario.adversaries} - {KIND} or scenario.law.undialable or scenario.disks == "files":
            raise ScenarioError(
                "at fidelity messages there are no adversaries but Sybils, no NATs and no files",
                "take the fidelity bytes",
            )
        self._look = LOOK * max(1, nodes // NODES_PER_LOOK)
        self._next = 0
        super().__init__(file, scenario, nodes=nodes, **given)

    def _make_world(self) -> MessageWorld:
        return MessageWorld(self.seed, law=self.scenario.law, lifetime=self.scenario.lifetime)

    def _settle(self, places: Sequence[Place]) -> None:
        publishers = len(places) if self.scenario.publishers is None else self.scenario.publishers
        world, networks = self.world, self.scenario.networks or Networks()
        networks.found(world.oracle)
        for place in places:
            address = networks.address(place.number, place.kind)
            kind, silent = place.kind, place.number >= publishers
            node = world.add(at=place.at, clock=place.clock, silent=silent, kind=kind, address=address)
            node.table.most = networks.rows
            networks.enrol(world.oracle, node.citizen, kind)
        if self.scenario.adversaries:
            for place in places:  # begins with one whom its operator trusts
                others = [other for other in place.knows if world.nodes[other].honest]
                world.nodes[place.number].contacts += others or [0]
        else:
            world.join()
        plan(self.world, self.schedule)

    def _tell(self, watch: Watch) -> None:
        if watch.needs_events:
            raise ScenarioError(
                f"at fidelity messages nobody sees whether {watch.name!r} holds: nodes tell no events",
                "take the fidelity bytes",
            )
        self.world.on_failure.append(watch.failed)

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

    def _events(self) -> dict[str, int]:
        return dict(sorted(self.world.told().items()))

    def _notes(self) -> dict[str, Value]:
        drawn = {} if self.scenario.adversaries else {"links": f"drawn: a ring and random pairs, {DEGREE} a node"}
        return {
            **drawn,
            "items": "by reference, with the size that they have",
            "looks_every": seconds(self._look),
        }

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()  # what is there stays; looking through it again and again took a third of the time
        gc.disable()
        return self

    def __exit__(self, *exc: Any) -> None:
        gc.enable()
        gc.unfreeze()
        super().__exit__(*exc)
