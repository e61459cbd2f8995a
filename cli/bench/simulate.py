"""`p2pnoise bench simulate`: how fast the simulator is on one core, and what memory it takes, against its own targets.

Each line is a process of its own, run once: its seconds are processor time, so that a busy machine is no slower, from
the first event until all know all; its memory is the most that it ever held. A node-second is one node for one virtual
second, counted over the virtual seconds after all knew all. The model's lines are one epidemic with 8 neighbours each.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from cli.bench.report import Case, Quartiles, Result, Target, at_least, at_most
from cli.bench.rounds import Progress
from cli.output import Fault, say

__all__ = ["NAMES", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What one process runs, and its targets at full size."""

    name: str
    nodes: int
    quick: int
    """How many nodes just to see that it runs."""
    scenario: str = "cold-start"
    fidelity: str = "messages"
    parameters: Mapping[str, int] = field(default_factory=dict)
    steady: float = 0.0
    """Virtual seconds that it goes on after all know all, to see what a network at rest costs."""
    seconds: float
    gibibytes: float | None = None
    rate: float | None = None


_JOBS = (
    _Job(name="bytes", fidelity="bytes", nodes=1_000, quick=12, seconds=60),
    _Job(name="messages", nodes=10_000, quick=50, seconds=180, gibibytes=2, steady=10, rate=20_000),
    _Job(name="messages-twice", nodes=20_000, quick=100, seconds=600),
    _Job(name="publishers", nodes=100_000, quick=200, scenario="few-publishers", seconds=240),
    _Job(name="model", fidelity="model", nodes=1_000_000, quick=10_000, seconds=1),
    _Job(name="model-large", fidelity="model", nodes=10_000_000, quick=100_000, seconds=10),
)
NAMES = tuple(job.name for job in _JOBS)


def run(*, quick: bool, only: Sequence[str], progress: Progress) -> list[Result]:
    """Measure the lines of these names, or all. What this installation cannot run is said, and left out."""
    jobs = [job for job in _JOBS if not only or job.name in only]
    results: list[Result] = []
    for number, job in enumerate(jobs):
        try:
            results += _results(job, _measured(job, quick=quick), quick=quick)
        except Fault as fault:
            say(f"{job.name}: {fault}")
        progress((number + 1) / len(jobs))
    if not results:
        raise Fault("nothing could be measured", 'see above; the model needs pip install "p2pnoise[sim]"')
    return results


def _measured(job: _Job, *, quick: bool) -> Mapping[str, float | None]:
    """What the process of a job says. Raises `Fault` where it has nothing to say."""
    told = {**asdict(job), "nodes": job.quick if quick else job.nodes}
    done = subprocess.run(  # noqa: S603
        (sys.executable, "-P", "-m", "cli.bench.simulated", json.dumps(told)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Fault((done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"])[-1])
    found: Mapping[str, float | None] = json.loads(done.stdout)
    return found


def _results(job: _Job, found: Mapping[str, float | None], *, quick: bool) -> list[Result]:
    nodes = job.quick if quick else job.nodes
    title = f"{job.fidelity}, {nodes:,} nodes" + (", 100 cards" if job.scenario == "few-publishers" else "")
    rows: tuple[tuple[str, str, str, float | None, Target], ...] = (
        ("until all know" if job.fidelity != "model" else "one epidemic", "s", "cpu", job.seconds, at_most(1.0)),
        ("memory", "GiB", "gibibytes", job.gibibytes, at_most(1.0)),
        ("at rest", "node-s/s", "rate", job.rate, at_least(1.0)),
    )
    results = []
    for what, unit, measured, limit, target in rows:
        value = found[measured]
        if value is None:
            continue
        compared = limit is not None and not quick  # a target is one at its size
        name = f"{title}: {what}" + (f" / {limit:,g} {unit}" if compared else "")
        case = Case(name=name, ours=job.name, other="", unit=unit, target=target if compared else None)
        other = Quartiles.of([limit]) if compared and limit is not None else None
        results.append(Result("simulate", case, Quartiles.of([value]), other, rounds=1))
    return results
