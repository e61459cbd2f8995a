"""Validating: one scenario as real processes and as simulated nodes, and whether both did the same.

    1. real runs, one for each seed: keys, cards, who knows whom and who starts when are the seed's
    2. what a round trip took in them becomes the law of the simulated lines
    3. simulated runs, of the same seeds and more
    4. each figure of each node, compared up to the same event: the moment at which that node knew all

A real run during which the processors were busy for half of the time or more says nothing: it was slow because the
machine was. Without any valid one there is no verdict.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulations.outcome import Value
from simulations.scenario import Fidelity, ScenarioError

from .measuring import Figures
from .processes import RealRun, run_processes
from .simulated import simulate
from .statistics import Comparison, Margins, compare, quantile
from .tun_relay import RelayLaw

__all__ = ["MAX_BUSY", "SCENARIO", "Validation", "is_valid", "validate"]

SCENARIO = "like-reality"
MAX_BUSY = 0.5  # the share of all processors' time from which on a real run is invalid
SECONDS_A_START = 0.4  # between two starts: a process that starts is at work for a fifth of a second
_TIMES = Margins(median=0.10, p95=0.15, least=0.005)
_COUNTS = Margins(median=0.10, p95=0.15)
_BYTES = Margins(median=0.05, p95=0.15)

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What came of it."""

    nodes: int
    fidelity: Fidelity
    relay: RelayLaw | None
    parameters: Mapping[str, Value]
    """Of the simulated runs, the calibrated law among them."""
    real: tuple[RealRun, ...]
    simulated_seeds: int
    comparisons: tuple[Comparison, ...]

    @property
    def valid_runs(self) -> int:
        return sum(is_valid(run) for run in self.real)

    @property
    def used_all(self) -> bool:
        """Whether invalid runs were compared, since there were no others."""
        return self.valid_runs == 0

    @property
    def accepted(self) -> bool | None:
        """Whether the simulator does as reality does; None where reality was not itself."""
        if self.used_all:
            return None
        return all(one.near and one.one_law for one in self.comparisons)

    def to_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "nodes": self.nodes,
            "fidelity": self.fidelity,
            "relay": None
            if self.relay is None
            else {"delay": self.relay.delay, "jitter": self.relay.jitter, "loss": self.relay.loss},
            "parameters": dict(self.parameters),
            "real_runs": [
                {
                    "seed": run.seed,
                    "valid": is_valid(run),
                    "busy": run.busy,
                    "cpu_seconds": run.cpu_seconds,
                    "missing": list(run.missing),
                    "round_trip_median": quantile(run.round_trips, 0.5),
                }
                for run in self.real
            ],
            "simulated_seeds": self.simulated_seeds,
            "figures": [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "real": {
                        "median": quantile(one.real, 0.5),
                        "p95": quantile(one.real, 0.95),
                        "count": len(one.real),
                    },
                    "simulated": {
                        "median": quantile(one.simulated, 0.5),
                        "p95": quantile(one.simulated, 0.95),
                        "count": len(one.simulated),
                    },
                    "median_off": one.off(0.5),
                    "p95_off": one.off(0.95),
                    "within_margins": one.near,
                    "distance": one.distance,
                    "probability": one.probability,
                    "one_law": one.one_law,
                }
                for one in self.comparisons
            ],
        }


def validate(
    *,
    nodes: int,
    runs: int,
    seeds: int,
    fidelity: Fidelity = "bytes",
    relay: RelayLaw | None = None,
    start: float | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> Validation:
    """Run and compare: `runs` real ones and `seeds` simulated ones. All start within `start` seconds.

    Raises ScenarioError where this machine cannot, or no real run was whole.
    """
    parameters: dict[str, Value] = {"start": SECONDS_A_START * nodes if start is None else start}
    if relay is not None:
        parameters["loss"] = relay.loss
    real = []
    for seed in range(1, runs + 1):
        progress("real runs", seed - 1, runs)
        real.append(run_processes(SCENARIO, nodes=nodes, seed=seed, parameters=parameters, relay=relay))
    usable = [run for run in real if is_valid(run)] or [run for run in real if run.whole]
    if not usable:
        raise ScenarioError("in no real run did all processes come to know all", "give them longer: a larger --start")
    parameters |= _law([one for run in usable for one in run.round_trips])
    simulated = []
    for seed in range(1, seeds + 1):
        progress("simulated runs", seed - 1, seeds)
        simulated.append(simulate(SCENARIO, nodes=nodes, seed=seed, parameters=parameters, fidelity=fidelity))
    return Validation(
        nodes=nodes,
        fidelity=fidelity,
        relay=relay,
        parameters=parameters,
        real=tuple(real),
        simulated_seeds=seeds,
        comparisons=tuple(_compare([run.figures for run in usable], simulated)),
    )


def is_valid(run: RealRun) -> bool:
    """Whether a real run says anything: all knew all, and the machine had room for them."""
    return run.whole and (run.busy is None or run.busy < MAX_BUSY)


def _law(round_trips: Sequence[float]) -> dict[str, Value]:
    """The lines of a simulated network on which round trips take as long as these, but for the slowest tenth."""
    if not round_trips:
        raise ScenarioError("no round trip was measured in the real runs", "give them longer: a larger --start")
    low, high = quantile(round_trips, 0.1) / 2, quantile(round_trips, 0.9) / 2
    return {"latency": round(low, 6), "jitter": round(high - low, 6)}


def _compare(real: Sequence[Sequence[Figures]], simulated: Sequence[Sequence[Figures]]) -> list[Comparison]:
    both = [[_Run(run) for run in real], [_Run(run) for run in simulated]]
    figures = (
        ("knows all after the last start", "s", _Run.knowing, _TIMES),
        ("bytes sent until then", "bytes", _Run.bytes_sent, _BYTES),
        ("messages sent until then", "", _Run.messages, _COUNTS),
        ("offers of what it held already", "share", _Run.duplicates, _COUNTS),
        ("links", "", _Run.links, _COUNTS),
        ("notices that a peer was killed after", "s", _Run.noticing, _TIMES),
    )
    samples = [[[one for run in runs for one in of(run)] for runs in both] for _, _, of, _ in figures]
    return compare(
        [
            (name, unit, ours, theirs, margins)
            for (name, unit, _, margins), (ours, theirs) in zip(figures, samples, strict=True)
        ]
    )


class _Run:
    """The figures of one run, ready to be compared."""

    def __init__(self, figures: Sequence[Figures]) -> None:
        self._figures = figures
        self._last = max(one.listening_after for one in figures)  # before that nobody can know all

    def knowing(self) -> list[float]:
        return [one.knew_all_after - self._last for one in self._figures if one.knew_all_after is not None]

    def bytes_sent(self) -> list[float]:
        return [float(one.bytes_sent) for one in self._figures]

    def messages(self) -> list[float]:
        return [float(one.messages_sent) for one in self._figures]

    def duplicates(self) -> list[float]:
        return [one.duplicates for one in self._figures if one.duplicates is not None]

    def links(self) -> list[float]:
        return [float(one.links) for one in self._figures]

    def noticing(self) -> list[float]:
        return [one.noticed_after for one in self._figures if one.noticed_after is not None]
