"""Curves: a figure over virtual time, drawn for all runs of a group at once, or for two groups over each other."""

from collections.abc import Sequence

from simulations.outcome import Curve

from .bands import Band, CurveBand
from .drawing import COLOURS, Canvas, draw, rows_of
from .figures import Drawn, Side
from .groups import Group
from .spans import Span
from .words import SHARE, UNITS, Unit, headed, named, plural, unit_of

__all__ = ["curve"]

_WHOLE = 1 - 1e-9  # a share that is all of it, after rounding
_MARKS = 20  # first breaks that are marked below a curve
_ROWS = 3  # lines of fault names


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
        full = _whole_from(side.group, band) if unit is SHARE else []
        if full:
            return f"{lead}{last} from {UNITS['s'].show(full[0])} on."
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
    """When the runs reached the whole for good, for a share that nearly all of them brought there."""
    if unit is not SHARE or band.median[-1] < _WHOLE:
        return None
    full = _whole_from(group, band)
    times = Band.of(full)
    if times is None:
        return None
    show = UNITS["s"].show
    return (
        f"{len(full):,} of {plural(band.runs, 'run')} reached 100 % for good, the median at {show(times.median)} "
        f"(5-95 %: {show(times.low)} to {show(times.high)})."
    )


def _whole_from(group: Group, band: CurveBand) -> list[float]:
    """Since when this share is the whole for good, in each run in which it is at the end."""
    name = next(name for name, one in group.curves.items() if one is band)
    found = [_last_rise(outcome.curves.get(name, ())) for outcome in group.outcomes]
    return [t for t in found if t is not None]


def _last_rise(points: Curve) -> float | None:
    since = None
    for t, value in points:
        since = None if value < _WHOLE else t if since is None else since
    return since
