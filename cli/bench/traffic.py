"""The lines of `p2pnoise bench gossip` about networks: what a node at rest sends, and how often it is told what it has.

Simulated, with one seed, so that the figures are the same every time. The nodes at rest are whole ones with real
handshakes, in networks of two sizes: what one sends must not grow with them. The others are of the message world.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.bench.report import Case, Quartiles, Result, at_most
from cli.bench.rounds import Progress
from simulations import run as simulate
from simulations.scenario import Fidelity

__all__ = ["run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A figure of a scenario, and its limit."""

    name: str
    scenario: str
    nodes: int
    quick: int
    metric: str
    unit: str
    limit: float
    fidelity: Fidelity = "messages"
    parameters: Mapping[str, int] = field(default_factory=dict)


def _at_rest(nodes: int, quick: int) -> _Line:
    return _Line(
        name="at rest: sent",
        scenario="steady-state",
        nodes=nodes,
        quick=quick,
        metric="idle_bytes_per_second",
        unit="B/s",
        limit=200,
        fidelity="bytes",
        parameters={"minutes": 2},
    )


def _copies(scenario: str, limit: float, **parameters: int) -> _Line:
    return _Line(
        name=f"{scenario}: copies of an item too many",
        scenario=scenario,
        nodes=60,
        quick=20,
        metric="steady_redundancy",
        unit="copies",
        limit=limit,
        parameters=parameters,
    )


_LINES = (_at_rest(12, 6), _at_rest(48, 12), _copies("news", 0.5), _copies("churn", 1.0, minutes=2))


def run(*, quick: bool, progress: Progress) -> list[Result]:
    """Simulate every line; a few seconds each. Raises `RuntimeError` where there was nothing to count."""
    results = []
    for number, line in enumerate(_LINES):
        nodes = line.quick if quick else line.nodes
        outcome = simulate(line.scenario, nodes=nodes, fidelity=line.fidelity, parameters=line.parameters)
        value = outcome.metrics.get(line.metric)
        if value is None:
            raise RuntimeError(f"{line.scenario} of {nodes} nodes has no {line.metric}")
        name = f"{nodes} nodes, {line.name}"
        case = Case(name=f"{name} / {line.limit:g}", ours=name, other="", unit=line.unit, target=at_most(1.0))
        other = Quartiles.of([line.limit])
        results.append(Result("gossip", case, Quartiles.of([value]), other, rounds=1))
        progress((number + 1) / len(_LINES))
    return results
