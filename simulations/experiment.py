"""Experiment: a scenario under way, step by step; what is the same in whatever world it is."""

import platform
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from random import Random
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from p2pnoise import __version__
from p2pnoise.instant import SECOND, ns

from . import guard
from .checks import NodeView, View, Watch, seconds
from .comparing import without_adversaries
from .faults import Schedule
from .outcome import Outcome, Value
from .population import Place, draw_schedule, settle
from .scenario import Fidelity, Scenario, ScenarioFile
from .watching import Watching, redundancy

LOOK = SECOND // 40  # between two looks of the checks: what they time is as fine as that

Progress = Callable[[float, float], None]
"""Hears the virtual seconds that have passed, and those after which the run is over at the latest."""


class _Node(NodeView, Protocol):
    @property
    def messages_sent(self) -> int: ...


class _World(View, Protocol):
    """What an experiment asks of its world, beside what checks do."""

    deliveries: int
    census: Counter[str]

    @property
    def nodes(self) -> Sequence[_Node]: ...
    @property
    def trace_hash(self) -> str: ...
    def chance(self, *label: object) -> Random: ...
    def run(self, until: int) -> bool: ...


W = TypeVar("W", bound=_World)


class Experiment(ABC, Generic[W]):
    """A run that can be held at any moment. A context manager: it may have files."""

    fidelity: Fidelity
    libraries: ClassVar[tuple[str, ...]] = ("cryptography", "msgpack")
    """On which the bits of a run depend."""
    always: ClassVar[Iterable[type[Watch]]]
    """What must hold in every run of this world."""

    watching: Watching
    """Its checks, as far as they have seen by now."""

    def __init__(
        self,
        file: ScenarioFile,
        scenario: Scenario,
        *,
        nodes: int,
        seed: int,
        schedule: Schedule | None = None,
        parameters: Mapping[str, Value] | None = None,
    ) -> None:
        """Raises `ScenarioError` where this world cannot be what the scenario says."""
        self.file, self.scenario, self.seed = file, scenario, seed
        self.parameters = dict(parameters or {})
        self.world: W = self._make_world()
        with guard.simulated():  # what somebody draws without `setting` is another fault every time
            self.schedule = schedule if schedule is not None else draw_schedule(scenario, nodes, self.world.chance)
        places = settle(scenario, nodes, self.world.chance)
        self._settle(places)
        started = max(place.at for place in places if place.kind == "honest" or not scenario.absent)
        with guard.simulated():
            self.watching = Watching(self.world, self.schedule, scenario.expects, self.always, started=started)
        for watch in self.watching.watches:
            self._tell(watch)

    @abstractmethod
    def _make_world(self) -> W: ...

    @abstractmethod
    def _settle(self, places: Sequence[Place]) -> None:
        """Have all live here, and the faults wait for their time."""

    @abstractmethod
    def _tell(self, watch: Watch) -> None:
        """Have a check hear what happens."""

    @property
    def now(self) -> int:
        """Nanoseconds since the beginning."""
        return self.world.now

    @property
    def over(self) -> bool:
        """Whether all that was asked is settled, or the time is up."""
        return self.watching.settled or self.now >= ns(self.scenario.seconds)

    def advance(self, until: int) -> None:
        """Let things happen until this nanosecond; call it every `LOOK`, or what checks time is coarser."""
        with guard.simulated():
            self.world.run(min(until, ns(self.scenario.seconds)))
            self.watching.look()

    def finish(self, progress: Progress = lambda _now, _end: None) -> Outcome:
        """Go on until it is over, and say what it found; once."""
        with guard.simulated():  # once: for each look of a quiet half an hour anew, it took a tenth of the time
            while not self.over:
                self.advance(self.now + LOOK)
                with guard.lifted():
                    progress(self.now / SECOND, self.scenario.seconds)
        return self.outcome()

    @abstractmethod
    def overview(self) -> list[dict[str, Any]]:
        """How each node is at this moment, in a line's worth."""

    @abstractmethod
    def inspect(self, number: int) -> dict[str, Any]:
        """All that a node holds at this moment. Raises IndexError."""

    def outcome(self) -> Outcome:
        """End it, and say what it found, beside the same run without adversaries where it is compared; once."""
        found = self._found()
        if not self.scenario.compares:
            return found
        calm = type(self)(
            self.file,
            without_adversaries(self.scenario),
            nodes=found.nodes,
            seed=self.seed,
            schedule=self.schedule,
            parameters=self.parameters,
        )
        with calm:
            baseline = calm.finish()
        compared = tuple(one.check(found, baseline) for one in self.scenario.compares)
        return replace(found, checks=(*found.checks, *compared))

    def _found(self) -> Outcome:
        """What it found by itself."""
        world, watching = self.world, self.watching
        with guard.simulated():
            watching.finish()
        metrics, samples = watching.figures()
        metrics |= {"deliveries": world.deliveries, "handshakes": world.census["peer-verified"] // 2}
        metrics["redundancy"] = redundancy(node.came for node in world.nodes if node.honest)
        samples["messages_sent"] = tuple(node.messages_sent for node in world.nodes if node.honest)
        edges, down, after, events = watching.edges(), watching.down(), world.now, self._events()
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
            down=down,
            kinds=watching.kinds(),
            events=events,
            schedule=tuple(fault.to_json() for fault in self.schedule),
            versions=versions(self.libraries),
            trace_hash=world.trace_hash,
            notes=self._notes(),
        )

    def _events(self) -> dict[str, int]:
        return dict(sorted(self.world.census.items()))

    def _wind_down(self) -> None:
        """What is done and seen when all that was asked is answered."""

    def _notes(self) -> dict[str, Value]:
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: Any) -> None:
        """Raises `ScenarioError` where the scenario's own Python is what went wrong."""
        for error in exc[1:2]:
            self.file.answer_for(error)


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of all that the bits of a run depend on."""
    found = {name: version(name) for name in libraries}
    return {"p2pnoise": __version__, "python": platform.python_version(), **found}
