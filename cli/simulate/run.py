"""`p2pnoise simulate run`: one scenario, once."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import Fault, answer, answer_json, rows, say

from .options import as_command, faults, of_one_run

if TYPE_CHECKING:
    from simulations import Outcome
    from simulations.scenario import Fidelity


@click.command()
@click.argument("scenario")
@of_one_run
@click.option("--out", type=options.PATH, metavar="FILE", help="write the outcome there, to replay, shrink and compare")
@click.option("--html", type=options.PATH, metavar="FILE", help="write a report there, for a browser")
@options.as_json
def command(
    *,
    scenario: str,
    nodes: int | None,
    seed: int,
    fidelity: "Fidelity | None",
    parameters: Mapping[str, bool | int | float | str],
    out: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Run a scenario once, and say what came of it.

    SCENARIO is a name of `p2pnoise simulate list`, or a .py or .toml file of one's own. The exit code is 1 where
    something that must hold, or that the scenario expects, does not.

    \b
    Examples:
      p2pnoise simulate run cold-start --nodes 100 --seed 7
      p2pnoise simulate run partition --set seconds=120 --html partition.html
      p2pnoise simulate run ./mine.toml --json
    """
    from cli import files  # noqa: PLC0415 - not for --help
    from simulations import run  # noqa: PLC0415

    if html is not None:
        from simulations.report import check  # noqa: PLC0415

        check(html)
    begun = time.perf_counter()
    with faults(), progress_bar() as progress:
        outcome = run(
            scenario,
            nodes=nodes,
            seed=seed,
            fidelity=fidelity,
            parameters=parameters,
            progress=progress,
        )
    wall = time.perf_counter() - begun
    if out is not None:
        files.write(out, (outcome.line() + "\n").encode(), secret=False, force=True)
    if html is not None:
        from simulations.report import write  # noqa: PLC0415 - matplotlib takes a second

        write([outcome], html)
    if as_json:
        answer_json(outcome.to_json())
    else:
        answer(*outcome_lines(outcome))
        say(f"took {wall:.1f} s of real time")
    if not outcome.ok and as_json:
        sys.exit(1)  # the outcome is the answer, and the only one
    if not outcome.ok:
        raise Fault(
            f"{len(outcome.broken)} of {len(outcome.checks)} checks do not hold",
            f"look inside with: p2pnoise simulate replay --until SECONDS {_repeat(outcome)}",
            code=1,
        )


def outcome_lines(outcome: "Outcome") -> list[str]:
    """What people read of one run."""
    checks = [
        (check.name, "holds" if check.holds else f"BROKEN at {check.at} s: {check.detail}") for check in outcome.checks
    ]
    figures = [(name.replace("_", " "), _figure(value)) for name, value in outcome.metrics.items()]
    size = (
        f"{outcome.nodes} nodes, seed {outcome.seed}, {outcome.fidelity}, {outcome.virtual_seconds:g} virtual seconds"
    )
    return [
        f"{outcome.scenario}: {size}",
        *rows(*checks, *figures, ("trace hash", outcome.trace_hash), indent="    "),
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def _repeat(outcome: "Outcome") -> str:
    again = as_command(
        outcome.scenario,
        nodes=outcome.nodes,
        seed=outcome.seed,
        fidelity=outcome.fidelity,
        parameters=outcome.parameters,
    )
    return again.removeprefix("p2pnoise simulate run ")


@contextmanager
def progress_bar() -> Iterator[Callable[[float, float], None]]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _now, _end: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    bar = Progress(
        TextColumn("virtual {task.completed:8.2f} s of at most {task.total:g}"),
        BarColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda now, end: bar.update(task, completed=now, total=end)
