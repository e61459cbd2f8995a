"""`p2pnoise simulate compare`: two runs, or two sweeps, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from cli.output import answer, answer_json, columns, say

from .options import check_files

if TYPE_CHECKING:
    from simulations.report import Pair


@click.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--html", type=options.PATH, metavar="FILE", help="write it to a page, curves over each other")
@click.option("--anyway", is_flag=True, help="compare what was asked two different questions")
@options.force
@options.as_json
def command(*, one: str, other: str, html: Path | None, anyway: bool, force: bool, as_json: bool) -> None:
    """Show two runs or sweeps side by side.

    A and B are each the folder of a sweep, a file of outcomes, or what `p2pnoise simulate run --out` wrote. For each
    figure: the median of the runs and the band from 5 to 95 per cent of them on both sides, by how much B is above A,
    and whether the bands overlap. Where they do not, the difference is more than that between seeds; of one run on
    either side nobody knows that.

    \b
    Examples:
      p2pnoise simulate compare before after
      p2pnoise simulate compare before after --html difference.html
      p2pnoise simulate compare one.json other.json --json
    """
    from simulations import report, results  # noqa: PLC0415 - not for --help

    check_files(html=html, force=force)
    found = report.compare(results.read(one), results.read(other), names=(one, other), anyway=anyway)
    if html is not None:
        report.write_comparison(found, html, force=force)
    if as_json:
        answer_json(found.to_json())
        return
    for place, pair in enumerate(found.pairs):
        answer(*([""] if place else []), *_lines(pair))
    for name, alone in zip("AB", found.only, strict=True):
        if alone:
            say(f"only in {name}: {'; '.join(alone)}")


def _lines(pair: "Pair") -> list[str]:
    sides = [
        (
            letter,
            f"{group.one.nodes:,} nodes",
            group.one.fidelity,
            f"{group.runs:,} runs",
            f"{len(group.failing):,} broken",
        )
        for letter, group in (("A", pair.one), ("B", pair.other))
    ]
    told = [(what, a, b) for what, a, b in pair.differences if what not in {"nodes", "fidelity"}]
    figures = [
        (
            metric.called,
            metric.unit.band(metric.one),
            metric.unit.band(metric.other),
            metric.change_text,
            metric.overlap_text.removeprefix("bands "),
        )
        for metric in pair.metrics
    ]
    lines = [f"{pair.one.one.scenario}: {pair.one.one.question}", *columns(*(("  ", *side) for side in sides))]
    if told:
        lines += ["", *columns(("TOLD DIFFERENTLY", "A", "B"), *told)]
    if pair.checks:
        lines += ["", *columns(("DID NOT ALWAYS HOLD", "A", "B"), *pair.checks)]
    if figures:
        lines += ["", *columns(("FIGURE", "A: MEDIAN (5-95 %)", "B: MEDIAN (5-95 %)", "B TO A", "BANDS"), *figures)]
    return lines
