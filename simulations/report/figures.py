"""Figures: each one idea, drawn for all runs of a group at once, or for two groups over each other."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .bands import Band, CurveBand, finite
from .drawing import COLOURS, HEIGHT, PLOT, Canvas, draw, rows_of
from .groups import Group
from .spans import Span
from .words import SHARE, UNITS, Unit, headed, named, plural, unit_of

__all__ = ["Drawn", "Side", "curve", "dots", "spread"]

_QUANTILES = 100  # steps of a cumulative curve
_WHOLE = 1 - 1e-9  # a share that is all of it, after rounding
_FEWEST = 5  # runs that are worth a dot each
_BINS = 40  # columns of dots
_MARKS = 20  # first breaks that are marked below a curve
_ROWS = 3  # lines of fault names
_LARGEST = 11.0  # pixels of a dot
_DOTS_WIDTH, _DOTS_HEIGHT = 316, 120  # pixels of the plot of dots


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure with its heading and what it says in numbers."""

    heading: str
    finding: str
    svg: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the groups in a figure; `letter` in text and `label` at its line are empty where it is the only one."""

    group: Group
    letter: str = ""
    label: str = ""
    colour: str = "main"

    @property
    def dashes(self) -> str:
        return "--" if self.colour == "other" else "-"


def curve(name: str, sides: Sequence[Side], key: str) -> Drawn | None:
    """A figure over time: the median of all runs and the range of nine tenths of them, faults shaded below."""
    found = [(side, side.group.curves[name]) for side in sides if name in side.group.curves]
    if not found:
        return None
    unit = unit_of(name)
    faults = _common_spans([side for side, _ in found])
    start = min(band.times[0] for _, band in found)
    end = max(_end(band) for _, band in found)
    highest = max(max(band.high) for _, band in found)
    lowest = min(min(band.low) for _, band in found)

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        axes.set_xlim(start, end if end > start else start + 1)
        axes.set_ylim(*_limits(lowest, highest, unit))
        _shade(canvas, faults, start, end)
        for side, band in found:
            if band.runs > 1:
                axes.fill_between(band.times, band.low, band.high, color=COLOURS[side.colour], alpha=0.22, linewidth=0)
            axes.plot(band.times, band.median, color=COLOURS[side.colour], linewidth=1.9, linestyle=side.dashes)
            shown = slice(0, 1 + max(place for place, t in enumerate(band.times) if t <= end))
            canvas.occupy(band.times[shown], band.median[shown])
            low, high = (list(zip(band.times[shown], edge[shown], strict=True)) for edge in (band.low, band.high))
            canvas.shade(low, high)
        _mark_breaks(canvas, _breaks([side for side, _ in found], start, end))
        for side, band in found:
            label = side.label or ("median" if band.runs > 1 else "")
            if label:
                canvas.label(label, band.times, band.median, side.colour)
        if len(found) == 1 and _is_seen(found[0][1]):
            canvas.label("5-95 % of runs", found[0][1].times, found[0][1].low, "soft")

    svg = draw(
        paint,
        title=f"{named(name)}, over virtual time",
        key=f"{key}/curve/{name}",
        x="seconds of virtual time",
        y=named(name),
        x_unit=UNITS["s"],
        y_unit=unit,
        above=_fault_names(faults, start, end),
    )
    finding = " ".join(_curve_finding(side, band, unit, end) for side, band in found)
    if _breaks([side for side, _ in found], start, end):
        finding += " Triangles: when something was first seen broken."
    return Drawn(headed(name), finding, svg)


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


def _is_seen(band: CurveBand) -> bool:
    """Whether the band is anywhere more than a line."""
    room = max(high - low for low, high in zip(band.low, band.high, strict=True))
    return band.runs > 1 and room > 0.03 * (max(band.high) - min(band.low))


def _common_spans(sides: Sequence[Side]) -> list[Span]:
    """The faults, where they were the same on all sides."""
    first = sides[0].group.spans
    return first if all(side.group.spans == first for side in sides) else []


def _end(band: CurveBand) -> float:
    """Where the axis ends: with the last run, or, where a few went on for far longer, with nearly all of them."""
    return band.times[-1] if band.times[-1] <= 2 * band.ends.high else band.ends.high * 1.1


def _limits(lowest: float, highest: float, unit: Unit) -> tuple[float, float]:
    if unit is SHARE and highest <= 1:
        return 0.0, 1.04 if highest > 0.25 else max(highest * 1.25, 0.01)
    room = (highest - min(lowest, 0.0)) * 0.08 or 1.0
    return (0.0 if lowest >= 0 else lowest - room), highest + room


def _shade(canvas: Canvas, faults: Sequence[Span], start: float, end: float) -> None:
    for span in faults:
        if span.start > end:
            continue
        if span.end == span.start:
            canvas.axes.axvline(span.start, color=COLOURS["fault"], linewidth=1, linestyle=(0, (2, 2)))
            canvas.occupy_upright(span.start)
        else:
            until = min(span.end if span.end is not None else end, end)
            canvas.axes.axvspan(max(span.start, start), until, color=COLOURS["fault"], alpha=0.16, linewidth=0)


def _fault_names(faults: Sequence[Span], start: float, end: float) -> list[tuple[float, int, str]]:
    """Each kind once, above the first of its kind."""
    firsts: dict[str, float] = {}
    for span in faults:
        if span.start <= end:
            firsts.setdefault(span.name, span.start)
    length = (end - start) or 1.0
    return rows_of([((at - start) / length, name) for name, at in firsts.items()], _ROWS)


def _breaks(sides: Sequence[Side], start: float, end: float) -> list[float]:
    """The seconds at which a check was first seen broken."""
    return [
        check.at
        for side in sides
        for outcome in side.group.outcomes
        for check in outcome.broken
        if check.at is not None and start <= check.at <= end
    ][:_MARKS]


def _mark_breaks(canvas: Canvas, times: Sequence[float]) -> None:
    """Triangles on the axis."""
    if times:
        transform = canvas.axes.get_xaxis_transform()
        canvas.axes.plot(
            times, [0.0] * len(times), "^", color=COLOURS["hostile"], transform=transform, clip_on=False, markersize=6
        )


def _curve_finding(side: Side, band: CurveBand, unit: Unit, end: float) -> str:
    lead = f"{side.letter}: " if side.letter else ""
    at_the_end = "at the end" if side.letter else "At the end"
    last = unit.show(band.median[-1])
    if band.runs == 1:
        if unit is SHARE and band.median[-1] >= _WHOLE:
            full = next(t for t, value in zip(band.times, band.median, strict=True) if value >= _WHOLE)
            return f"{lead}{last} from {UNITS['s'].show(full)} on."
        return f"{lead}{last} at the end, {UNITS['s'].show(band.times[-1])}."
    half = _reached(side.group, unit, band)
    if half is not None:
        text = f"{lead}{half}"
    else:
        text = f"{lead}{at_the_end} {last} (5-95 %: {unit.show(band.low[-1])} to {unit.show(band.high[-1])})."
    if end < band.times[-1]:
        text += (
            f" The axis ends where nearly all runs had ended; the last went on to {UNITS['s'].show(band.times[-1])}."
        )
    return text


def _reached(group: Group, unit: Unit, band: CurveBand) -> str | None:
    """When the runs reached the whole, for a share that nearly all of them brought there."""
    if unit is not SHARE or band.median[-1] < _WHOLE:
        return None
    name = next(name for name, one in group.curves.items() if one is band)
    full = []
    for outcome in group.outcomes:
        reached = next((t for t, value in outcome.curves.get(name, ()) if value >= _WHOLE), None)
        if reached is not None:
            full.append(reached)
    times = Band.of(full)
    if times is None:
        return None
    show = UNITS["s"].show
    return (
        f"{len(full):,} of {plural(band.runs, 'run')} reached 100 %, the median at {show(times.median)} "
        f"(5-95 %: {show(times.low)} to {show(times.high)})."
    )


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
