"""Modelling: an epidemic, or what one that is fitted to an event world says of another size, as an Outcome."""

import hashlib
import math
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from p2pnoise import __version__
from simulations.outcome import Check, Curve, Outcome

from .epidemic import Epidemic
from .fit import Difference, Fit, Model, Prediction
from .flood import Flood

__all__ = ["MARGIN", "modelled", "predicted"]

MARGIN = 0.03
"""By how much the share may differ from the event world's, three percentage points, where both can be run."""

_SPREAD = "In how many rounds of push and pull do all come to know one thing?"
_LARGER = "How long does what an event world found take in a network of another size?"


def modelled(epidemic: Epidemic, *, seed: int, rounds: int, period: float) -> Outcome:
    """One epidemic, a round of it taking `period` virtual seconds, for so many rounds at most."""
    counts = epidemic.run(seed, rounds=rounds)
    reached = counts[-1] == epidemic.live
    detail = "" if reached else f"{epidemic.live - counts[-1]:,} of {epidemic.live:,} live nodes do not"
    return Outcome(
        scenario="epidemic",
        question=_SPREAD,
        fidelity="model",
        nodes=epidemic.nodes,
        seed=seed,
        virtual_seconds=_rounded((len(counts) - 1) * period),
        checks=(
            Check(
                name=f"all live nodes know within {rounds} rounds",
                holds=reached,
                detail=detail,
                at=None if reached else _rounded(rounds * period),
            ),
        ),
        parameters={**_parameters(epidemic), "seconds_a_round": period},
        metrics={
            "rounds": len(counts) - 1 if reached else None,
            **{
                f"{name}_after": _rounded(first * period) if (first := _first(counts, share * epidemic.live)) else None
                for name, share in (("half_know", 0.5), ("99_in_100_know", 0.99), ("all_know", 1.0))
            },
        },
        curves={
            "informed": tuple((_rounded(number * period), known / epidemic.live) for number, known in enumerate(counts))
        },
        versions=_versions(),
        trace_hash=hashlib.blake2b(repr(counts).encode(), digest_size=16).hexdigest(),
    )


def predicted(fit: Fit, prediction: Prediction, compared: Sequence[Difference], *, seed: int) -> Outcome:
    """What a fit says of a size, with its band. `compared`: how far off it was at other sizes, where that is known."""
    compared = [fit.difference, *compared]
    curves = {"informed": prediction.mean, "informed_low": prediction.low, "informed_high": prediction.high}
    points: dict[str, Curve] = {
        name: tuple(
            (_rounded(max(0.0, time)), round(float(share), 9))
            for time, share in zip(prediction.times, shares, strict=True)
        )
        for name, shares in curves.items()
    }
    return Outcome(
        scenario="epidemic",
        question=_LARGER,
        fidelity="model",
        nodes=prediction.nodes,
        seed=seed,
        virtual_seconds=_rounded(prediction.times[-1]),
        checks=tuple(
            Check(
                name=f"{one.nodes:,} nodes: within {MARGIN * 100:g} percentage points of the event world",
                holds=one.share <= MARGIN,
                detail=f"{one.share * 100:.2f} percentage points",
                at=None if one.share <= MARGIN else _rounded(one.at),
            )
            for one in compared
        ),
        parameters={
            **_parameters(fit.model),
            "fitted_at_nodes": fit.model.nodes,
            "seconds_a_round": round(fit.period, 6),
        },
        metrics={
            "largest_difference": round(max(one.share for one in compared), 6),
            **{
                f"{name}_{which}": _when(prediction, shares, share)
                for name, share in (("half_know_after", 0.5), ("99_in_100_know_after", 0.99))
                for which, shares in (("early", prediction.high), ("mean", prediction.mean), ("late", prediction.low))
            },
        },
        curves=points,
        versions=_versions(),
        trace_hash=hashlib.blake2b(repr(sorted(points.items())).encode(), digest_size=16).hexdigest(),
    )


def _parameters(epidemic: Model) -> dict[str, float | int | str]:
    if isinstance(epidemic, Flood):
        return {"graph": "flood", "evenness": epidemic.evenness, "begin": epidemic.begin}
    return {
        "begin": epidemic.begin,
        "graph": epidemic.graph,
        "contacts": epidemic.contacts,
        "loss": epidemic.loss,
        "dead": epidemic.dead,
    }


def _first(counts: Sequence[int], at_least: float) -> int | None:
    return next((number for number, known in enumerate(counts) if known >= math.ceil(at_least)), None)


def _when(prediction: Prediction, shares: NDArray[Any], level: float) -> float | None:
    if shares[-1] < level:
        return None
    after = int(np.argmax(shares >= level))
    before = max(0, after - 1)
    return _rounded(float(np.interp(level, shares[[before, after]], prediction.times[[before, after]])))


def _rounded(seconds: float) -> float:
    return round(float(seconds), 6)


def _versions() -> dict[str, str]:
    return {"p2pnoise": __version__, "python": platform.python_version(), "numpy": np.__version__}
