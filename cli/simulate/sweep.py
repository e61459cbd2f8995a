"""`p2pnoise simulate sweep`: scenarios with many seeds each, on all processors or on many machines."""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import options
from cli.output import USAGE, Fault, answer, answer_json, columns, say, span

from .bars import bar
from .options import FIDELITIES, MAX_NODES, as_command, check_files, faults, of_parameters, say_forecast, to_html

if TYPE_CHECKING:
    from simulations.scenario import Fidelity, ScenarioFile
    from simulations.sweep import Engine, Swept
    from simulations.sweep.summary import Summary
    from simulations.sweep.task import Task

_MAX_SEEDS = 1_000_000
_SHOWN = 10  # failing seeds of a scenario that people are shown; programs read all of them


def _seeds(_ctx: click.Context, _parameter: click.Parameter, value: str) -> range:
    """`200` are the seeds 1 to 200; `7-9` are 7, 8 and 9."""
    found = re.fullmatch(r"(?:([0-9]{1,18})-)?([0-9]{1,18})", value)
    seeds = range(int(found[1] or 1), int(found[2]) + 1) if found else range(0)
    if not 0 < len(seeds) <= _MAX_SEEDS:
        raise click.BadParameter(f"{value!r} is neither a number of seeds nor a range like 1-200, of {_MAX_SEEDS:,}")
    return seeds


def _nodes(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int | None:
    """How many, or None for each scenario's smoke size."""
    if value == "smoke":
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= MAX_NODES:
        raise click.BadParameter(f"{value!r} is neither smoke nor a number from 1 to {MAX_NODES}")
    return int(value)


@click.command()
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="every scenario that ships")
@click.option(
    "--seeds", default="200", show_default=True, callback=_seeds, help="how many, from 1; or a range like 7-9"
)
@click.option(
    "--nodes",
    default="smoke",
    show_default=True,
    callback=_nodes,
    help="how many; smoke: as few as still ask the question",
)
@click.option(
    "--fidelity", type=click.Choice(FIDELITIES), help="each scenario's first; with --all those that have the one named"
)
@of_parameters
@click.option(
    "--engine",
    type=click.Choice(["processes", "serial", "dask"]),
    default="processes",
    help="where; processes if left out",
)
@click.option("--workers", type=click.IntRange(1, 4096), help="how many at a time; as many as there are processors")
@click.option("--scheduler", metavar="ADDRESS", help="of Dask, where one runs; it starts its own if left out")
@click.option(
    "--wait",
    type=click.FloatRange(1, 86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="how long to wait for Dask's workers",
)
@click.option("--out", type=options.PATH, metavar="FOLDER", help="keep the outcomes there, and go on from there")
@to_html
@options.as_json
def command(
    *,
    names: tuple[str, ...],
    every: bool,
    seeds: range,
    nodes: int | None,
    fidelity: "Fidelity | None",
    parameters: Mapping[str, bool | int | float | str],
    engine: str,
    workers: int | None,
    scheduler: str | None,
    wait: float,
    out: Path | None,
    html: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run scenarios with many seeds each, and say which seeds break what.

    SCENARIO is a name of `p2pnoise simulate list`, or a .py or .toml file of one's own. With --out, a sweep that was
    stopped, by Ctrl-C or by anything else, goes on where it was when the same command is given again. The result hash
    is the same on every engine. The exit code is 1 where a check does not hold, or a run failed.

    Dask is the extra `dist`. Whoever reaches its scheduler's port runs code on its workers: loopback, or TLS.

    \b
    Examples:
      p2pnoise simulate sweep --all --seeds 20
      p2pnoise simulate sweep cold-start partition --seeds 200 --nodes 50 --out sweeps/monday --html monday.html
      p2pnoise simulate sweep --all --engine dask --scheduler tcp://10.0.0.1:8786 --workers 64 --out sweeps/night
    """
    from simulations.sweep import sweep, tasks_of  # noqa: PLC0415 - not for --help

    with faults():
        files = _files(names, every=every)
        if every and fidelity is not None:
            files = _that_run_at(fidelity, files, parameters)
        tasks = tasks_of(files, seeds, nodes=nodes, fidelity=fidelity, parameters=parameters)
        _forecast(files, tasks)
    check_files(html=html, force=force)
    where = _engine(engine, workers=workers, scheduler=scheduler, wait=wait)
    begun, done = time.perf_counter(), 0
    with _folder(out) as folder:
        try:
            with _progress_bar(len(tasks)) as tell:

                def progress(answered: int, bad: int) -> None:
                    nonlocal done
                    done = answered
                    tell(answered, bad)

                found = sweep(tasks, engine=where, folder=folder, progress=progress)
        except KeyboardInterrupt:
            rest = "the same command goes on from there" if out else "with --out FOLDER it could go on from there"
            say(f"stopped: {done:,} of {len(tasks):,} runs are done; {rest}")
            raise
        if html is not None:
            from simulations import results  # noqa: PLC0415
            from simulations.report import write  # noqa: PLC0415 - matplotlib takes a second

            write(results.read(folder), html, failures=results.failures(folder), made=found.made, force=force)
    if as_json:
        answer_json(_to_json(found))
    else:
        answer(*_lines(found))
        say(f"took {span(time.perf_counter() - begun)} of real time")
        if found.resumed:
            say(f"{found.resumed:,} of {len(tasks):,} runs were there already")
    if not found.ok:
        sys.exit(1)


def _files(names: tuple[str, ...], *, every: bool) -> "list[ScenarioFile]":
    from simulations import all_scenarios, find  # noqa: PLC0415 - not for --help

    if every == bool(names):
        raise Fault("name scenarios, or --all", "p2pnoise simulate list shows them", code=USAGE)
    if every:
        return all_scenarios()
    return [find(name) for name in dict.fromkeys(names)]


def _that_run_at(
    fidelity: "Fidelity", files: "list[ScenarioFile]", parameters: Mapping[str, bool | int | float | str]
) -> "list[ScenarioFile]":
    """Those of all scenarios that run at this fidelity; the others are named."""
    able = [one for one in files if fidelity in one.with_parameters(parameters).fidelities]
    left_out = [one.name for one in files if one not in able]
    if left_out:
        say(f"left out, since they do not run at fidelity {fidelity}: {', '.join(left_out)}")
    return able


def _forecast(files: "list[ScenarioFile]", tasks: "list[Task]") -> None:
    """Say what the run may take that takes the longest."""
    from simulations.forecast import forecast  # noqa: PLC0415 - not for --help

    by_name = {one.name: one for one in files}
    kinds = {task.scenario: task for task in tasks}.values()  # they differ in their seeds alone
    costs = [
        (forecast(by_name[one.scenario].with_parameters(one.parameters), one.nodes, one.fidelity), one.scenario)
        for one in kinds
    ]
    cost, name = max(costs, key=lambda one: one[0].seconds)
    say_forecast(cost, f"each run of {name}")


def _engine(name: str, *, workers: int | None, scheduler: str | None, wait: float) -> "Engine":
    from simulations.sweep import Processes, Serial  # noqa: PLC0415

    if scheduler is not None and name != "dask":
        raise Fault("--scheduler is of Dask alone", "say --engine dask, too", code=USAGE)
    if name == "dask":
        from simulations.sweep.dask import Dask  # noqa: PLC0415

        return Dask(workers, scheduler=scheduler, wait=wait)
    return Serial() if name == "serial" else Processes(workers)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="p2pnoise-sweep-") as folder:
        yield Path(folder)


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """What hears how many runs are answered, and how many of them are no good ones."""
    with bar("{task.completed}/{task.total}", "{task.fields[bad]}", remaining=True) as tell:
        yield lambda done, bad: tell(completed=done, total=total, bad=f"{bad} broken" if bad else "")


def _lines(found: "Swept") -> list[str]:
    """What people read: a line for each scenario, then the seeds that broke, each with the command that repeats it."""
    titles = ("SCENARIO", "NODES", "SEEDS", "HELD", "BROKEN", "FAILED", "MEDIANS (5 TO 95 IN 100)")
    lines = columns(titles, *map(_row, found.summaries))
    for summary in found.summaries:
        bad = sorted([*((seed, ", ".join(checks)) for seed, checks in summary.broken), *summary.failed])
        if bad:
            lines += ["", f"{summary.task.scenario}: {len(bad)} of {summary.seeds} seeds"]
        for seed, what in bad[:_SHOWN]:
            lines += [f"    {what}", f"        {_again(summary, seed)}"]
        if bad[_SHOWN:]:
            lines.append(f"    and {len(bad) - _SHOWN} more; --json names them all")
    return [*lines, "", f"result hash  {found.result_hash}"]


def _row(summary: "Summary") -> tuple[str, ...]:
    names = [*(name for name in summary.metrics if name.endswith("_after")), "bytes_per_node_median"]
    words = [
        f"{name.replace('_', ' ')} {_short(band.median)} ({_short(band.low)}-{_short(band.high)})"
        for name in names
        if (band := summary.metrics.get(name))
    ]
    numbers = (summary.task.nodes, summary.seeds, summary.held, len(summary.broken), len(summary.failed))
    return (summary.task.scenario, *(f"{one:,}" for one in numbers), "  ".join(words))


def _short(figure: float) -> str:
    """Four figures, or all that stand before the point."""
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def _again(summary: "Summary", seed: int) -> str:
    task = summary.task
    return as_command(
        task.scenario, nodes=task.nodes, seed=seed, fidelity=task.fidelity, parameters=dict(task.parameters)
    )


def _to_json(found: "Swept") -> dict[str, Any]:
    scenarios = [summary.to_json() for summary in found.summaries]
    for summary, facts in zip(found.summaries, scenarios, strict=True):
        for one in (*facts["broken"], *facts["failed"]):
            one["command"] = _again(summary, one["seed"])
    return {"ok": found.ok, "result_hash": found.result_hash, "resumed": found.resumed, "scenarios": scenarios}
