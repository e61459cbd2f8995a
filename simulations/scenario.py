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
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from p2pnoise.config import NodeConfig
from p2pnoise.errors import P2PNoiseError

from .clocks import ClockLaw
from .faults import Fault, ScheduleError
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
    """When a run is over, unless all that it expects is settled before and nothing more goes wrong."""
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
        if "bytes" in self.fidelities and not self.adversaries and not self.clocks.drift:
            object.__setattr__(self, "fidelities", tuple(dict.fromkeys((*self.fidelities, "virtual"))))


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
            return self.make(**given)

    @contextmanager
    def fitting(self, nodes: int | None = None) -> Iterator[None]:
        """While it is made of what somebody asked for: what does not go together is theirs. Raises `ScenarioError`."""
        try:
            yield
        except (ArithmeticError, LookupError, ValueError, ScheduleError) as error:
            of = "" if nodes is None else f" of {nodes} node{'s' * (nodes != 1)}"
            raise ScenarioError(
                f"{self.name} cannot be asked{of} with these parameters: {error}",
                f"take other numbers; p2pnoise simulate show {self.name} names its own",
            ) from error


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
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ScenarioError(f"{path}: there is no such file", "name a scenario of `p2pnoise simulate list`, or a file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ScenarioError(f"{path}: {why}", "mend the file; simulations/WRITING.md shows how one looks") from error
    return _read(module, str(path))


def _read(module: ModuleType, name: str) -> ScenarioFile:
    make: Any = getattr(module, "scenario", None)
    question = (module.__doc__ or "").strip().partition("\n")[0]
    if not callable(make) or not question:
        raise ScenarioError(
            f"{name}: no question in its first line, or no function `scenario`",
            "simulations/WRITING.md shows how a scenario looks",
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
