"""Options that the verbs of `p2pnoise simulate` share, and how errors of the simulator become faults."""

import json
import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cards.findings import USAGE
from cli import options
from cli.output import Fault, say, span

if TYPE_CHECKING:
    from simulations import Outcome
    from simulations.forecast import Forecast
    from simulations.scenario import Fidelity, ScenarioFile

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_NODES = 200_000  # as simulations.scenario says, which --help does not wait for
MAX_OUTCOME = 64 * 1024 * 1024  # bytes; one of 10,000 nodes takes 2 MB
_OF_A_MODEL = {  # options by the parameters that they become
    "--loss": "loss",
    "--dead": "dead",
    "--graph": "graph",
    "--contacts": "contacts",
    "--period": "seconds_a_round",
}
FIDELITIES = ("bytes", "messages", "virtual")


class NumberRange(click.FloatRange):
    """Of numbers: what is none is in no range, although no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("not a number", param, ctx)
        return number


def _parameters(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE, each a truth value, a number or a text."""
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{one!r} is not of the form NAME=VALUE")
        values[name] = _value(text)
    return values


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return text


def of_parameters(function: Command) -> Command:
    """`--set NAME=VALUE`, handed on as `parameters`."""
    return click.option(
        "--set",
        "parameters",
        multiple=True,
        callback=_parameters,
        metavar="NAME=VALUE",
        help="a parameter of the scenario",
    )(function)


def of_one_run(function: Command) -> Command:
    """The options that say which network is simulated."""
    for option in (
        of_parameters,
        click.option("--fidelity", type=click.Choice(FIDELITIES), help="the scenario's first, unless another is named"),
        click.option(
            "--seed", type=click.IntRange(0), default=1, show_default=True, help="the same seed, the same bits"
        ),
        click.option(
            "--nodes", type=click.IntRange(1, MAX_NODES), help="how many; the scenario's own number if left out"
        ),
    ):
        function = option(function)
    return function


def to_html(function: Command) -> Command:
    """`--html FILE` and `--force`, handed on as `html` and `force`, to be seen to by `check_files`."""
    return click.option("--html", type=options.PATH, metavar="FILE", help="write a report there, for a browser")(
        options.force(function)
    )


def check_files(*, html: Path | None, out: Path | None = None, force: bool) -> None:
    """See that both can be written, before anything runs that they are to be of. Raises `Fault`."""
    if html is not None:
        from simulations.report import check  # noqa: PLC0415 - not for --help

        check(html, force=force)
    if out is not None:
        from cli.files import check_target  # noqa: PLC0415

        check_target(out, force=force)
        if html is not None and out.absolute() == html.absolute():
            raise Fault(f"{out} cannot hold both the outcome and the report", "name two files", code=USAGE)


@contextmanager
def faults() -> Iterator[None]:
    """What the simulator refuses, as a fault of whoever asked for it."""
    from simulations import ScenarioError, ScheduleError  # noqa: PLC0415 - not for --help

    try:
        yield
    except ScenarioError as error:
        raise Fault(str(error), error.hint, code=USAGE) from error
    except ScheduleError as error:
        raise Fault(str(error), "simulations/WRITING.md lists the faults and their fields", code=USAGE) from error


def find_and_forecast(
    name: str,
    *,
    nodes: int | None,
    fidelity: "Fidelity | None",
    parameters: Mapping[str, Any],
    what: str = "this run",
) -> "ScenarioFile":
    """The scenario; what running it may cost is said before, where that is much. Raises `ScenarioError`."""
    from simulations import find  # noqa: PLC0415 - not for --help
    from simulations.forecast import forecast  # noqa: PLC0415
    from simulations.running import fitting  # noqa: PLC0415

    file = find(name)
    say_forecast(forecast(*fitting(file, nodes, fidelity, parameters)), what)
    return file


def say_forecast(cost: "Forecast", what: str) -> None:
    """Say what a run may cost, where that is much."""
    if cost.worth_a_word:
        size = f"{span(cost.seconds)} and {cost.gib:,.{1 if cost.gib < 10 else 0}f} GiB of memory"
        say(f"{what} may take {size}: a guess, from what cold-start takes with other numbers of nodes")


def saved(path: Path) -> "Outcome":
    """What `run --out` or `shrink --out` wrote, which can be run again. Raises `Fault`.

    A scenario's file is looked for beside it, too.
    """
    from p2pnoise.folder.reading import read  # noqa: PLC0415 - not for --help
    from simulations import Outcome  # noqa: PLC0415

    raw = read(path, limit=MAX_OUTCOME, what="outcome")
    try:
        outcome = Outcome.from_json(json.loads(raw))
    except (ValueError, RecursionError) as error:
        hint = "give it the file that `simulate run --out` wrote"
        raise Fault(f"{path}: no outcome of a simulation ({error})"[:300], hint) from None
    beside = path.parent / outcome.scenario
    if outcome.scenario.endswith((".py", ".toml")) and beside.exists() and not Path(outcome.scenario).exists():
        outcome = replace(outcome, scenario=str(beside))
    if outcome.fidelity == "model":
        raise Fault(f"{path} is of a model, in which no node ran", f"draw it again: {_as_model(outcome)}", code=USAGE)
    return outcome


def _as_model(outcome: "Outcome") -> str:
    """The command that draws a model again."""
    words = ["p2pnoise", "simulate", "model", "--nodes", str(outcome.nodes), "--seed", str(outcome.seed)]
    told = outcome.parameters
    if "fitted_at_nodes" in told:
        return shlex.join(words) + " --fit FOLDER"
    for option, name in _OF_A_MODEL.items():
        words += [option, str(told[name])] if name in told else []
    return shlex.join(words)


def as_command(name: str, *, nodes: int, seed: int, fidelity: str, parameters: Mapping[str, object]) -> str:
    """The command that runs this again."""
    words = ["p2pnoise", "simulate", "run", name, "--nodes", str(nodes), "--seed", str(seed), "--fidelity", fidelity]
    for key, value in parameters.items():
        words += ["--set", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
    return shlex.join(words)
