"""TOML scenarios: a question in a file of a few lines, for whoever would rather not write Python.

question = "Does a network of twenty survive the loss of a quarter?"
nodes = 20
seconds = 120

[[faults]]
kind = "crash"
at = 20
share = 0.25

[[expects]]
kind = "converged"
within = 60
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

from .checks import Expectation
from .checks_amounts import EventsAtMost, FirstNodeCarries, Frugal, Quiet, Told
from .checks_hostile import Ignored, Included, OneLink, SlotsFreed
from .checks_lies import Agreed, LiesCost, LiesEndLinks, ToldOnce
from .checks_links import Connected, NobodyFalselyDead, OldKeysGone, RefusesInWords, SteadyViews
from .checks_news import Converged, Cut, Excluded
from .checks_views import HonestCompany
from .clocks import ClockLaw
from .faults import KINDS, Fault, ScheduleError, fault_from
from .network import NetworkLaw
from .scenario import Scenario, ScenarioError, ScenarioFile, Setting

MAX_FILE = 64 * 1024
HINT = "simulations/WRITING.md shows how one looks"
EXPECTATIONS: Mapping[str, Callable[..., Expectation]] = {
    "converged": Converged,
    "connected": Connected,
    "cut": Cut,
    "quiet": Quiet,
    "events-at-most": EventsAtMost,
    "excluded": Excluded,
    "nobody-falsely-dead": NobodyFalselyDead,
    "first-node-carries": FirstNodeCarries,
    "frugal": Frugal,
    "honest-company": HonestCompany,
    "steady-views": SteadyViews,
    "old-keys-gone": OldKeysGone,
    "refuses-in-words": RefusesInWords,
    "agreed": Agreed,
    "ignored": Ignored,
    "included": Included,
    "lies-cost": LiesCost,
    "lies-end-links": LiesEndLinks,
    "one-link": OneLink,
    "slots-freed": SlotsFreed,
    "told": Told,
    "told-once": ToldOnce,
}
_PLAIN = ("nodes", "smoke", "seconds", "start", "begin_with", "disks")  # fields that are taken as they stand
_TYPES: Mapping[str, tuple[type, ...]] = {
    "nodes": (int,),
    "smoke": (int,),
    "seconds": (int, float),
    "start": (int, float),
    "begin_with": (str,),
    "disks": (str,),
}


def read(path: Path) -> ScenarioFile:
    """The scenario in a TOML file. Raises `ScenarioError`."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
        value = tomllib.loads(text.decode()) if len(text) <= MAX_FILE else None
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}", "name a file that can be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {error}", HINT) from None
    if value is None:
        raise ScenarioError(f"{path}: more than {MAX_FILE} bytes", HINT)
    question = value.pop("question", None)
    if not isinstance(question, str) or not question.strip():
        raise ScenarioError(f"{path}: no question", 'begin with: question = "..."')
    try:
        scenario = _scenario(value)
        list(scenario.faults(_probe(scenario)))
    except (TypeError, ValueError, KeyError, ScheduleError) as error:
        raise ScenarioError(f"{path}: {error}", HINT) from None
    return ScenarioFile(
        name=str(path),
        question=question.strip().partition("\n")[0],
        number=None,
        recorded="",
        parameters={},
        make=lambda: scenario,
    )


def _scenario(value: dict[str, Any]) -> Scenario:
    plain = {name: value.pop(name) for name in _PLAIN if name in value}
    for name, one in plain.items():
        if not isinstance(one, _TYPES[name]) or isinstance(one, bool):
            raise TypeError(f"{name} = {one!r} is not what belongs there")
    if plain.get("begin_with", "first") not in ("first", "earlier"):
        raise ValueError("begin_with is first or earlier")
    if plain.get("disks", "memory") not in ("memory", "files"):
        raise ValueError("disks is memory or files")
    faults = value.pop("faults", [])
    expects = [_expectation(dict(one)) for one in value.pop("expects", [])]
    adversaries = {str(kind): float(many) for kind, many in value.pop("adversaries", {}).items()}
    law = NetworkLaw(**value.pop("law", {}))
    clocks = ClockLaw(**value.pop("clocks", {}))
    if value:
        known = ", ".join(("question", *_PLAIN, "law", "clocks", "adversaries", "faults", "expects"))
        raise ValueError(f"{next(iter(value))} is not one of {known}")
    if not expects:
        raise ValueError("nothing is expected: a scenario without [[expects]] has no answer")

    def drawn(setting: Setting) -> Iterable[Fault]:
        return [_fault(dict(one), setting) for one in faults]

    return Scenario(law=law, clocks=clocks, adversaries=adversaries, expects=expects, faults=drawn, **plain)


def _fault(value: dict[str, Any], setting: Setting) -> Fault:
    """A fault that meets `nodes`, or a `share` of all that is drawn; the loss of packets has a share of its own."""
    share = value.get("share")
    kind = KINDS.get(str(value.get("kind")))
    if kind is not None and share is not None and "share" not in {field.name for field in fields(kind)}:
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise ScheduleError(f"share = {share!r}, more than 0 and at most 1")
        del value["share"]
        value["nodes"] = setting.some(share)
    return fault_from(value)


def _expectation(value: dict[str, Any]) -> Expectation:
    kind = value.pop("kind", None)
    if kind not in EXPECTATIONS:
        raise ValueError(f"nothing of kind {kind!r} can be expected; there are {', '.join(EXPECTATIONS)}")
    kinds = value.get("kinds")
    if isinstance(kinds, list):
        value["kinds"] = tuple(map(str, kinds))
    return EXPECTATIONS[kind](**value)


def _probe(scenario: Scenario) -> Setting:
    return Setting(nodes=scenario.nodes, seconds=scenario.seconds, chance=Random(0))  # noqa: S311 - to see it fail here
