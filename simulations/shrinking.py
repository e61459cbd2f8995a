"""Shrinking: the least that still goes wrong: fewer faults first, then fewer nodes, then less time.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002) over the schedule,
then over whom each fault meets; nodes and time are halved, then lessened in ever smaller steps.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from .faults import Fault, Schedule
from .outcome import Outcome, Value
from .running import run
from .scenario import Fidelity, ScenarioError

T = TypeVar("T")
LEAST_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A run in which something does not hold."""

    scenario: str
    nodes: int
    seed: int
    fidelity: Fidelity
    parameters: Mapping[str, Value]
    schedule: Schedule
    seconds: float
    check: str
    """The name of what does not hold; its limit in words may be part of it."""

    def play(self) -> Outcome:
        return run(
            self.scenario,
            nodes=self.nodes,
            seed=self.seed,
            fidelity=self.fidelity,
            parameters=self.parameters,
            schedule=self.schedule,
            seconds=self.seconds,
        )

    @property
    def fails(self) -> bool:
        """Whether the same check is still broken."""
        return any(check.name == self.check and check.decided for check in self.play().broken)


def shrink(
    failing: Failing,
    *,
    fails: Callable[[Failing], bool] = lambda candidate: candidate.fails,
    tell: Callable[[Failing], None] = lambda _smaller: None,
    most: int = 200,
) -> Failing:
    """The smallest failing run that at most `most` plays find. `tell` hears of every smaller one."""
    plays = 0

    def better(candidate: Failing) -> bool:
        nonlocal plays, failing
        if candidate == failing or plays >= most:
            return False
        plays += 1
        try:
            if not fails(candidate):
                return False
        except ScenarioError:  # of so few nodes it cannot be asked
            return False
        failing = candidate
        tell(candidate)
        return True

    _least(failing.schedule, lambda faults: better(replace(failing, schedule=tuple(faults))))
    for place, fault in enumerate(failing.schedule):
        if len(fault.nodes_hit) > 1:
            _least(fault.nodes_hit, lambda nodes, at=place: better(_with_nodes(failing, at, nodes)))  # type: ignore[misc]
    while any(better(_of_nodes(failing, nodes)) for nodes in _fewer(failing.nodes)):
        pass
    while any(better(replace(failing, seconds=seconds)) for seconds in _shorter(failing.seconds)):
        pass
    return failing


def _least(parts: Sequence[T], works: Callable[[Sequence[T]], bool]) -> None:
    """Delta debugging: leave out ever smaller runs of `parts`, as long as it works without them."""
    size = len(parts)
    while size >= 1 and parts:
        place = 0
        while place < len(parts):
            without = [*parts[:place], *parts[place + size :]]
            if works(without):
                parts = without
            else:
                place += size
        size //= 2


def _with_nodes(failing: Failing, place: int, nodes: Sequence[int]) -> Failing:
    if not nodes:
        return failing
    hit: dict[str, Any] = {"nodes": tuple(nodes)}
    fault: Fault = replace(failing.schedule[place], **hit)
    return replace(failing, schedule=(*failing.schedule[:place], fault, *failing.schedule[place + 1 :]))


def _of_nodes(failing: Failing, nodes: int) -> Failing:
    """With so many nodes, and without what would meet others; what such a one would do, the first node does."""
    faults = []
    for fault in failing.schedule:
        left: dict[str, Any] = {}
        if fault.nodes_hit:
            left["nodes"] = tuple(node for node in fault.nodes_hit if node < nodes)
        if getattr(fault, "by", 0) >= nodes:
            left["by"] = 0
        if left.get("nodes", True):
            faults.append(replace(fault, **left))
    return replace(failing, nodes=nodes, schedule=tuple(faults))


def _fewer(nodes: int) -> Iterator[int]:
    step = nodes // 2
    while step >= 1:
        yield nodes - step
        step //= 2


def _shorter(seconds: float) -> Iterator[float]:
    step = seconds / 2
    while step >= LEAST_SECONDS:
        yield round(seconds - step, 3)
        step /= 2


def as_test(failing: Failing, folder: Path) -> str:
    """A regression test of it, for pytest, to lie in this folder: it fails until the fault is mended.

    Of what it was too short for it says nothing.
    """
    path = Path(failing.scenario)
    is_file = path.suffix in (".py", ".toml")
    scenario = _written(failing.scenario)
    if is_file:  # wherever pytest is started
        scenario = f"str(Path(__file__).parent / {_written(os.path.relpath(path, folder))})"
    name = "".join(c if c.isalnum() else "_" for c in failing.check.lower()).strip("_")
    faults = "".join(f"    {_written(fault.to_json())},\n" for fault in failing.schedule)
    return f'''"""Found by a sweep of {failing.scenario}, and made small by `p2pnoise simulate shrink`."""

{"from pathlib import Path" + chr(10) * 2 if is_file else ""}from simulations import run

SCHEDULE = [
{faults}]


def test_{name}():
    outcome = run(
        {scenario},
        nodes={failing.nodes},
        seed={failing.seed},
        fidelity={_written(failing.fidelity)},
        parameters={_written(dict(failing.parameters))},
        schedule=SCHEDULE,
        seconds={failing.seconds!r},
    )
    assert [check for check in outcome.broken if check.decided] == []
'''


def _written(value: object) -> str:
    """As the house writes it: quoted doubly, unless that takes escapes."""
    text = repr(value)
    return text if '"' in text or "\\" in text else text.replace("'", '"')
