"""One line of `p2pnoise bench simulate`, by itself: `python -m cli.bench.simulated JOB`, which answers in JSON.

What it cannot run is one line on stderr.
"""

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

_GIB = 1 << 30


def main(job: dict[str, Any]) -> dict[str, float | None]:
    """CPU seconds until all know, node-seconds per CPU second at rest, and the most memory that it took."""
    gc.freeze()
    if job["fidelity"] == "model":
        cpu, rate = _epidemic(job["nodes"]), None
    else:
        cpu, rate = _network(job)
    return {"cpu": cpu, "rate": rate, "gibibytes": _peak() / _GIB}


def _network(job: dict[str, Any]) -> tuple[float, float | None]:
    from p2pnoise.instant import SECOND, ns  # noqa: PLC0415 - not for the model
    from simulations import begin  # noqa: PLC0415
    from simulations.experiment import LOOK  # noqa: PLC0415

    begun = time.process_time()
    with begin(job["scenario"], nodes=job["nodes"], fidelity=job["fidelity"], parameters=job["parameters"]) as running:
        while not running.over:
            running.advance(running.now + LOOK)
        cpu = time.process_time() - begun
        if running.now >= ns(running.scenario.seconds):
            raise TimeoutError(f"not all know all within {running.scenario.seconds:g} virtual seconds")
        if not job["steady"]:
            return cpu, None
        since, end = running.now, min(running.now + ns(job["steady"]), ns(running.scenario.seconds))
        begun = time.process_time()
        while running.now < end:
            running.advance(running.now + LOOK)
        spent = time.process_time() - begun
        return cpu, job["nodes"] * ((running.now - since) / SECOND) / spent


def _epidemic(nodes: int) -> float:
    from simulations.model.epidemic import Epidemic  # noqa: PLC0415 - numpy is an extra

    begun = time.process_time()
    Epidemic(nodes=nodes, graph="neighbours").run(1, rounds=200)
    return time.process_time() - begun


def _peak() -> float:
    """Bytes. Of this process alone: what `getrusage` says begins with what its parent held."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            float(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024
        )
    import resource  # noqa: PLC0415 - Unix alone has it

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most) * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.loads(sys.argv[1]))))
    except Exception as error:  # noqa: BLE001 - the one that asked says why
        sys.exit(f"{type(error).__name__}: {error}")
