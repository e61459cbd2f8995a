"""Report: what runs found, as one HTML file that works offline, and two of them side by side.

    from simulations import report, results
    report.write(results.read("sweeps/join"), Path("join.html"))

The file asks for nothing outside itself, runs no script that shows anything, and is the same bytes for the same
outcomes and the same matplotlib. Drawing needs the extra `sim`; comparing numbers does not.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from p2pnoise.folder.fault import Fault
from p2pnoise.folder.writing import check_target
from p2pnoise.folder.writing import write as write_file
from simulations.outcome import Outcome
from simulations.results import Failure

from .comparison import Comparison, Pair, compare

__all__ = ["Comparison", "Pair", "check", "compare", "write", "write_comparison"]

_NEEDED = ("matplotlib", "jinja2", "igraph", "numpy")


def check(path: Path, *, force: bool = False) -> None:
    """Raises `Fault` where `write` would, before a run that takes minutes rather than after it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise Fault(f"a report needs {', '.join(missing)}", 'pip install "p2pnoise[sim]"')
    check_target(path, force=force)


def write(
    outcomes: Sequence[Outcome],
    path: Path,
    *,
    failures: Sequence[Failure] = (),
    made: Mapping[str, str] | None = None,
    force: bool = False,
) -> None:
    """The report of these outcomes at `path`; what is there is replaced with `force` alone. Raises `Fault`.

    `failures` are the runs of a sweep that have no outcome; what is left out of a report would be taken for good.
    `made` says with what they were made, in names and hashes; see `simulations.sweep.software.made`.
    """
    check(path, force=force)
    if not outcomes and not failures:
        raise Fault("there is no outcome to report", "run the scenario first")
    from .page import report  # noqa: PLC0415 - matplotlib is for those who draw

    write_file(path, report(outcomes, failures, made or {}).encode(), force=force)


def write_comparison(comparison: Comparison, path: Path, *, force: bool = False) -> None:
    """As `write`, for two runs or sweeps side by side. Raises `Fault`."""
    check(path, force=force)
    from .page import comparison_page  # noqa: PLC0415

    write_file(path, comparison_page(comparison).encode(), force=force)
