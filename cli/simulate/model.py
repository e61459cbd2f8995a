"""`p2pnoise simulate model`: epidemics of a million nodes, as arrays."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import Fault

from .answers import tell
from .options import NumberRange, check_files, to_html

if TYPE_CHECKING:
    from simulations import Outcome
    from simulations.model.epidemic import Graph

_MAX_NODES = 100_000_000  # `neighbours` takes 40 bytes for each
_MAX_CONTACTS = 8  # as simulations.model.epidemic says, which --help does not wait for


def _nodes(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    """A number, also of the form 1e6."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (2 <= number <= _MAX_NODES and number == int(number)):
        raise click.BadParameter(f"{value!r} is no number from 2 to {_MAX_NODES:,}, such as 1000000 or 1e6")
    return int(number)


@click.command()
@click.option("--nodes", default="1e6", show_default=True, callback=_nodes, help="how many")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="the same seed, the same counts")
@click.option(
    "--loss",
    type=NumberRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="share of contacts that are lost",
)
@click.option(
    "--dead",
    type=NumberRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="share of nodes that never take part",
)
@click.option(
    "--graph",
    type=click.Choice(["uniform", "neighbours"]),
    default="uniform",
    show_default=True,
    help="whom a node contacts: anybody, or one of 8 that it was given",
)
@click.option(
    "--contacts",
    type=click.IntRange(1, _MAX_CONTACTS),
    default=1,
    show_default=True,
    help="how many contacts a node makes in a round",
)
@click.option(
    "--period",
    type=NumberRange(0, 86400, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="how long a round takes, in virtual time",
)
@click.option("--rounds", type=click.IntRange(1, 10_000), default=200, show_default=True, help="after which it ends")
@click.option(
    "--fit",
    "fits",
    type=options.PATH,
    multiple=True,
    metavar="FOLDER",
    help="a sweep of spread: fit to the smallest size, compare with the others; may be given several times",
)
@click.option("--out", type=options.PATH, metavar="FILE", help="write the outcome there")
@to_html
@options.as_json
def command(
    *,
    nodes: int,
    seed: int,
    loss: float,
    dead: float,
    graph: "Graph",
    contacts: int,
    period: float,
    rounds: int,
    fits: tuple[Path, ...],
    out: Path | None,
    html: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Model how one thing spreads among a million nodes. No code of a node runs in it.

    In each round every node contacts others, and both then know what either did. With --fit, what looks most like what
    the message world found of the scenario spread, at its smallest size, is compared with what was found at the others,
    and says what it would be with --nodes. It needs numpy: the extra `sim`.

    \b
    Examples:
      p2pnoise simulate model --nodes 1e6 --loss 0.1
      p2pnoise simulate model --nodes 1e7 --graph neighbours --json
      p2pnoise simulate model --nodes 1e6 --fit sizes/1000 --fit sizes/10000 --html million.html
    """
    try:
        from simulations.model.epidemic import Epidemic  # noqa: PLC0415 - not for --help
        from simulations.model.modelling import modelled  # noqa: PLC0415
    except ImportError as error:
        raise Fault(f"{error.name} is not installed", 'pip install "p2pnoise[sim]"') from None
    check_files(html=html, out=out, force=force)
    begun = time.perf_counter()
    if fits:
        outcome = _predicted(fits, nodes=nodes, seed=seed)
    else:
        epidemic = Epidemic(nodes=nodes, loss=loss, dead=dead, graph=graph, contacts=contacts)
        outcome = modelled(epidemic, seed=seed, rounds=rounds, period=period)
    tell(outcome, begun=begun, out=out, html=html, force=force, as_json=as_json)
    if not outcome.ok:
        raise SystemExit(1)


def _predicted(paths: tuple[Path, ...], *, nodes: int, seed: int) -> "Outcome":
    from simulations import results  # noqa: PLC0415
    from simulations.model.fit import courses_of, fit  # noqa: PLC0415
    from simulations.model.modelling import predicted  # noqa: PLC0415

    smallest, *others = courses_of(one for path in paths for one in results.read(path))
    found = fit(smallest, seed=seed)
    compared = [found.compare(course, seed=seed) for course in others]
    return predicted(found, found.predict(nodes, seed=seed), compared, seed=seed)
