"""`p2pnoise simulate run`: one scenario, once."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import Fault

from .answers import tell
from .bars import bar
from .options import as_command, check_files, faults, find_and_forecast, of_one_run, to_html

if TYPE_CHECKING:
    from simulations import Outcome
    from simulations.scenario import Fidelity


@click.command()
@click.argument("scenario")
@of_one_run
@click.option("--out", type=options.PATH, metavar="FILE", help="write the outcome there, to replay, shrink and compare")
@to_html
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
    force: bool,
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
    from simulations import run  # noqa: PLC0415 - not for --help

    check_files(html=html, out=out, force=force)
    begun = time.perf_counter()
    with faults(), progress_bar() as progress:
        outcome = run(
            find_and_forecast(scenario, nodes=nodes, fidelity=fidelity, parameters=parameters),
            nodes=nodes,
            seed=seed,
            fidelity=fidelity,
            parameters=parameters,
            progress=progress,
        )
    tell(outcome, begun=begun, out=out, html=html, force=force, as_json=as_json)
    if not outcome.ok and as_json:
        sys.exit(1)  # the outcome is the answer, and the only one
    if not outcome.ok:
        undecided = sum(not check.decided for check in outcome.broken)
        told = [(len(outcome.broken) - undecided, "do not hold"), (undecided, "are not decided")]
        raise Fault(
            ", ".join(f"{count} of {len(outcome.checks)} checks {what}" for count, what in told if count),
            f"look inside with: p2pnoise simulate replay --until SECONDS {_repeat(outcome)}",
            code=1,
        )


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
    """What hears the virtual seconds that have passed, and how many there will be at most."""
    with bar("virtual {task.completed:8.2f} s of at most {task.total:g}") as tell_bar:
        yield lambda now, end: tell_bar(completed=now, total=end)
