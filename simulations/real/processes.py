"""Processes: one real run of a network, from outside: started, waited for, and gone afterwards whatever happens."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulations.outcome import Value
from simulations.scenario import ScenarioError, find

from . import netns
from .measuring import Figures
from .plan import loopback, make_plan
from .tun_relay import RelayLaw

__all__ = ["RealRun", "run_processes"]

MOST = 200  # processes; a guess: some 20 MB each
GOODBYE = 10.0  # seconds that a fleet has to end all that it began
SLACK = 90.0  # seconds that starting and ending them may take


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRun:
    """What one run of processes found."""

    seed: int
    figures: tuple[Figures, ...]
    missing: tuple[int, ...]
    """Nodes that said nothing, because they failed or had no time."""
    busy: float | None
    """The share of all processors' time in which they worked, on whatever, until all knew all; None: not known."""
    cpu_seconds: float
    """Of all the processes of the network."""
    round_trips: tuple[float, ...]
    """Seconds from a ping to its answer, over links of the network."""

    @property
    def whole(self) -> bool:
        """Whether all nodes told what they did, and knew all in time."""
        return not self.missing and all(one.knew_all_after is not None for one in self.figures)


def run_processes(
    name: str, *, nodes: int, seed: int, parameters: Mapping[str, Value], relay: RelayLaw | None = None
) -> RealRun:
    """A network of processes on loopback, or in namespaces with a relay between them.

    It takes as long as the scenario says, and some seconds more. Raises ScenarioError where this machine, or a process,
    cannot be that network.
    """
    _check(name, nodes, parameters, relay)
    seconds = find(name).with_parameters(parameters).seconds + SLACK
    with tempfile.TemporaryDirectory(prefix="p2pnoise-real-") as folder:
        order = {
            "scenario": name,
            "parameters": dict(parameters),
            "nodes": nodes,
            "seed": seed,
            "folder": folder,
            "relay": asdict(relay) if relay is not None else None,
        }
        said, complaint = _lead(json.dumps(order) + "\n", seconds)
    try:
        return _read(seed, json.loads(said))
    except ValueError:
        why = complaint.strip().rpartition("\n")[2] or "it said nothing"
        raise ScenarioError(f"the real run of seed {seed} failed: {why}", "run it again, or with fewer nodes") from None


def _lead(order: str, seconds: float) -> tuple[str, str]:
    """Give a fleet its order; what it said in the end, and what it complained of."""
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [sys.executable, "-m", "simulations.real.fleet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=Path(__file__).parents[2],
            text=True,
        ) as fleet,
    ):
        assert fleet.stdin is not None  # noqa: S101 - they are pipes
        assert fleet.stdout is not None  # noqa: S101
        overdue = threading.Timer(seconds, fleet.kill)
        overdue.start()
        try:
            # Its standard input stays open meanwhile: that it ends is how the fleet hears that we are gone.
            fleet.stdin.write(order)
            fleet.stdin.flush()
            said = fleet.stdout.readline()
        finally:
            fleet.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                fleet.wait(GOODBYE)
            fleet.kill()
            overdue.cancel()
        complaints.seek(0)
        return said, complaints.read()


def _check(name: str, nodes: int, parameters: Mapping[str, Value], relay: RelayLaw | None) -> None:
    if sys.platform == "win32":
        raise ScenarioError("real runs fork processes, which Windows cannot", "run it on Linux or macOS")
    most = min(MOST, netns.MOST) if relay is not None else MOST
    if not 1 <= nodes <= most:
        raise ScenarioError(f"{nodes} real nodes, at most {most}", "take fewer")
    why = netns.impossible() if relay is not None else None
    if why is not None:
        raise ScenarioError(f"no relay between namespaces: {why}", "leave it out: then all is on loopback")
    make_plan(find(name).with_parameters(parameters), nodes, 1, loopback(nodes))


def _read(seed: int, found: dict[str, Any]) -> RealRun:
    figures = tuple(Figures(**one) for one in found["figures"])
    until = max((one.knew_all_after or 0.0 for one in figures), default=0.0)
    shares = [share for second, share in found["busy"] if 0 <= second <= until]
    return RealRun(
        seed=seed,
        figures=figures,
        missing=tuple(found["missing"]),
        busy=round(sum(shares) / len(shares), 3) if shares else None,
        cpu_seconds=round(found["cpu_seconds"], 2),
        round_trips=tuple(found["round_trips"]),
    )
