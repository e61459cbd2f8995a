"""Distributions: how a figure is spread over the nodes of a run, and over the runs of a group."""

import math
from collections import Counter
from collections.abc import Sequence

from .bands import Band, finite
from .drawing import COLOURS, HEIGHT, PLOT, Canvas, draw
from .figures import Drawn, Side
from .groups import Group
from .words import SHARE, UNITS, Unit, headed, named, plural, unit_of

__all__ = ["dots", "spread"]

_QUANTILES = 100  # steps of a cumulative curve
_FEWEST = 5  # runs that are worth a dot each
_BINS = 40  # columns of dots
_LARGEST = 11.0  # pixels of a dot
_DOTS_WIDTH, _DOTS_HEIGHT = 316, 120  # pixels of the plot of dots


def spread(name: str, sides: Sequence[Side], key: str) -> Drawn | None:
    """How a figure is spread over the nodes: the share of nodes that have at most so much."""
    found = [(side, lines) for side in sides if (lines := _quantiles(side.group, name)) is not None]
    if not found:
        return None
    unit = unit_of(name)
    most = max(lines[-1].most for _, lines in found)
    least = min(lines[0].least for _, lines in found)
    if least == most:
        return None  # all nodes alike: a number, and no picture

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        axes.set_ylim(0, 1.04)
        room = (most - least) * 0.04 or abs(most) * 0.1 or 1.0
        axes.set_xlim(min(least, max(0.0, least - room)), most + room)
        for side, lines in found:
            heights = [step / _QUANTILES for step in range(_QUANTILES + 1)]
            low, median, high = ([getattr(band, one) for band in lines] for one in ("low", "median", "high"))
            if side.group.runs > 1:
                axes.fill_betweenx(heights, low, high, color=COLOURS[side.colour], alpha=0.22, linewidth=0)
            axes.plot(median, heights, color=COLOURS[side.colour], linewidth=1.9, linestyle=side.dashes)
            canvas.occupy(median, heights)
            canvas.shade(list(zip(low, heights, strict=True)), list(zip(high, heights, strict=True)))
        for side, lines in found:
            label = side.label or ("median run" if side.group.runs > 1 else "")
            if label:
                heights = [step / _QUANTILES for step in range(_QUANTILES + 1)]
                canvas.label(label, [band.median for band in lines], heights, side.colour)
        if len(found) == 1 and found[0][0].group.runs > 1:
            heights = [step / _QUANTILES for step in range(_QUANTILES + 1)]
            canvas.label("5-95 % of runs", [band.high for band in found[0][1]], heights, "soft")

    svg = draw(
        paint,
        title=f"{named(name)}: the share of nodes with at most so much",
        key=f"{key}/spread/{name}",
        x=unit.axis if unit is UNITS["s"] else named(name),
        y="share of nodes with at most so much",
        x_unit=unit,
        y_unit=SHARE,
    )
    return Drawn(headed(name), " ".join(_spread_finding(side, lines, unit) for side, lines in found), svg)


def dots(name: str, group: Group, key: str) -> Drawn | None:
    """A figure of each run as a dot, so that the run that is unlike the others is seen; it is named."""
    runs = [(value, outcome) for outcome in group.outcomes for value in finite([outcome.metrics.get(name)])]
    band = Band.of(value for value, _ in runs)
    if band is None or len(runs) < _FEWEST or band.most - band.least <= 1e-9 * abs(band.most):
        return None
    unit = unit_of(name)
    bins = max(10, min(_BINS, 8 + len(runs) // 3))
    width = (band.most - band.least) / bins
    stacks: Counter[int] = Counter()
    places = []
    for value, outcome in sorted(runs, key=lambda run: (run[0], run[1].seed)):
        column = min(int((value - band.least) / width), bins - 1)
        stacks[column] += 1
        places.append((band.least + (column + 0.5) * width, stacks[column], value, outcome))
    tallest = max(stacks.values())
    dot = min(_DOTS_WIDTH / (bins + 4), _DOTS_HEIGHT / (tallest + 2), _LARGEST)  # those of a column touch each other
    plot = max(round(dot * (tallest + 2)), _DOTS_HEIGHT // 2)

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        axes.set_xlim(band.least - 2 * width, band.most + 2 * width)
        axes.set_ylim(0, plot / dot)
        axes.axvspan(band.low, band.high, color=COLOURS["main"], alpha=0.1, linewidth=0)
        for good, colour, marker in ((True, "main", "o"), (False, "hostile", "^")):
            xs = [x for x, _, _, outcome in places if outcome.ok is good]
            ys = [y - 0.5 for _, y, _, outcome in places if outcome.ok is good]
            if xs:
                axes.scatter(xs, ys, s=(dot * 0.9) ** 2, color=COLOURS[colour], marker=marker, linewidths=0)
        for x, y, *_ in places:
            canvas.occupy([x, x], [y - 1.0, float(y)])
        named_runs = [place for place in places if not place[3].ok][:3] or places[-1:]
        for x, y, _, outcome in named_runs:
            canvas.label(f"seed {outcome.seed}", [x, x], [y - 1.0, float(y)], "ink" if outcome.ok else "hostile")

    heading = f"{headed(name)}, run by run"
    broken = sum(not outcome.ok for _, outcome in runs)
    finding = (
        f"Nine tenths of the runs lie between {unit.show(band.low)} and {unit.show(band.high)}; the extremes are "
        f"{unit.show(band.least)} and {unit.show(band.most)} (seed {places[-1][3].seed})."
    )
    if broken:
        finding += f" Triangles are the {plural(broken, 'run')} in which something broke."
    if group.runs > len(runs):
        finding += f" {plural(group.runs - len(runs), 'run')} never came to it, and cannot be drawn."
    svg = draw(
        paint,
        title=heading,
        key=f"{key}/dots/{name}",
        x=unit.axis if unit in (UNITS["s"], UNITS["bytes"]) else named(name),
        y="runs",
        x_unit=unit,
        y_unit=UNITS["runs"],
        height=plot + HEIGHT - PLOT,
    )
    return Drawn(heading, finding, svg)


def _quantiles(group: Group, name: str) -> list[Band] | None:
    """For each step from none to all of the nodes, the runs' values at that step."""
    ordered = [sorted(finite(outcome.samples.get(name, ()))) for outcome in group.outcomes]
    ordered = [values for values in ordered if values]
    if not ordered:
        return None
    bands = [Band.of(_at(values, step / _QUANTILES) for values in ordered) for step in range(_QUANTILES + 1)]
    return [band for band in bands if band is not None]


def _at(ordered: Sequence[float], share: float) -> float:
    """The figure of the node up to which `share` of the nodes come: that of a node that there is."""
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def _spread_finding(side: Side, lines: Sequence[Band], unit: Unit) -> str:
    middle, most = lines[_QUANTILES // 2].median, lines[-1].median
    text = f"half of the nodes: at most {unit.show(middle)}; the last one: {unit.show(most)}"
    if side.group.runs > 1:
        text += f" in the median run, {unit.show(lines[-1].most)} in the worst"
    return f"{side.letter}: {text}." if side.letter else f"{_capital(text)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
