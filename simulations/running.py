"""Running: one scenario, one seed, one outcome; step by step where somebody wants to look inside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from . import guard
from .byte_experiment import ByteExperiment
from .experiment import Experiment, Progress
from .faults import Fault, Schedule, checked, fault_from
from .outcome import Outcome, Value
from .population import draw_schedule
from .scenario import MAX_BYTES_NODES, MAX_NODES, Fidelity, Scenario, ScenarioError, ScenarioFile, find
from .seeded import Seeded
from .world import World


def run(
    name: str | ScenarioFile,
    *,
    nodes: int | None = None,
    seed: int = 1,
    fidelity: Fidelity | None = None,
    parameters: Mapping[str, Value] | None = None,
    schedule: Sequence[Fault | Mapping[str, Any]] | None = None,
    seconds: float | None = None,
    progress: Progress = lambda _now, _end: None,
) -> Outcome:
    """Run a scenario of this name, or in this file, to its end. Raises `ScenarioError`, or `ScheduleError`.

    `nodes`, `fidelity`, `seconds` and `parameters` are the scenario's own where none are given. A `schedule`, of faults
    or of what their `to_json` gave, takes the place of the faults that the seed draws.
    """
    with begin(
        name,
        nodes=nodes,
        seed=seed,
        fidelity=fidelity,
        parameters=parameters,
        schedule=schedule,
        seconds=seconds,
    ) as running:
        return running.finish(progress)


def begin(
    name: str | ScenarioFile,
    *,
    nodes: int | None = None,
    seed: int = 1,
    fidelity: Fidelity | None = None,
    parameters: Mapping[str, Value] | None = None,
    schedule: Sequence[Fault | Mapping[str, Any]] | None = None,
    seconds: float | None = None,
) -> Experiment[Any]:
    """As `run`, but to be led step by step. Raises the same."""
    file = find(name) if isinstance(name, str) else name
    scenario, nodes, fidelity = fitting(file, nodes, fidelity, parameters or {})
    if seconds is not None:
        with file.fitting():
            scenario = replace(scenario, seconds=seconds)
    faults: Schedule | None = None
    if schedule is not None:
        faults = checked((one if isinstance(one, Fault) else fault_from(one) for one in schedule), nodes=nodes)
    make = file.experiment or _experiment_of(fidelity)

    def made(many: int) -> Experiment[Any]:
        with file.fitting(many):
            return make(file, scenario, nodes=many, seed=seed, schedule=faults, parameters=parameters)

    try:
        return made(nodes)
    except ScenarioError as error:
        if not isinstance(error.__cause__, LookupError | ValueError):
            raise
        enough = _enough(made, nodes, scenario.smoke)
        if enough is None:
            raise
        what = f"{file.name} cannot be asked of {nodes} node{'s' * (nodes != 1)}: it needs at least {enough}"
        raise ScenarioError(what, f"take --nodes {enough} or more") from error


def _enough(made: Callable[[int], Experiment[Any]], too_few: int, enough: int) -> int | None:
    """The least number of nodes of which there is such a world, at most `enough`; None where that is no answer."""

    def possible(nodes: int) -> bool:
        try:
            with made(nodes):
                return True
        except ScenarioError:
            return False

    if enough <= too_few or not possible(enough):
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if possible(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _experiment_of(fidelity: Fidelity) -> type[Experiment[Any]]:
    match fidelity:
        case "bytes":
            return ByteExperiment
        case "virtual":
            from .virtual.experiment import VirtualExperiment  # noqa: PLC0415 - it needs what the others do not

            return VirtualExperiment
        case "messages":
            from .messages.experiment import MessageExperiment  # noqa: PLC0415 - it needs what the others do not

            return MessageExperiment


def fitting(
    file: ScenarioFile, nodes: int | None, fidelity: Fidelity | None, parameters: Mapping[str, Value]
) -> tuple[Scenario, int, Fidelity]:
    """With what `run` runs this. Raises `ScenarioError`."""
    scenario = file.with_parameters(parameters)
    nodes = scenario.nodes if nodes is None else nodes
    fidelity = fidelity or scenario.fidelities[0]
    if not 1 <= nodes <= MAX_NODES:
        raise ScenarioError(f"{nodes} nodes, at most {MAX_NODES}", "choose a number between the two")
    if fidelity not in scenario.fidelities:
        raise ScenarioError(
            f"{file.name} does not run at fidelity {fidelity}", f"it runs at: {', '.join(scenario.fidelities)}"
        )
    if scenario.start > scenario.seconds:
        raise ScenarioError(
            f"{file.name} cannot be asked: nodes start within {scenario.start:g} s, and it is over after"
            f" {scenario.seconds:g} s",
            "give it more seconds, or a shorter start",
        )
    if fidelity != "messages" and nodes > MAX_BYTES_NODES:
        way = "take --fidelity messages" if "messages" in scenario.fidelities else "choose fewer"
        raise ScenarioError(f"{nodes:,} nodes at fidelity {fidelity}, at most {MAX_BYTES_NODES:,}", way)
    return scenario, nodes, fidelity


def expectations_of(file: ScenarioFile, scenario: Scenario) -> list[str]:
    """What a scenario expects of so many nodes as it has by itself, in words. Raises `ScenarioError`."""
    nodes = [SimpleNamespace(number=number, kind="honest", honest=True) for number in range(scenario.nodes)]
    view: Any = SimpleNamespace(nodes=nodes, now=0, oracle=World(1).oracle)
    with file.answering():
        return [*(one.watch(view, ()).name for one in scenario.expects), *(one.name for one in scenario.compares)]


def faults_of(file: ScenarioFile, scenario: Scenario) -> Schedule:
    """What goes wrong with seed 1 among so many nodes as it has by itself. Raises `ScenarioError`."""
    with file.fitting(scenario.nodes), guard.simulated():
        return draw_schedule(scenario, scenario.nodes, Seeded(1).chance)
