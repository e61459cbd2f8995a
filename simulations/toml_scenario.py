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
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any, get_args

from p2pnoise.events import Event

from .adversaries import KINDS as ADVERSARIES
from .checks import Expectation
from .checks_amounts import EventsAtMost, FirstNodeCarries, Frugal, Quiet, Told
from .checks_hostile import Ignored, Included, OneLink, SlotsFreed
from .checks_lies import Agreed, LiesCost, LiesEndLinks, ToldOnce
from .checks_links import Connected, NobodyFalselyDead, OldKeysGone, RefusesInWords, SteadyViews
from .checks_news import Converged, Cut, Excluded
from .checks_views import HonestCompany
from .clocks import ClockLaw
from .faults import KINDS, Fault, ScheduleError, checked, fault_from
from .fields import make, one_of, table, tables
from .network import NetworkLaw
from .scenario import Scenario, ScenarioError, ScenarioFile, Setting

MAX_FILE = 64 * 1024
HINT = "simulations/WRITING.md shows how one looks"
EXPECTATIONS: Mapping[str, type[Any]] = {
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
_EVENTS = sorted(one.kind for one in get_args(Event))
_OWN_KIND = "event"  # what the field `kind` of an expectation is called here, where `kind` says which one is meant


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
        checked(scenario.faults(_probe(scenario)), nodes=scenario.nodes)
    except (ValueError, ScheduleError) as error:
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
    faults = tables(value.pop("faults", []), "faults")
    expects = tables(value.pop("expects", []), "expects")
    adversaries = table(value.pop("adversaries", {}), "adversaries")
    law = make(NetworkLaw, table(value.pop("law", {}), "law"), "law")
    clocks = make(ClockLaw, table(value.pop("clocks", {}), "clocks"), "clocks")
    if value:
        known = ", ".join(("question", *_PLAIN, "law", "clocks", "adversaries", "faults", "expects"))
        raise ValueError(f"{next(iter(value))} is not one of {known}")
    if not expects:
        raise ValueError("nothing is expected: a scenario without [[expects]] has no answer")
    for kind in adversaries:
        one_of("adversaries", kind, tuple(ADVERSARIES))

    def drawn(setting: Setting) -> Iterable[Fault]:
        return [_fault(dict(one), setting) for one in faults]

    return Scenario(
        law=law,
        clocks=clocks,
        adversaries=adversaries,
        expects=[_expectation(one, adversaries) for one in expects],
        faults=drawn,
        **plain,
    )


def _fault(value: dict[str, Any], setting: Setting) -> Fault:
    """A fault that meets `nodes`, or a `share` of all that is drawn; the loss of packets has a share of its own."""
    share = value.get("share")
    kind = KINDS.get(str(value.get("kind")))
    if kind is not None and share is not None and "share" not in {field.name for field in fields(kind)}:
        if "nodes" in value:
            raise ScheduleError(f"fault {kind.kind}: both nodes and share; one of them says whom it meets")
        if type(share) not in (int, float) or not 0 < share <= 1:
            raise ScheduleError(f"share = {share!r}, more than 0 and at most 1")
        del value["share"]
        value["nodes"] = setting.some(share)
    fault = fault_from(value)
    if fault.at >= setting.seconds:  # of those that are drawn it may be so by chance
        raise ScheduleError(f"fault {fault.kind}: at = {fault.at:g}, and the run is over after {setting.seconds:g} s")
    return fault


def _expectation(value: dict[str, Any], adversaries: Mapping[str, Any]) -> Expectation:
    kind = value.pop("kind", None)
    if not isinstance(kind, str) or kind not in EXPECTATIONS:
        raise ValueError(f"nothing of kind {kind!r} can be expected; there are {', '.join(EXPECTATIONS)}")
    what, called = f"expects {kind}", {name: field for field, name in fields_of(kind).items()}
    for name in value:
        if name not in called:
            raise ValueError(f"{what}: {name} is not one of its fields: {', '.join(called) or 'it has none'}")
    made: Expectation = make(EXPECTATIONS[kind], {called[name]: one for name, one in value.items()}, what, least=0)
    _check_names(made, what, adversaries)
    return made


def fields_of(kind: str) -> dict[str, str]:
    """The fields of an expectation of this kind, each with the name that it has in a file."""
    return {one.name: _OWN_KIND if one.name == "kind" else one.name for one in fields(EXPECTATIONS[kind])}


def _check_names(made: Expectation, what: str, adversaries: Iterable[str]) -> None:
    """A name that nothing has would have anything hold."""
    match made:
        case Agreed(kinds=()) | Excluded(kinds=()) | Included(kinds=()):
            raise ValueError(f"{what}: kinds names nobody")
        case Agreed(kinds=kinds) | Excluded(kinds=kinds) | Included(kinds=kinds):
            for one in kinds:
                if one not in adversaries:
                    raise ValueError(f"{what}: kinds = {one!r}, of which there is none in [adversaries]")
        case EventsAtMost(kind=kind) | Told(kind=kind):
            if kind not in _EVENTS:
                raise ValueError(f"{what}: {_OWN_KIND} = {kind!r}, which no node tells; they tell {', '.join(_EVENTS)}")
        case Converged(apart_from=kinds):
            for one in kinds:
                one_of(f"{what}: apart_from", one, tuple(KINDS))


def _probe(scenario: Scenario) -> Setting:
    return Setting(nodes=scenario.nodes, seconds=scenario.seconds, chance=Random(0))  # noqa: S311 - to see it fail here
