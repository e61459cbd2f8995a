"""`p2pnoise simulate shrink`: of a run that went wrong the least that still does, and a test of it."""

from dataclasses import replace
from pathlib import Path

import click

from cli import options
from cli.output import Fault, answer, answer_json, rows, say

from .options import faults, find_and_forecast, saved


@click.command()
@click.argument("outcome", type=options.PATH)
@click.option("--check", help="the check to keep broken, by its name; the first broken one if left out")
@click.option("--most", type=click.IntRange(1, 10_000), default=200, show_default=True, help="runs to spend on it")
@click.option("--out", type=options.PATH, metavar="FILE", help="write the outcome of the small run there, to replay")
@click.option("--test", type=options.PATH, metavar="FILE", help="write a regression test there")
@options.force
@options.as_json
def command(
    *, outcome: Path, check: str | None, most: int, out: Path | None, test: Path | None, force: bool, as_json: bool
) -> None:
    """Make a run that went wrong as small as it can be: fewer faults, then fewer nodes, then less time.

    OUTCOME is what `run --out` wrote of it.

    \b
    Examples:
      p2pnoise simulate run partition --seed 12 --out broken.json
      p2pnoise simulate shrink broken.json --out small.json --test tests/test_partition_12.py
      p2pnoise simulate replay small.json --node 0
    """
    from cli import files  # noqa: PLC0415 - not for --help
    from simulations.faults import fault_from  # noqa: PLC0415
    from simulations.shrinking import Failing, as_test, shrink  # noqa: PLC0415

    for path in (out, test):
        if path is not None:
            files.check_target(path, force=force)
    before = saved(outcome)
    if not before.broken:
        raise Fault(f"{outcome}: all checks hold in it", "shrink a run that went wrong", code=2)
    broken = [one.name for one in before.broken if one.decided]
    if not broken:
        open_ = ", ".join(one.name for one in before.broken)
        raise Fault(f"{outcome}: over before anybody could say: {open_}", "give the scenario more seconds", code=2)
    if check is not None and check not in broken:
        raise Fault(f"{outcome}: {check!r} is not broken in it", f"broken are: {', '.join(broken)}", code=2)
    with faults():
        file = find_and_forecast(
            before.scenario,
            nodes=before.nodes,
            fidelity=before.fidelity,  # type: ignore[arg-type]
            parameters=before.parameters,
            what="each run",
        )
        failing = Failing(
            scenario=before.scenario,
            nodes=before.nodes,
            seed=before.seed,
            fidelity=before.fidelity,  # type: ignore[arg-type]
            parameters=before.parameters,
            schedule=tuple(map(fault_from, before.schedule)),
            seconds=before.seconds or file.with_parameters(before.parameters).seconds,
            check=check or broken[0],
        )
        if not failing.fails:
            raise Fault(f"{outcome}: it does not go wrong any more", "nothing is left to shrink", code=1)
        small = shrink(failing, tell=lambda one: say(_size(one)), most=most)
        if out is not None:
            line = replace(small.play(), seconds=small.seconds).line()
            files.write(out, (line + "\n").encode(), secret=False, force=force)
    if test is not None:
        files.write(test, as_test(small, test.parent).encode(), secret=False, force=force)
    if as_json:
        schedule = [fault.to_json() for fault in small.schedule]
        found = {"nodes": small.nodes, "seed": small.seed, "seconds": small.seconds, "schedule": schedule}
        answer_json({"ok": True, "check": small.check, **found})
        return
    answer(
        f"{small.check}: broken with {_size(small)}",
        *rows(*((f"{fault.at:g} s", _words(fault.to_json())) for fault in small.schedule), indent="    "),
    )
    if out is not None:
        say(f"wrote {out}: p2pnoise simulate replay {out} runs it again")
    if test is not None:
        say(f"wrote {test}: it fails until this is mended")


def _size(one: object) -> str:
    faults, nodes, seconds = len(one.schedule), one.nodes, one.seconds  # type: ignore[attr-defined]
    return f"{faults} fault{'s' * (faults != 1)}, {nodes} nodes, {seconds:g} s"


def _words(fault: dict[str, object]) -> str:
    return " ".join([str(fault["kind"]), *(f"{k}={v}" for k, v in fault.items() if k not in ("kind", "at"))])
