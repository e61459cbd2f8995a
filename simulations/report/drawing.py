"""Drawing: one matplotlib figure as an SVG that lies inside a page, in the page's own colours and letters.

The same figures give the same bytes: no date, no salt of chance, nothing of the machine but its matplotlib. Colours are
names that the page's style gives a value to, one for paper and one for the dark; letters are text, so that they can be
read aloud, searched and set in the reader's own font. Widths of letters are therefore those of matplotlib's font, which
is wider than what most readers have.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .words import Unit, ascii_text, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "HEIGHT", "PLOT", "SMALL", "WIDTH", "Canvas", "draw", "rows_of"]

WIDTH, HEIGHT = 380, 236
"""A telephone's width, so that letters are never set smaller than they were meant; wide pages have two in a row."""
SMALL = 11.5  # pixels high

# A colour of the page, by the stand-in under which matplotlib knows it.
COLOURS = {
    "ink": "#0a0001",
    "soft": "#0a0002",
    "rule": "#0a0003",
    "main": "#0a0004",
    "hostile": "#0a0005",
    "other": "#0a0006",
    "fault": "#0a0007",
    "paper": "#0a0008",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "text.parse_math": False,
    "font.size": SMALL,
    "axes.edgecolor": COLOURS["soft"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "text.color": COLOURS["ink"],
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.8,
    "path.simplify": False,
}
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 30, 45
PLOT = HEIGHT - _TOP - _BOTTOM
"""The height of what is between the axes."""
_ROW = 14  # the height of a line of fault names
_LETTER = 0.6 * SMALL  # the mean width of a letter of matplotlib's font

Point: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class Canvas:
    """One pair of axes in pixels of the picture, with what stands on it already."""

    axes: "Axes"
    _taken: list[tuple[float, float, float, float]] = field(default_factory=list)
    _lines: list[Point] = field(default_factory=list)
    _bands: list[Point] = field(default_factory=list)

    def occupy(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """No label is to stand on the line (xs, ys)."""
        self._lines += _dense(self._pixels(xs, ys))

    def shade(self, low: Sequence[Point], high: Sequence[Point]) -> None:
        """Nor on the band between two lines, if there is room elsewhere. Points of one position lie opposite."""
        edges = [self._pixels(*zip(*edge, strict=True)) for edge in (low, high)]
        for edge in edges:
            self._bands += _dense(edge)
        for (x0, y0), (x1, y1) in zip(*edges, strict=True):
            steps = int(max(abs(x1 - x0), abs(y1 - y0)) // 6)
            self._bands += [(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps) for step in range(1, steps)]

    def occupy_upright(self, x: float) -> None:
        """No label is to stand on the upright line at x."""
        left = self._pixels([x], [0.0])[0][0]
        _, bottom, _, top = self._frame()
        self._lines += _dense([(left, bottom), (left, top)])

    def label(self, text: str, xs: Sequence[float], ys: Sequence[float], colour: str) -> None:
        """Name the line (xs, ys) where there is room next to it; nowhere, if there is none."""
        text = ascii_text(text, 40)
        width, height = len(text) * _LETTER, SMALL * 1.25
        left, bottom, right, top = self._frame()
        spots = []
        for px, py in _dense(self._pixels(xs, ys), 9):
            for dx in (7.0, -7.0 - width, -width / 2):
                for dy in (-height / 2, 6.0, -6.0 - height, 14.0, -14.0 - height):
                    x, y = px + dx, py + dy
                    if left <= x <= right - width and bottom <= y <= top - height:
                        # Near the line, and rather to the right, where the eye ends.
                        cost = abs(dx + width / 2) * 0.3 + abs(dy + height / 2) * 2 - 0.05 * x
                        spots.append((cost, x, y))
        spots.sort()
        best = None
        for obstacles in (self._lines + self._bands, self._lines):
            best = best or next((spot for spot in spots if self._free(*spot[1:], width, height, obstacles)), None)
        if best is None:
            return
        _, x, y = best
        self._taken.append((x, y, x + width, y + height))
        self.axes.text(
            x, y + height / 2, text, transform=None, color=COLOURS[colour], va="center", ha="left", fontsize=SMALL
        )

    def write(self, x: float, y: float, text: str, colour: str, align: str = "left") -> None:
        """Text at a place in pixels from below left."""
        self.axes.text(
            x, y, ascii_text(text, 52), transform=None, color=COLOURS[colour], ha=align, va="center", fontsize=SMALL
        )

    def _frame(self) -> tuple[float, float, float, float]:
        box = self.axes.bbox
        return box.x0, box.y0, box.x1, box.y1

    def _pixels(self, xs: Sequence[float], ys: Sequence[float]) -> list[Point]:
        return [(float(x), float(y)) for x, y in self.axes.transData.transform(list(zip(xs, ys, strict=True)))]

    def _free(self, x: float, y: float, width: float, height: float, obstacles: Sequence[Point]) -> bool:
        clear = all(
            x > right or x + width < left or y > top or y + height < bottom for left, bottom, right, top in self._taken
        )
        return clear and not any(x - 3 < px < x + width + 3 and y - 2 < py < y + height + 2 for px, py in obstacles)


def draw(
    paint: Callable[[Canvas], None],
    *,
    title: str,
    key: str,
    x: str = "",
    y: str = "",
    x_unit: Unit | None = None,
    y_unit: Unit | None = None,
    above: Sequence[tuple[float, int, str]] = (),
    height: int = HEIGHT,
) -> str:
    """The SVG of a figure; `title` is what it is for those who do not see it, `key` what tells it from all others.

    `x` and `y` name the axes; without `y` there are none. `above` are names over the plot as `rows_of` places them.
    """
    rows = 1 + max((row for _, row, _ in above), default=-1)
    size = height + rows * _ROW
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever somebody has in a matplotlibrc
        mpl.rcParams.update(_STYLE | {"svg.hashsalt": ascii(key)})
        figure = Figure(figsize=(WIDTH / 72, size / 72), dpi=72)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        if y:
            top = _TOP + rows * _ROW
            box = (_LEFT / WIDTH, _BOTTOM / size, (WIDTH - _LEFT - _RIGHT) / WIDTH, (size - _BOTTOM - top) / size)
            axes = figure.add_axes(box)
            axes.grid(axis="y")
            axes.tick_params(axis="x", length=3, pad=6)
            for axis, unit in ((axes.xaxis, x_unit), (axes.yaxis, y_unit)):
                whole = unit is not None and unit.whole
                steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
                axis.set_major_locator(MaxNLocator(5, steps=steps, integer=whole))
                if unit is not None:
                    axis.set_major_formatter(FuncFormatter(lambda value, _place, unit=unit: unit.tick(value)))
            axes.set_xlabel(ascii_text(x, 46), loc="right", labelpad=3)
        else:
            axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
            axes.set_axis_off()
        axes.patch.set_visible(False)
        canvas = Canvas(axes)
        if y:
            canvas.write(4, size - 9, y, "soft")
            for place, row, text in above:
                canvas.write(place, size - top + 9 + row * _ROW, text, "fault")
        paint(canvas)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inlined(file.getvalue().decode(), plain(title))


def rows_of(names: Sequence[tuple[float, str]], limit: int) -> list[tuple[float, int, str]]:
    """Places for names above a plot, each at its share of the plot's width, in at most `limit` rows: (x, row, text).

    A name for which there is no room is left out.
    """
    ends: list[float] = []
    found = []
    for share, name in names:
        text = ascii_text(name, 20)
        width = len(text) * _LETTER
        x = max(_LEFT, min(_LEFT + share * (WIDTH - _LEFT - _RIGHT), WIDTH - _RIGHT - width))
        row = next((row for row, end in enumerate(ends) if end < x), len(ends))
        if row < limit:
            ends[row:] = [x + width + 8, *ends[row + 1 :]]
            found.append((x, row, text))
    return found


def _inlined(svg: str, title: str) -> str:
    """The SVG without what belongs to a file of its own: prologue, style of everything, size, most ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"\s*font-family: [^;\"]*;?", "", svg)
    svg = svg.replace("xlink:href", "href").replace(' transform="rotate(-0 ', ' data-r="(')
    svg = re.sub(r' data-r="\([^"]*"', "", svg)
    for name, stand_in in COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    box = re.search(r'viewBox="([^"]*)"', svg)
    head = f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{escape(title)}">'
    svg = re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _dense(line: Sequence[Point], step: float = 4.0) -> list[Point]:
    """The points of a line, and between them others, at most `step` pixels apart."""
    found = list(line[:1])
    for (x0, y0), (x1, y1) in pairwise(line):
        parts = min(1 + int(max(abs(x1 - x0), abs(y1 - y0)) // step), 400)
        found += [(x0 + (x1 - x0) * part / parts, y0 + (y1 - y0) * part / parts) for part in range(1, parts + 1)]
    return found
