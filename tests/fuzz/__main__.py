"""Runs the fuzz targets under atheris: python -m tests.fuzz [--minutes M] [TARGET...]

The minutes are shared out evenly, one target after the other. What breaks a rule is kept in the target's corpus, where
the tests run it again. The last line counts executions and findings; exit code 1 if there is a finding, or a target
that could not run.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
GROWN = ROOT / ".fuzz"
"""What a campaign finds worth keeping on this machine, to begin with the next time."""

_EXECUTIONS = re.compile(r"stat::number_of_executed_units: *(\d+)")
_SLOWEST = 10  # seconds for one input of at most two thousand bytes; all take milliseconds
_MEMORY = 1024  # MB for a process; about 100 are usual


def fuzz(name: str, seconds: int) -> None:
    """Runs one target in this process until its time is up or something is found; does not return."""
    import atheris  # noqa: PLC0415 - from the dependency group `fuzz`, which only this needs

    with atheris.instrument_imports(include=["p2pnoise", "cards"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented while it is imported

    target = TARGETS[name]
    kept, grown = CORPUS / name, GROWN / name
    kept.mkdir(parents=True, exist_ok=True)
    grown.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "max_len": target.longest,
        "timeout": _SLOWEST,
        "rss_limit_mb": _MEMORY,
        "artifact_prefix": f"{kept}/",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    arguments = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(grown), str(kept)], lambda data: target.run(data) and None)
    atheris.Fuzz()


def run(name: str, seconds: int) -> tuple[int, bool]:
    """One target in a process of its own: how often it was executed, and whether all went well."""
    before = set((CORPUS / name).glob("*"))
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, "--seconds", str(seconds)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    counted = _EXECUTIONS.search(result.stderr)
    executions = int(counted[1]) if counted else 0
    if result.returncode or not executions:
        told = [line for line in (result.stdout + result.stderr).splitlines() if not line.startswith(("INFO", "WARN"))]
        sys.stderr.write("\n" + "\n".join(told) + "\n")
        for path in sorted(set((CORPUS / name).glob("*")) - before):
            sys.stderr.write(f"kept {path.relative_to(ROOT)}: `make test` fails on it until it is mended\n")
        return executions, False
    return executions, True


def main() -> int:
    """Runs all targets that are named, or all; the exit code."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - a process that fuzzes imports them instrumented

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given = parser.parse_args()
    unknown = sorted(set(given.targets) - set(TARGETS))
    if unknown or given.minutes <= 0:
        parser.error(f"no target {', '.join(unknown)}" if unknown else f"{given.minutes} minutes, more than 0 needed")
    names = given.targets or list(TARGETS)
    seconds = max(1, round(given.minutes * 60 / len(names)))
    total = 0
    failed = []
    for number, name in enumerate(names, 1):
        sys.stdout.write(f"[{number:2}/{len(names)}] {name:22} {seconds:5} s ")
        sys.stdout.flush()
        executions, well = run(name, seconds)
        total += executions
        failed += [] if well else [name]
        sys.stdout.write(f"{executions:12,} executions{'' if well else ', FINDING'}\n")
    what = f"findings in {', '.join(failed)}" if failed else "no findings"
    sys.stdout.write(f"{total:,} executions of {len(names)} targets, {what}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["--one"]:
            fuzz(sys.argv[2], int(sys.argv[4]))
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stdout.write("\nstopped\n")
        sys.exit(130)
