"""`p2pnoise simulate mutants`: our own code broken on purpose, and who noticed."""

import sys

import click

from cli import options
from cli.output import Fault, answer, answer_json, columns, say


@click.command()
@click.argument("mutant", nargs=-1)
@click.option("--seeds", type=click.IntRange(1, 100_000), default=200, show_default=True, help="tried before giving up")
@options.as_json
def command(*, mutant: tuple[str, ...], seeds: int, as_json: bool) -> None:
    """Break one rule of the node at a time, and see which scenario notices, with which seed.

    All mutants, unless some are named. The exit code is 1 where one of them got away.

    \b
    Examples:
      p2pnoise simulate mutants
      p2pnoise simulate mutants keep-sessions --seeds 20 --json
    """
    from simulations.mutants import MUTANTS, hunt  # noqa: PLC0415 - not for --help

    names = list(dict.fromkeys(one.name for one in MUTANTS))  # some are tried in two scenarios
    unknown = [name for name in mutant if name not in names]
    if unknown:
        raise Fault(f"no mutant {unknown[0]}", f"there are: {', '.join(names)}", code=2)
    lines = []
    for one in MUTANTS:
        if mutant and one.name not in mutant:
            continue
        if sys.stderr.isatty():
            say(f"{one.name} in {one.scenario}")
        caught = hunt(one, seeds=seeds)
        lines.append(
            {
                "mutant": one.name,
                "scenario": one.scenario,
                "seed": caught.seed if caught else None,
                "check": caught.check.name if caught else None,
                "detail": caught.check.detail if caught else None,
                "healthy_without": caught.healthy if caught else None,
            }
        )
    away = [str(line["mutant"]) for line in lines if not line["healthy_without"]]
    if as_json:
        answer_json({"ok": not away, "seeds": seeds, "mutants": lines})
    else:
        shown = [tuple(str(line[key] or "-") for key in ("mutant", "scenario", "seed", "check")) for line in lines]
        answer(*columns(("MUTANT", "SCENARIO", "SEED", "CAUGHT BY"), *shown))
    if away and as_json:
        sys.exit(1)  # what was caught is the answer, and the only one
    if away:
        raise Fault(
            f"not caught within {seeds} seeds, or broken without it: {', '.join(away)}",
            "an invariant is missing, or cannot fail",
            code=1,
        )
