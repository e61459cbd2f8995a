"""`p2pnoise simulate replay`: a run held at a moment, to look inside its nodes; and the same run once more."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cli import options
from cli.output import USAGE, Fault, answer, answer_json, columns, rows, say

from .options import faults, find_and_forecast, of_one_run, saved
from .run import progress_bar

if TYPE_CHECKING:
    from simulations.scenario import Fidelity

_ASKED = ("versions", "notes", "seconds")  # not of what came out


def _moment(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """12.345 or 12.345s."""
    if value is None:
        return None
    try:
        seconds = float(value.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise click.BadParameter(f"{value!r} is no moment like 12.345s")
    return seconds


@click.command()
@click.argument("scenario")
@of_one_run
@click.option("--until", callback=_moment, metavar="SECONDS", help="the virtual second to hold at; the end if left out")
@click.option("--node", type=click.IntRange(0), help="look inside this node; an overview of all if left out")
@options.as_json
def command(
    *,
    scenario: str,
    nodes: int | None,
    seed: int,
    fidelity: "Fidelity | None",
    parameters: Mapping[str, Any],
    until: float | None,
    node: int | None,
    as_json: bool,
) -> None:
    """Run again what was run before, hold it at a moment, and show what its nodes hold.

    SCENARIO is what the run was given: a name or a file with its options, or the file that --out wrote, with which no
    other option is needed. What comes of it is the same, bit for bit; where it is not, this says so.

    \b
    Examples:
      p2pnoise simulate run partition --seed 7 --out run.json
      p2pnoise simulate replay run.json --until 12.345s
      p2pnoise simulate replay run.json --until 12.345s --node 3 --json
      p2pnoise simulate replay partition --seed 7 --until 30s --node 3
    """
    from simulations import Outcome, begin  # noqa: PLC0415 - not for --help
    from simulations.experiment import LOOK  # noqa: PLC0415

    before: Outcome | None = _saved_alone(Path(scenario)) if scenario.endswith(".json") else None
    with faults(), progress_bar() as progress:
        if before is None:
            file = find_and_forecast(scenario, nodes=nodes, fidelity=fidelity, parameters=parameters)
            experiment = begin(file, nodes=nodes, seed=seed, fidelity=fidelity, parameters=parameters)
        else:
            told: dict[str, Any] = {"nodes": before.nodes, "fidelity": before.fidelity, "parameters": before.parameters}
            experiment = begin(
                find_and_forecast(before.scenario, **told),
                **told,
                seed=before.seed,
                schedule=before.schedule,
                seconds=before.seconds,
            )
        with experiment as running:
            end = int(until * 1e9) if until is not None else None
            while not running.over and (end is None or running.now < end):
                running.advance(running.now + LOOK if end is None else min(running.now + LOOK, end))
                progress(running.now / 1e9, until or running.scenario.seconds)
            now, lines = running.now / 1e9, running.overview()
            if node is not None and node >= len(lines):
                raise Fault(
                    f"there is no node {node}: there are {len(lines)}, counted from 0", "name one of them", code=2
                )
            inside = running.inspect(node) if node is not None else None
            if before is not None and running.over:
                _compare(before, running.outcome())
            elif before is not None:
                say("held before its end: whether it comes out the same was not looked at")
            if until is not None and running.over and now < until:
                say(f"it was over at {now:g} s")
    if as_json:
        answer_json({"ok": True, "at": now, "nodes": lines} if inside is None else {"ok": True, "at": now, **inside})
    elif inside is None:
        answer(f"at {now:g} s", *_table(lines))
    else:
        answer(f"node {node} at {now:g} s", *_inside(inside))


def _saved_alone(path: Path) -> Any:
    """What was saved says which run it was; an option that says so, too, would be passed over in silence."""
    context = click.get_current_context()
    for name, option in (("nodes", "nodes"), ("seed", "seed"), ("fidelity", "fidelity"), ("parameters", "set")):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise Fault(f"--{option}: {path} says that already", "leave it out, or name the scenario", code=USAGE)
    return saved(path)


def _compare(before: Any, again: Any) -> None:
    if before.trace_hash != again.trace_hash:
        versions = [(name, before.versions.get(name), now) for name, now in again.versions.items()]
        changed = ", ".join(f"{name} {was}, here {now}" for name, was, now in versions if was != now)
        fix = "use the source that it was made with" + (f", and its versions: {changed}" if changed else "")
        raise Fault(f"it did not come out the same: trace {again.trace_hash}, before {before.trace_hash}", fix, code=1)
    told, now = (json.loads(one.line()) for one in (before, again))
    other = [key for key in told if told[key] != now[key] and key not in _ASKED]
    if other:
        raise Fault(
            f"it did not come out the same: the trace is, but not its {', '.join(other)}",
            "what is expected or measured has changed since: use the source that it was made with",
            code=1,
        )


def _table(lines: list[dict[str, Any]]) -> list[str]:
    """An overview, in columns; failures are told where there are any."""
    keys = [key for key in lines[0] if key != "failure" or any(line["failure"] for line in lines)]
    return columns(tuple(key.upper().replace("_", " ") for key in keys), *(_cells(line, keys) for line in lines))


def _cells(line: dict[str, Any], keys: list[str]) -> tuple[str, ...]:
    return tuple(json.dumps(line[key]) if not isinstance(line[key], str) else line[key] for key in keys)


def _inside(state: dict[str, Any]) -> list[str]:
    """Single figures in two columns, then a table for each list."""
    plain = {key: value for key, value in state.items() if not (isinstance(value, list) and value)}
    lines = rows(*((key.replace("_", " "), _text(value)) for key, value in plain.items()), indent="    ")
    for key, value in state.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{key}:", *(f"    {line}" for line in _table([{**one, "failure": ""} for one in value]))]
        elif isinstance(value, list) and value:
            lines.append(f"{key}: {', '.join(map(str, value))}")
    return lines


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
