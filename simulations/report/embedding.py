"""Embedding: what of the outcomes travels inside the page, so that it can be read by a program and stays a page."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from simulations.outcome import Outcome

from .bands import POINTS, thinned
from .groups import Group

__all__ = ["LIMIT", "embedded"]

LIMIT = 1_500_000
"""So many bytes of outcomes are embedded at most: a page is to open on a telephone."""
_BULK = ("curves", "samples", "edges", "down", "schedule", "kinds")


def embedded(groups: Sequence[Group]) -> dict[str, Any]:
    """The bands as drawn, and the outcomes as far as they fit: whole, or without what is one figure per node and time,
    or the broken ones first. `left_out` says what is not there."""
    bands = [
        {
            "scenario": group.one.scenario,
            "fidelity": group.one.fidelity,
            "nodes": group.one.nodes,
            "curves": {
                name: {"t": band.times, "low": band.low, "median": band.median, "high": band.high, "runs": band.runs}
                for name, band in group.curves.items()
            },
        }
        for group in groups
    ]
    outcomes = [outcome for group in groups for outcome in group.outcomes]
    whole = _fitting(map(_thin, outcomes))
    if len(whole) == len(outcomes):
        cut = any(len(curve) > POINTS for outcome in outcomes for curve in outcome.curves.values())
        return {"bands": bands, "outcomes": whole, "left_out": f"curves are cut to {POINTS} points" if cut else ""}
    ordered = sorted(outcomes, key=lambda outcome: outcome.ok)
    bare = _fitting(_fields(one, without=_BULK) for one in ordered)
    left_out = f"{', '.join(_BULK)} of each run"
    if len(bare) < len(outcomes):
        left_out += f"; {len(outcomes) - len(bare):,} of {len(outcomes):,} runs, of those that broke nothing first"
    return {"bands": bands, "outcomes": bare, "left_out": left_out}


def _fields(outcome: Outcome, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """As `Outcome.to_json`, which copies every point of every curve."""
    names = [one.name for one in fields(outcome) if one.name not in without]
    checks = [asdict(check) for check in outcome.checks]
    return {**{name: getattr(outcome, name) for name in names}, "checks": checks, "ok": outcome.ok}


def _thin(outcome: Outcome) -> dict[str, Any]:
    return {**_fields(outcome), "curves": {name: thinned(curve, POINTS) for name, curve in outcome.curves.items()}}


def _fitting(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of them that are together no larger than the limit."""
    found, size = [], 0
    for value in values:
        size += len(json.dumps(value, separators=(",", ":")))
        if size > LIMIT:
            break
        found.append(value)
    return found
