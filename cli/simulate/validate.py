"""`p2pnoise simulate validate`: the simulator against real processes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import files, options
from cli.output import Fault, answer, answer_json, columns, say

from .bars import bar
from .options import NumberRange, faults

if TYPE_CHECKING:
    from simulations.scenario import Fidelity


_SECONDS = NumberRange(0, 10)


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
@click.option(
    "--over",
    type=click.Choice(["both", "loopback", "relay"]),
    default="both",
    show_default=True,
    help="loopback, or namespaces with a relay between them, where the machine allows",
)
@click.option(
    "--delay", type=_SECONDS, default=0.05, show_default=True, metavar="SECONDS", help="of the relay, one way"
)
@click.option(
    "--jitter", type=_SECONDS, default=0.005, show_default=True, metavar="SECONDS", help="by which its delay is off"
)
@click.option(
    "--loss",
    type=NumberRange(0, 0.5),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="of packets, lost by the relay",
)
@click.option(
    "--start",
    type=NumberRange(0, 3600),
    metavar="SECONDS",
    help="within which all start; 0.4 for each if left out",
)
@click.option("--page", type=options.PATH, metavar="FILE", help="write the result there as a page, in Markdown")
@options.force
@options.as_json
def command(
    *,
    nodes: int,
    runs: int,
    seeds: int,
    fidelity: "Fidelity",
    over: str,
    delay: float,
    jitter: float,
    loss: float,
    start: float | None,
    page: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare the simulator with real processes on this machine.

    The same network is run both ways: as real processes with TCP sockets, and simulated. Compared are, for each node,
    the time until it knows all, bytes and messages sent until then, redundant offers, links, and how soon it notices
    that a peer was killed. The processes meet on loopback; and on Linux, where it may be, in network namespaces of
    their own, with a relay between them that makes their lines long. With the defaults it takes some ten minutes.

    A real run on a machine that is busy says nothing; without one that says something there is no verdict. The exit
    code is 1 where the simulator is off, and without a verdict.

    \b
    Examples:
      p2pnoise simulate validate
      p2pnoise simulate validate --nodes 40 --over relay --delay 0.1
      p2pnoise simulate validate --over loopback --runs 2 --seeds 5 --json
    """
    from simulations.real import page as pages  # noqa: PLC0415 - not for --help
    from simulations.real.tun_relay import RelayLaw  # noqa: PLC0415
    from simulations.real.validating import validate  # noqa: PLC0415

    if page is not None:
        files.check_target(page, force=force)
    relays: list[RelayLaw | None] = [] if over == "relay" else [None]
    if over == "relay" or (over == "both" and _has_relay()):
        relays.append(RelayLaw(delay=delay, jitter=jitter, loss=loss))
    with faults(), _progress() as progress:
        found = [
            validate(
                nodes=nodes, runs=runs, seeds=seeds, fidelity=fidelity, relay=relay, start=start, progress=progress
            )
            for relay in relays
        ]
    if page is not None:
        files.write(page, pages.page(found).encode(), force=force)
    if as_json:
        answer_json([one.to_json() for one in found])
    else:
        for one in found:
            answer(pages.title(one), *columns(*pages.table(one)), "")
            say(pages.verdict(one))
    if as_json and not all(one.accepted for one in found):
        sys.exit(1)  # what was found is the answer, and the only one
    if any(one.accepted is False for one in found):
        raise Fault(
            "the simulator does not do as reality does", "see the table: what is far, or of another law", code=1
        )
    if any(one.accepted is None for one in found):
        raise Fault(
            "there is no verdict: the machine was busy", "run it again when the machine has nothing else to do", code=1
        )


def _has_relay() -> bool:
    """Whether there can be one; where not, says why."""
    from simulations.real.netns import impossible  # noqa: PLC0415 - not for --help

    why = impossible()
    if why is not None:
        say(f"on loopback alone: {why}")
    return why is None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """What hears which runs are under way, how many are done, and how many there are."""
    with bar("{task.description}", "{task.completed} of {task.total}") as tell:
        yield lambda what, done, all_: tell(description=what, completed=done, total=all_)
