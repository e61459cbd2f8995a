"""`p2pnoise simulate list` and `show`: which questions there are, and what was last answered to each."""

from typing import Any

import click

from cli import options
from cli.output import answer, answer_json, columns, rows

from .options import faults

_SHOWN = 8  # faults that people are shown
_FEW = 6  # nodes that a fault names for them


@click.command("list")
@options.as_json
def list_(*, as_json: bool) -> None:
    """List the scenarios that ship.

    \b
    Examples:
      p2pnoise simulate list
      p2pnoise simulate list --json
    """
    from simulations import all_scenarios  # noqa: PLC0415 - not for --help

    files = all_scenarios()
    if as_json:
        answer_json({"ok": True, "scenarios": [{"name": one.name, "question": one.question} for one in files]})
    else:
        answer(*columns(("SCENARIO", "QUESTION"), *((one.name, one.question) for one in files)))


@click.command()
@click.argument("scenario")
@options.as_json
def show(*, scenario: str, as_json: bool) -> None:
    """Show a scenario: its question, its parameters, what it expects, and its last recorded answer.

    SCENARIO is a name of `p2pnoise simulate list`, or a .py or .toml file of one's own.

    \b
    Examples:
      p2pnoise simulate show partition
      p2pnoise simulate show ./mine.toml --json
    """
    from simulations import find  # noqa: PLC0415 - not for --help
    from simulations.running import expectations_of, faults_of  # noqa: PLC0415

    with faults():
        file = find(scenario)
        made = file.with_parameters({})
        expects = expectations_of(file, made)
        schedule = [fault.to_json() for fault in faults_of(file, made)]
    if as_json:
        answer_json(
            {
                "ok": True,
                "scenario": file.name,
                "question": file.question,
                "nodes": made.nodes,
                "seconds": made.seconds,
                "fidelities": list(made.fidelities),
                "parameters": dict(file.parameters),
                "adversaries": dict(made.adversaries),
                "faults_of_seed_1": schedule,
                "expects": expects,
                "recorded": file.recorded,
            }
        )
        return
    answer(
        file.question,
        *rows(
            ("nodes", f"{made.nodes}, at smoke size {made.smoke}"),
            ("virtual seconds", f"at most {made.seconds:g}"),
            ("fidelities", ", ".join(made.fidelities)),
            ("parameters", ", ".join(f"{name}={value}" for name, value in file.parameters.items())),
            ("adversaries", ", ".join(f"{many:g} {kind}" for kind, many in made.adversaries.items())),
            *_under("faults at seed 1", _faults(schedule)),
            *_under("expects", expects),
            indent="    ",
        ),
    )
    if file.recorded:
        answer("last answer:", *(f"    {line}" for line in file.recorded.splitlines()))


def _under(title: str, lines: list[str]) -> list[tuple[str, str]]:
    """Lines with their title beside the first."""
    return [("" if place else title, line) for place, line in enumerate(lines)]


def _faults(schedule: list[dict[str, Any]]) -> list[str]:
    """The first faults, a line for each."""
    more = [f"and {len(schedule) - _SHOWN:,} more; --json names them all"] if len(schedule) > _SHOWN else []
    return [*map(_words, schedule[:_SHOWN]), *more]


def _words(fault: dict[str, Any]) -> str:
    """A fault in one line, with no more than a few of the nodes that it meets."""
    told = dict(fault)
    kind, at, nodes = told.pop("kind"), told.pop("at"), told.pop("nodes", [])
    few = [str(node) for node in nodes[:_FEW]] + ([f"{len(nodes) - _FEW:,} more"] if len(nodes) > _FEW else [])
    plain = {name: f"{value:g}" if isinstance(value, float) else value for name, value in told.items()}
    fields = [f"{name}={value}" for name, value in plain.items() if value is not None and value is not False]
    return " ".join([f"{at:g} s: {kind}", *([f"of nodes {', '.join(few)}"] if few else []), *fields])
