"""`p2pnoise simulate`: the same node by the thousand, in virtual time, repeatable bit for bit."""

from collections.abc import Mapping
from typing import ClassVar

import click

from cli.lazy import LazyGroup


class _Verbs(LazyGroup):
    verbs: ClassVar[Mapping[str, tuple[str, str]]] = {
        "list": ("cli.simulate.scenarios:list_", "list the questions that can be asked"),
        "show": ("cli.simulate.scenarios:show", "show a scenario, its parameters and its last answer"),
        "run": ("cli.simulate.run", "run a scenario once"),
        "sweep": ("cli.simulate.sweep", "run scenarios with many seeds each"),
        "model": ("cli.simulate.model", "model how one thing spreads among a million nodes"),
        "compare": ("cli.simulate.compare", "lay two runs or sweeps side by side"),
        "replay": ("cli.simulate.replay", "run it again, hold it at a moment, and look inside its nodes"),
        "shrink": ("cli.simulate.shrink", "make a run that went wrong as small as it can be"),
        "validate": ("cli.simulate.validate", "compare the simulator with real processes"),
        "mutants": ("cli.simulate.mutants", "break the node's rules one by one, and see who notices"),
    }


@click.group(cls=_Verbs)
def command() -> None:
    """Simulate networks of real nodes.

    Every node is the same code as p2pnoise run, with real handshakes and cards, in virtual time. The same scenario,
    size and seed give the same trace hash on any machine: it covers every byte of every delivery.

    \b
    Example:
      p2pnoise simulate list
      p2pnoise simulate run cold-start --nodes 100 --seed 7
    """
