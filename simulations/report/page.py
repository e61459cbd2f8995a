"""Page: the HTML of a report and of a comparison, whole in one string.

Everything that comes from outcomes is escaped by jinja2 and made printable before; the page forbids itself, by its
Content-Security-Policy, to fetch anything and to run any script but its own check of its layout.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from markupsafe import Markup

from p2pnoise import __version__
from simulations.outcome import Outcome
from simulations.results import Failure

from . import fidelity, words
from .bands import Band
from .comparison import Comparison, Pair
from .curves import curve
from .distributions import dots, spread
from .embedding import embedded
from .figures import Drawn, Side
from .groups import Group, Metric, grouped
from .topology import topology

__all__ = ["DRAWN", "comparison_page", "report"]

DRAWN = 40
"""So many groups get figures, those that broke something first; of the others the overview alone speaks."""
SHOWN = 50
"""So many failing seeds, faults and trace hashes are listed; the others are counted."""
_TILES = 4
_LABEL = 16  # letters of a name that still find room in a figure
_LATER = ("views", "attacker_share")  # what is of the links comes beside their picture
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """A group as the page shows it."""

    group: Group
    anchor: str
    what: fidelity.Fidelity
    tiles: Sequence[tuple[str, str, str]]
    figures: Sequence[Drawn]
    drawn: bool


def report(
    outcomes: Sequence[Outcome], failures: Sequence[Failure] = (), made: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The page of one run or of many; `made` is with what."""
    groups = grouped(outcomes)
    chosen = {id(group) for group in sorted(groups, key=lambda group: not group.failing)[:DRAWN]}
    sections = [_section(group, f"group-{place}", drawn=id(group) in chosen) for place, group in enumerate(groups, 1)]
    data = embedded(groups) | {"made": dict(made)}
    return _render(
        "report.html.jinja", sections=sections, data=data, runs=len(outcomes), failures=failures, made=dict(made)
    )


def comparison_page(comparison: Comparison) -> str:
    """The page of two runs or sweeps side by side."""
    labels = _labels(comparison.names)
    pairs = [(pair, _overlaid(pair, labels, f"pair-{place}")) for place, pair in enumerate(comparison.pairs, 1)]
    return _render(
        "comparison.html.jinja", comparison=comparison, labels=labels, pairs=pairs, data=comparison.to_json()
    )


def _section(group: Group, anchor: str, *, drawn: bool) -> Section:
    what = fidelity.of(group.one.fidelity, group.one.notes)
    figures = _figures(group, anchor) if drawn else []
    return Section(group, anchor, what, [_tile(metric) for metric in group.metrics[:_TILES]], figures, drawn)


def _figures(group: Group, key: str) -> list[Drawn]:
    side = [Side(group)]
    timed = [name for name in group.curves if name not in _LATER and not (name == "online" and _all_stay(group))]
    drawn: list[Drawn | None] = [
        *(curve(name, side, key) for name in timed),
        *(dots(metric.name, group, key) for metric in _telling(group)),
        *(spread(name, side, key) for name in group.sample_names),
        *(curve(name, side, key) for name in _LATER if name in group.curves),
        topology(group, key),
    ]
    return [figure for figure in drawn if figure is not None]


def _all_stay(group: Group) -> bool:
    """Whether nobody goes down once all are up: a picture of that shows nothing."""
    low = group.curves["online"].low
    up = next((place for place, share in enumerate(low) if share == 1), len(low))
    return up < len(low) and min(low[up:]) == 1


def _telling(group: Group) -> list[Metric]:
    """The metrics that are worth a figure run by run: the first, and the redundancy."""
    return [metric for place, metric in enumerate(group.metrics) if place == 0 or metric.name == "redundancy"]


def _overlaid(pair: Pair, labels: Sequence[str], key: str) -> list[Drawn]:
    sides = [
        Side(group, letter, f"{letter} {label}" if len(label) <= _LABEL else letter, colour)
        for group, letter, label, colour in zip((pair.one, pair.other), "AB", labels, ("main", "other"), strict=True)
    ]
    both_curves = [name for name in pair.one.curves if name in pair.other.curves]
    both_samples = [name for name in pair.one.sample_names if name in pair.other.sample_names]
    drawn = [*(curve(name, sides, key) for name in both_curves), *(spread(name, sides, key) for name in both_samples)]
    return [figure for figure in drawn if figure is not None]


def _labels(names: tuple[str, str]) -> list[str]:
    """What two paths do not have in common, from the left and from the right."""
    parts = [list(Path(name).parts) for name in names]
    for end in (0, -1):
        while min(map(len, parts)) > 1 and parts[0][end] == parts[1][end]:
            for one in parts:
                del one[end]
    return ["/".join(one) for one in parts]


def _tile(metric: Metric) -> tuple[str, str, str]:
    show, band = metric.unit.show, metric.band
    around = f"{show(band.low)} to {show(band.high)}" if band.count > 1 and band.low != band.high else ""
    return metric.called, show(band.median), around


def _strip(bands: Iterable[Band]) -> list[dict[str, str]]:
    """Bands on one common scale, as places in per cent of its length."""
    found = list(bands)
    least, most = min(band.least for band in found), max(band.most for band in found)
    length = most - least

    def place(value: float) -> float:
        return 100 * (value - least) / length if length else 50.0

    return [
        {
            "left": f"{place(band.least):.2f}%",
            "width": f"{place(band.most) - place(band.least):.2f}%",
            "low": f"{place(band.low):.2f}%",
            "band": f"{place(band.high) - place(band.low):.2f}%",
            "median": f"{place(band.median):.2f}%",
        }
        for band in found
    ]


def _exact(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


def _finalize(value: Any) -> Any:
    """Every text on its way into the page: printable, on one line, not endless. Markup is ours."""
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _render(template: str, **given: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    check = (_FOLDER / "check.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(check.encode()).digest()).decode()
    environment.globals |= {
        "style": Markup((_FOLDER / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        "check": Markup(check),  # noqa: S704
        "check_digest": digest,
        "svg": Markup,
        "version": __version__,
        "shown": SHOWN,
        "repeat": words.repeat,
        "plural": words.plural,
        "seconds": words.UNITS["s"].show,
        "exact": _exact,
        "strip": _strip,
        "section_of": partial(fidelity.of),
    }
    return environment.get_template(template).render(**given)
