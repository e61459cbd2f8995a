"""Experiment: a scenario under way, step by step: what all fidelities have in common, and that of the bytes world."""

import platform
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, Self

from cards import SignatureCache
from p2pnoise import __version__
from p2pnoise.config import Bootstrap
from p2pnoise.instant import SECOND, ns

from . import guard, inspecting, striking
from .adversaries import KINDS as ADVERSARIES
from .carriers import DIAL_TIMEOUT
from .checks import seconds
from .faults import Schedule
from .files import FileDisk
from .invariants import ALWAYS, Clean
from .oracle import NETWORK
from .outcome import Outcome, Value
from .population import Place, draw_schedule, settle
from .scenario import Fidelity, Scenario, ScenarioError, ScenarioFile
from .watching import Watching
from .world import Make, World, honest

NEVER = 1 << 62
LOOK = SECOND // 40  # between two looks of the checks: what they time is as fine as that


class Experiment(Protocol):
    """A run that can be held at any moment. A context manager: it may have files."""

    scenario: Scenario

    watching: Watching
    """Its checks, as far as they have seen by now."""

    @property
    def now(self) -> int:
        """Nanoseconds since the beginning."""
        ...

    @property
    def over(self) -> bool:
        """Whether all that was asked is settled, or the time is up."""
        ...

    def advance(self, until: int) -> None:
        """Let things happen until this nanosecond; call it every `LOOK`, or what checks time is coarser."""
        ...

    def overview(self) -> list[dict[str, Any]]:
        """How each node is at this moment, in a line's worth."""
        ...

    def inspect(self, number: int) -> dict[str, Any]:
        """All that a node holds at this moment. Raises IndexError."""
        ...

    def outcome(self) -> Outcome:
        """End it, and say what it found; once."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...


class ByteExperiment:
    """A scenario in the bytes world."""

    fidelity: Fidelity = "bytes"
    make_world: type[World] = World
    libraries: tuple[str, ...] = ("cryptography", "msgpack")
    """On which the bits of a run depend."""

    def __init__(
        self,
        file: ScenarioFile,
        scenario: Scenario,
        *,
        nodes: int,
        seed: int,
        schedule: Schedule | None = None,
        parameters: Mapping[str, Value] | None = None,
        signatures: SignatureCache | None = None,
        remember: bool = True,
    ) -> None:
        """`signatures` in place of the world's; unless `remember`, no verdict is kept for another node either."""
        self.file, self.scenario, self.seed = file, scenario, seed
        self.parameters = dict(parameters or {})
        self._files = ExitStack()
        self.world = self.make_world(
            seed, law=scenario.law, signatures=signatures, remember=remember, lifetime=scenario.lifetime
        )
        if scenario.disks == "files":
            self._use_files()
        self.schedule = schedule if schedule is not None else draw_schedule(scenario, nodes, self.world.chance)
        for place in settle(scenario, nodes, self.world.chance):
            self._add(place)
        for node in self.world.nodes:
            if not node.honest:
                ADVERSARIES[node.kind].prepare(self.world, node)
        striking.plan(self.world, self.schedule)
        self.watching = Watching(self.world, self.schedule, scenario.expects, ALWAYS)
        for watch in self.watching.watches:
            self.world.on_event.append(watch.told)
            self.world.on_store.append(watch.stored)
            self.world.on_failure.append(watch.failed)

    def _use_files(self) -> None:
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="p2pnoise-simulation-")))
        world = self.world

        def disk(number: int) -> FileDisk:
            return FileDisk(
                folder / f"{number}.db",
                world.chance("disk", number),
                network=NETWORK,
                node_id=lambda: bytes(world.oracle.citizens[number].key.public),
                now=lambda: world.unix,
            )

        world.disk = disk

    def _add(self, place: Place) -> None:
        world, config = self.world, self.scenario.config
        known = [world.nodes[number] for number in place.knows]
        bootstrap = tuple(Bootstrap(node.address, node.citizen.key.public) for node in known)
        world.add(
            bootstrap=bootstrap,
            config=config,
            kind=place.kind,
            make=_maker(place.kind),
            clock=place.clock,
            dialable=place.dialable,
            at=place.at if place.kind == "honest" or not self.scenario.absent else NEVER,
        )

    @property
    def now(self) -> int:
        return self.world.now

    @property
    def over(self) -> bool:
        return self.watching.settled or self.now >= ns(self.scenario.seconds)

    def advance(self, until: int) -> None:
        with guard.simulated():
            self.world.run(min(until, ns(self.scenario.seconds)))
        self.watching.look()

    def overview(self) -> list[dict[str, Any]]:
        return inspecting.overview(self.world)

    def inspect(self, number: int) -> dict[str, Any]:
        return inspecting.inside(self.world, self.world.nodes[number])

    def outcome(self) -> Outcome:
        world, watching = self.world, self.watching
        watching.finish()
        metrics, samples = watching.figures()
        metrics |= {"deliveries": world.deliveries, "handshakes": world.census["peer-verified"] // 2}
        samples["messages_sent"] = tuple(node.messages_sent for node in world.nodes if node.honest)
        edges, after, events = watching.edges(), world.now, dict(sorted(world.census.items()))
        self._wind_down()
        return Outcome(
            scenario=self.file.name,
            question=self.file.question,
            fidelity=self.fidelity,
            nodes=len(world.nodes),
            seed=self.seed,
            virtual_seconds=seconds(after),
            parameters=self.parameters,
            checks=watching.checks,
            metrics=metrics,
            curves=watching.curves.curves,
            samples=samples,
            edges=edges,
            kinds=watching.kinds(),
            events=events,
            schedule=tuple(fault.to_json() for fault in self.schedule),
            versions=versions(self.libraries),
            trace_hash=world.trace_hash,
        )

    def _wind_down(self) -> None:
        """Have all say goodbye on lines that are whole again, and see whether anything is left."""
        world = self.world
        world.on_event.clear()  # what is asked is answered: whoever says goodbye now is nobody's loss
        world.on_store.clear()
        world.calm_down()
        for node in world.live(honest=False):
            world.stop(node)
        longest = max((ns(node.config.close_timeout) for node in world.nodes), default=0)
        with guard.simulated():
            world.run(world.now + max(longest, DIAL_TIMEOUT) + 2 * SECOND)
        for watch in self.watching.watches:
            if isinstance(watch, Clean):
                watch.left_over(world)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._files.close()


def _maker(kind: str) -> Make:
    if kind == "honest":
        return honest
    if kind not in ADVERSARIES:
        raise ScenarioError(f"no adversary of kind {kind}", f"there are: {', '.join(ADVERSARIES)}")
    return ADVERSARIES[kind].make


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of all that the bits of a run depend on."""
    found = {name: version(name) for name in libraries}
    return {"p2pnoise": __version__, "python": platform.python_version(), **found}
