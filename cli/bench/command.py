"""`p2pnoise bench`: the subcommands, and what they share: how long, and in which form."""

import math
from collections.abc import Callable
from typing import Any

import click

from cli import options

Command = Callable[..., Any]


def _number(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):  # in no range, and in none of the comparisons that would say so
        raise click.BadParameter("not a number")
    return value


def _seconds(default: float) -> Callable[[Command], Command]:
    return click.option(
        "--seconds",
        type=click.FloatRange(0.01, 3600),
        default=default,
        show_default=True,
        callback=_number,
        help="how long to measure, about; three rounds at least",
    )


@click.group()
def command() -> None:
    """Measure against what you would use instead, in one run, as ratios.

    Both sides are measured in turn, so that a busy machine is busy for both. It reports and asserts nothing: a target
    that is missed is a line of the table and no error.

    \b
    Examples:
      p2pnoise bench handshake
      p2pnoise bench handshake --json
    """


def _run(name: str, bench: Callable[..., Any], *, as_json: bool, **how: Any) -> None:
    from cli.bench.report import print_results  # noqa: PLC0415 - not for --help
    from cli.bench.rounds import progress_bar  # noqa: PLC0415

    with progress_bar(name, as_json=as_json) as progress:
        results = bench(progress=progress, **how)
    print_results(results, as_json=as_json)


@command.command()
@_seconds(10.0)
@options.as_json
def handshake(*, seconds: float, as_json: bool) -> None:
    """Handshakes without I/O, both sides in one process.

    XX and IK against the sum of their DH and key generations, done with the bare primitives; XX against noiseprotocol
    and dissononce where they are installed; XX against TLS 1.3 for information.

    \b
    Examples:
      p2pnoise bench handshake
      p2pnoise bench handshake --seconds 30 --json
    """
    from cli.bench import handshake as bench  # noqa: PLC0415 - not for --help

    _run("handshake", bench.run, seconds=seconds, as_json=as_json)
