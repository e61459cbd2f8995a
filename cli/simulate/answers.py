"""Answers: the outcome of one run, as people and programs read it and as files keep it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from cli import files
from cli.output import answer, answer_json, rows, say

if TYPE_CHECKING:
    from simulations import Outcome
    from simulations.outcome import Check


def tell(outcome: "Outcome", *, begun: float, out: Path | None, html: Path | None, force: bool, as_json: bool) -> None:
    """Answer, and write what was asked for; `begun` is when the run did, by time.perf_counter."""
    wall = time.perf_counter() - begun
    if out is not None:
        files.write(out, (outcome.line() + "\n").encode(), secret=False, force=force)
    if html is not None:
        from simulations.report import write  # noqa: PLC0415 - matplotlib takes a second
        from simulations.sweep.software import made_here  # noqa: PLC0415

        write([outcome], html, made=made_here(outcome), force=force)
    if as_json:
        answer_json(outcome.to_json())
    else:
        answer(*_lines(outcome))
        say(f"took {wall:.1f} s of real time")


def _lines(outcome: "Outcome") -> list[str]:
    """What people read of one run."""
    from simulations.report import fidelity  # noqa: PLC0415 - not for --help

    checks = [(check.name, _verdict(check)) for check in outcome.checks]
    figures = [(name.replace("_", " "), _figure(value)) for name, value in outcome.metrics.items()]
    size = (
        f"{outcome.nodes} nodes, seed {outcome.seed}, {outcome.fidelity}, {outcome.virtual_seconds:g} virtual seconds"
    )
    return [
        f"{outcome.scenario}: {size}",
        *(f"    {caution}" for caution in fidelity.of(outcome.fidelity, outcome.notes).cautions),
        *rows(*checks, *figures, ("trace hash", outcome.trace_hash), indent="    "),
    ]


def _verdict(check: "Check") -> str:
    if check.holds:
        return "holds"
    if not check.decided:
        return f"NOT DECIDED: {check.detail}"
    return f"BROKEN{f' at {check.at} s' if check.at is not None else ''}: {check.detail}"


def _figure(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"
