"""`p2pnoise simulate validate`: the simulator against real processes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import Fault, answer, answer_json, columns, say

from .options import faults

if TYPE_CHECKING:
    from simulations.scenario import Fidelity

_SECOND = click.FloatRange(0, 10)


@click.command()
@click.option(
    "--nodes", type=click.IntRange(2, 200), default=20, show_default=True, help="how many, real and simulated"
)
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="how many real runs")
@click.option("--seeds", type=click.IntRange(1, 10_000), default=30, show_default=True, help="how many simulated runs")
@click.option(
    "--fidelity",
    type=click.Choice(["bytes", "virtual"]),
    default="bytes",
    show_default=True,
    help="of the simulated runs; virtual: the daemon's own driver",
)
@click.option("--delay", type=_SECOND, metavar="SECONDS", help="one way, by a relay between network namespaces (Linux)")
@click.option("--jitter", type=_SECOND, default=0.0, metavar="SECONDS", help="by which the relay's delay is off")
@click.option(
    "--loss", type=click.FloatRange(0, 0.5), default=0.0, metavar="SHARE", help="of packets, lost by the relay"
)
@click.option(
    "--start",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="within which all start; 0.4 for each if left out",
)
@click.option("--page", type=options.PATH, metavar="FILE", help="write the result there as a page, in Markdown")
@options.as_json
def command(
    *,
    nodes: int,
    runs: int,
    seeds: int,
    fidelity: "Fidelity",
    delay: float | None,
    jitter: float,
    loss: float,
    start: float | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Compare the simulator with real processes on this machine.

    The same network is run both ways: as real processes with TCP sockets, and simulated. Compared are, for each node,
    the time until it knows all, bytes and messages sent until then, redundant offers, links, and how soon it notices
    that a peer was killed. With --delay the processes live in network namespaces of their own, and a relay makes the
    lines between them long.

    A real run on a machine that is busy says nothing; without one that says something there is no verdict. The exit
    code is 1 where the simulator is off, and without a verdict.

    \b
    Examples:
      p2pnoise simulate validate
      p2pnoise simulate validate --nodes 40 --delay 0.05 --jitter 0.005
      p2pnoise simulate validate --runs 2 --seeds 5 --json
    """
    from simulations.real import page as pages  # noqa: PLC0415 - not for --help
    from simulations.real.tun_relay import RelayLaw  # noqa: PLC0415
    from simulations.real.validating import validate  # noqa: PLC0415

    if delay is None and (jitter or loss):
        raise click.UsageError("--jitter and --loss are of the relay, which --delay asks for")
    relay = RelayLaw(delay=delay, jitter=jitter, loss=loss) if delay is not None else None
    with faults(), _progress() as progress:
        found = validate(
            nodes=nodes, runs=runs, seeds=seeds, fidelity=fidelity, relay=relay, start=start, progress=progress
        )
    if page is not None:
        page.write_text(pages.page([found]))
    if as_json:
        answer_json(found.to_json())
    else:
        answer(f"{nodes} nodes, {runs} real runs, {seeds} simulated", *columns(*pages.table(found)))
        say(pages.verdict(found))
    if found.accepted is None:
        raise Fault(
            f"none of {runs} real runs is valid: the machine was busy",
            "run it again when the machine has nothing else to do",
            code=1,
        )
    if not found.accepted:
        raise Fault(
            "the simulator does not do as reality does", "see the table: what is far, or of another law", code=1
        )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _all: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=1)
        yield lambda what, done, all_: bar.update(task, description=what, completed=done, total=all_)
