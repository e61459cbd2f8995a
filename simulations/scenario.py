"""Scenario: one question asked of a network, as data: how many nodes, on what lines, what goes wrong, what must hold.

A file of scenarios/ asks its question in its first line and has a function `scenario`, whose keyword arguments are the
parameters that may be set and swept:

    '''How long does it take until everybody knows everybody, when one packet in twenty is lost?'''

    from simulations import Converged, Loss, Scenario

    def scenario(*, loss: float = 0.05) -> Scenario:
        return Scenario(
            nodes=50,
            seconds=60,
            faults=lambda setting: [Loss(at=0, until=60, share=loss)],
            expects=[Converged(within=30)],
        )
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from p2pnoise.config import NodeConfig
from p2pnoise.errors import P2PNoiseError

from . import own_python
from .clocks import ClockLaw
from .faults import Fault, ScheduleError
from .fields import check, one_of, within
from .neighbourhoods import Networks
from .network import NetworkLaw
from .oracle import YEAR
from .outcome import Value

if TYPE_CHECKING:
    from .checks import Expectation
    from .comparing import Comparison
    from .experiment import Experiment

Fidelity = Literal["bytes", "messages", "virtual"]
MAX_NODES = 200_000
MAX_BYTES_NODES = 5_000  # where every node is a whole one; more of them fit no memory
MAX_SECONDS = 1e9
LOOKS = "simulations/WRITING.md shows how one looks"


class ScenarioError(P2PNoiseError):
    """A scenario that does not exist, or says what no world can be. Nothing was run. `hint` is what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a scenario may draw its faults from: how many nodes there are, how long it lasts, and chance."""

    nodes: int
    seconds: float
    chance: Random

    def some(self, share: float, *, but: Sequence[int] = (0,)) -> tuple[int, ...]:
        """A share of all nodes, at least one, drawn anew each time; never those in `but`, the first node as a rule."""
        others = [number for number in range(self.nodes) if number not in but]
        count = min(max(1, round(share * self.nodes)), len(others))
        return tuple(sorted(self.chance.sample(others, count)))


def _nothing(_setting: Setting) -> Iterable[Fault]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to simulate. Seconds are virtual; defaults are those of a small network on a good day."""

    nodes: int = 50
    smoke: int = 12
    """How many nodes are enough to ask the question at all: the size in sweeps of every day."""
    seconds: float = 60.0
    """When a run is over, unless all have started, what it waits for is settled and nothing more goes wrong before."""
    start: float = 1.0
    """The seconds within which all nodes start, the first one at once."""
    begin_with: Literal["first", "earlier"] = "earlier"
    """Whom a newcomer knows: the first node, or any of those before it."""
    law: NetworkLaw = field(default_factory=NetworkLaw)
    clocks: ClockLaw = field(default_factory=ClockLaw)
    config: NodeConfig = field(default_factory=NodeConfig)
    disks: Literal["memory", "files"] = "memory"
    lifetime: int = YEAR
    """Seconds that grants last."""
    faults: Callable[[Setting], Iterable[Fault]] = _nothing
    adversaries: Mapping[str, float] = field(default_factory=dict)
    """How many of each kind there are among the nodes: below 1 a share, else a number. Kinds: adversaries/."""
    absent: bool = False
    """The adversaries have their places, and never come: what the others do then is what they can be compared with."""
    networks: Networks | None = None
    """In which networks of the Internet all live, and whose issuers' cards they have; None is one private network, and
    one issuer. At fidelity messages."""
    publishers: int | None = None
    """How many nodes have cards, the first ones; the others only learn them. None is all. At fidelity messages."""
    expects: Sequence["Expectation"] = ()
    compares: Sequence["Comparison"] = ()
    """With the same run without adversaries."""
    fidelities: tuple[Fidelity, ...] = ("bytes",)
    """At which it runs, the usual one first. What runs at `bytes` runs at `virtual`, too, as long as all nodes are the
    daemon's own and their clocks run alike."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no world can be."""
        _check(self)
        if "bytes" in self.fidelities and not self.adversaries and not self.clocks.drift:
            object.__setattr__(self, "fidelities", tuple(dict.fromkeys((*self.fidelities, "virtual"))))


def _check(said: Scenario) -> None:
    for name in ("nodes", "smoke"):
        within(name, getattr(said, name), 1, MAX_NODES, whole=True)
    within("seconds", said.seconds, 0.001, MAX_SECONDS)
    within("start", said.start, 0, MAX_SECONDS)
    within("lifetime", said.lifetime, 1, MAX_SECONDS, whole=True)
    if said.publishers is not None:
        within("publishers", said.publishers, 0, MAX_NODES, whole=True)
    one_of("begin_with", said.begin_with, ("first", "earlier"))
    one_of("disks", said.disks, ("memory", "files"))
    for name, kind in (("law", NetworkLaw), ("clocks", ClockLaw), ("config", NodeConfig), ("adversaries", Mapping)):
        if not isinstance(getattr(said, name), kind):
            raise ValueError(f"{name} = {getattr(said, name)!r} is no {kind.__name__}")  # noqa: TRY004
    if not callable(said.faults):
        raise ValueError("faults is no function of a setting: write lambda setting: [...]")  # noqa: TRY004
    for kind_of, many in said.adversaries.items():
        within(f"adversaries: {kind_of}", many, 0, MAX_NODES)
    for name, verb in (("expects", "watch"), ("compares", "check")):
        _check_all(name, getattr(said, name), verb)
    for fidelity in said.fidelities:
        one_of("fidelities", fidelity, ("bytes", "messages", "virtual"))
    if not said.fidelities:
        raise ValueError("fidelities: none is named")


def _check_all(name: str, given: object, verb: str) -> None:
    """What is expected or compared is a sequence of objects with this method; those that ship say what numbers are."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(f"{name} = {given!r} is no list")  # noqa: TRY004 - as all refusals
    for one in given:
        if isinstance(one, type) or not callable(getattr(one, verb, None)):
            raise ValueError(f"{name}: {one!r} has no method `{verb}`")  # noqa: TRY004
        if type(one).__module__.startswith("simulations.checks"):
            try:
                check(one, least=0)
            except ValueError as error:
                raise ValueError(f"{name}: {type(one).__name__}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFile:
    """A scenario with its name, its question, its parameters and its last recorded answer."""

    name: str
    question: str
    number: int | None
    """Its number in the list of design, where it has one."""
    recorded: str
    parameters: Mapping[str, Value]
    """With their defaults."""
    make: Callable[..., Scenario]
    experiment: "type[Experiment[Any]] | None" = None
    """What runs it where that is not as all are run: `EXPERIMENT` in its file."""
    path: str = ""
    """Of its file, as Python names it, where that is Python of somebody's own."""

    def with_parameters(self, given: Mapping[str, Value]) -> Scenario:
        """The scenario with these parameters. Raises `ScenarioError`."""
        for name, value in given.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise ScenarioError(f"{self.name} has no parameter {name}", f"its parameters are: {known}")
            kind = type(self.parameters[name])
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ScenarioError(
                    f"{self.name}: {name} = {value!r} is no {kind.__name__}", f"the default is {self.parameters[name]}"
                )
        with self.fitting():
            made = self.make(**given)
        if not isinstance(made, Scenario):
            raise ScenarioError(f"{self.name}: `scenario` returns {made!r}, which is no Scenario", LOOKS)
        return made

    @contextmanager
    def fitting(self, nodes: int | None = None) -> Iterator[None]:
        """While it is made of what somebody asked for: what does not go together is theirs. Raises `ScenarioError`."""
        with self.answering():
            try:
                yield
            except (ArithmeticError, LookupError, ValueError, ScheduleError) as error:
                if self._place_of(error):
                    raise
                of = "" if nodes is None else f" of {nodes} node{'s' * (nodes != 1)}"
                raise ScenarioError(
                    f"{self.name} cannot be asked{of} with these parameters: {error}",
                    f"take other numbers; p2pnoise simulate show {self.name} names its own",
                ) from error

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While its own Python is called: what that raises, or has raised, is its writer's. Raises `ScenarioError`."""
        try:
            yield
        except (Exception, SystemExit) as error:
            self.answer_for(error)
            raise

    def answer_for(self, error: BaseException | None) -> None:
        """Raises `ScenarioError` with the place in its file from which an error came, if it came from there."""
        while isinstance(error, BaseExceptionGroup):  # as trio has them
            error = error.exceptions[0]
        place = self._place_of(error)
        if place and isinstance(error, Exception | SystemExit) and not isinstance(error, ScenarioError):
            raise ScenarioError(f"{place}: {type(error).__name__}: {error}", f"mend the file; {LOOKS}") from error

    def _place_of(self, error: BaseException | None) -> str:
        """FILE:LINE of the last frame in its file, where it is one of somebody's own."""
        line = own_python.place_of(error, self.path) if self.path and error is not None else None
        return f"{self.name}:{line}" if line else ""


def all_scenarios() -> list[ScenarioFile]:
    """Those that ship, in the order of their numbers, then of their names."""
    from . import scenarios  # noqa: PLC0415 - they import this

    names = [one.name for one in pkgutil.iter_modules(scenarios.__path__) if not one.name.startswith("_")]
    files = [_read(importlib.import_module(f"simulations.scenarios.{name}"), name.replace("_", "-")) for name in names]
    return sorted(files, key=lambda one: (one.number is None, one.number or 0, one.name))


def find(name: str) -> ScenarioFile:
    """The scenario of this name that ships, or the one in this `.py` or `.toml` file. Raises `ScenarioError`."""
    if name.endswith((".toml", ".py")) and Path(name).is_dir():
        raise _a_folder(name)
    if name.endswith(".toml"):
        from .toml_scenario import read  # noqa: PLC0415 - it imports this

        return read(Path(name))
    if name.endswith(".py"):
        return _load(Path(name))
    found = next((one for one in all_scenarios() if one.name == name), None)
    if found is None and Path(name).is_dir():
        raise _a_folder(name)
    if found is None:
        raise ScenarioError(f"there is no scenario {name}", "see `p2pnoise simulate list`, or name a .py or .toml file")
    return found


def _a_folder(name: str) -> ScenarioError:
    return ScenarioError(f"{name} is a folder, a file expected", "name a .py or .toml file in it")


def _load(path: Path) -> ScenarioFile:
    if not path.is_file():
        raise ScenarioError(f"{path}: there is no such file", "name a scenario of `p2pnoise simulate list`, or a file")
    for line, what in own_python.unseen(path):
        raise ScenarioError(f"{path}:{line}: {what} is decided by no seed", "take view.now, or setting.chance")
    try:
        module = own_python.load(path)
    except (Exception, SystemExit) as error:
        place = own_python.place_of(error, str(path.absolute()))
        where = f"{path}:{place}" if place else str(path)
        raise ScenarioError(f"{where}: {type(error).__name__}: {error}", f"mend the file; {LOOKS}") from error
    return replace(_read(module, str(path)), path=str(module.__file__))


def _read(module: ModuleType, name: str) -> ScenarioFile:
    make: Any = getattr(module, "scenario", None)
    question = (module.__doc__ or "").strip().partition("\n")[0]
    if not callable(make) or not question:
        raise ScenarioError(
            f"{name}: no question in its first line, or no function `scenario`",
            LOOKS,
        )
    parameters = {one.name: one.default for one in inspect.signature(make).parameters.values()}
    if any(not isinstance(default, Value) for default in parameters.values()):
        raise ScenarioError(f"{name}: a parameter without a default", "give each a number, a text or a truth value")
    return ScenarioFile(
        name=name,
        question=question,
        number=getattr(module, "NUMBER", None),
        recorded=(getattr(module, "RECORDED", None) or "").strip(),
        parameters=parameters,
        make=make,
        experiment=getattr(module, "EXPERIMENT", None),
    )
