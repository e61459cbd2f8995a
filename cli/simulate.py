"""`p2pnoise simulate`: the same node by the hundred, in virtual time, repeatable bit for bit."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from . import options
from .output import Fault, answer, answer_json, rows, say


def _number(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):  # in no range, and in none of the comparisons that would say so
        raise click.BadParameter("not a number")
    return value


@click.command()
@click.option("--nodes", type=click.IntRange(1, 2000), default=100, show_default=True, help="how many nodes start")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="the same seed, the same bits")
@click.option(
    "--limit",
    type=click.FloatRange(1, 86400),
    default=120.0,
    show_default=True,
    callback=_number,
    metavar="SECONDS",
    help="virtual time after which an answer is given up",
)
@options.as_json
def command(*, nodes: int, seed: int, limit: float, as_json: bool) -> None:
    """Simulate a network of real nodes.

    Every node is the same code as p2pnoise run, with real handshakes and cards, in virtual time. The report says how
    long until all know all, what that costs in bytes, and how long one revocation takes to reach everybody. The trace
    hash covers every byte of every delivery: the same nodes and seed give the same hash on any machine.

    \b
    Examples:
      p2pnoise simulate --nodes 100 --seed 7
      p2pnoise simulate --nodes 30 --seed 1 --json
    """
    from simulations import Scenario, run  # noqa: PLC0415 - not for --help

    begun = time.perf_counter()
    with _progress(nodes) as progress:
        report = run(Scenario(nodes=nodes, seed=seed, limit=limit), progress=progress)
    wall = time.perf_counter() - begun
    if as_json:
        answer_json(report.to_json())
    else:
        converged, cut = report.converged_after, report.revoked_cut_after
        answer(
            f"{nodes} nodes, seed {seed}",
            *rows(
                ("all know all", f"after {converged} s" if converged is not None else f"not within {limit:g} s"),
                ("revoked card cut everywhere", f"after {cut} s" if cut is not None else "not reached"),
                (
                    "bytes sent per node",
                    f"median {report.bytes_per_node_median:,}  largest {report.bytes_per_node_max:,}",
                ),
                ("links per node", f"median {report.links_per_node_median:g}"),
                ("deliveries", f"{report.deliveries:,}"),
                ("trace hash", report.trace_hash),
                indent="    ",
            ),
        )
        say(f"took {wall:.1f} s of real time")
    if not report.ok:
        raise Fault("the network did not converge in time", "raise --limit, or look at the events with --json", code=1)


@contextmanager
def _progress(nodes: int) -> Iterator[Callable[[float, int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _now, _done: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    bar = Progress(
        TextColumn("virtual {task.fields[now]:6.2f} s"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} nodes"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=nodes, now=0.0)
        yield lambda now, done: bar.update(task, completed=done, now=now)
