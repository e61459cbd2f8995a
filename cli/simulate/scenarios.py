"""`p2pnoise simulate list` and `show`: which questions there are, and what was last answered to each."""

import click

from cli import options
from cli.output import answer, answer_json, columns, rows

from .options import faults


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
    from simulations.running import expectations_of  # noqa: PLC0415

    with faults():
        file = find(scenario)
        made = file.with_parameters({})
    expects = expectations_of(made)
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
            *(("expects" if first else "", one) for first, one in zip([True] + [False] * 99, expects, strict=False)),
            indent="    ",
        ),
    )
    if file.recorded:
        answer("last answer:", *(f"    {line}" for line in file.recorded.splitlines()))
