"""ByteExperiment: a scenario in the bytes world, and until all have said goodbye there."""

import gc
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from cards import SignatureCache
from p2pnoise.config import Bootstrap
from p2pnoise.instant import SECOND, ns

from . import guard, inspecting, striking
from .adversaries import KINDS as ADVERSARIES
from .carriers import DIAL_TIMEOUT
from .checks import Watch
from .experiment import Experiment
from .files import FileDisk
from .invariants import ALWAYS, Clean
from .nodes import Make, honest
from .oracle import NETWORK
from .population import Place
from .scenario import Fidelity, Scenario, ScenarioError, ScenarioFile
from .world import World

NEVER = 1 << 62


class ByteExperiment(Experiment[World]):
    """A scenario in the bytes world."""

    fidelity: Fidelity = "bytes"
    make_world: type[World] = World
    always = ALWAYS

    def __init__(
        self,
        file: ScenarioFile,
        scenario: Scenario,
        *,
        signatures: SignatureCache | None = None,
        remember: bool = True,
        **given: Any,
    ) -> None:
        """`signatures` in place of the world's; unless `remember`, no verdict is kept for another node either."""
        self._signatures, self._remember = signatures, remember
        self._files = ExitStack()
        super().__init__(file, scenario, **given)

    def _make_world(self) -> World:
        world = self.make_world(
            self.seed,
            law=self.scenario.law,
            signatures=self._signatures,
            remember=self._remember,
            lifetime=self.scenario.lifetime,
        )
        if self.scenario.disks == "files":
            self._use_files(world)
        return world

    def _use_files(self, world: World) -> None:
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="p2pnoise-simulation-")))

        def disk(number: int) -> FileDisk:
            return FileDisk(
                folder / f"{number}.db",
                world.chance("disk", number),
                network=NETWORK,
                node_id=lambda: bytes(world.oracle.citizens[number].key.public),
                now=lambda: world.unix,
            )

        world.disk = disk

    def _settle(self, places: Sequence[Place]) -> None:
        for place in places:
            self._add(place)
        for node in self.world.nodes:
            if not node.honest:
                ADVERSARIES[node.kind].prepare(self.world, node)
        striking.plan(self.world, self.schedule)

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

    def _tell(self, watch: Watch) -> None:
        # Most hear neither, of which a run has millions.
        if getattr(watch.told, "__func__", None) is not Watch.told:
            self.world.on_event.append(watch.told)
        if getattr(watch.stored, "__func__", None) is not Watch.stored:
            self.world.on_store.append(watch.stored)
        self.world.on_failure.append(watch.failed)

    def overview(self) -> list[dict[str, Any]]:
        return inspecting.overview(self.world)

    def inspect(self, number: int) -> dict[str, Any]:
        return inspecting.inside(self.world, self.world.nodes[number])

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
        # A run makes objects that stay, by the million: to look through the youngest of them for garbage every 700th
        # time takes a tenth of it. Still now and then: links that end are garbage in circles.
        self._files.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(100_000, 50, 10)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._files.close()
        super().__exit__(kind, error, trace)


def _maker(kind: str) -> Make:
    if kind == "honest":
        return honest
    if kind not in ADVERSARIES:
        raise ScenarioError(f"no adversary of kind {kind}", f"there are: {', '.join(ADVERSARIES)}")
    return ADVERSARIES[kind].make
