"""The demo's views: live on a terminal, plain lines elsewhere, one JSON object a line for machines."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .demo_stage import Stage
from .output import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


class View:
    """Plain lines: one for every step that begins, one for everything worth telling in it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._begun = time.monotonic()

    def step(self, number: int, title: str) -> None:
        """A step begins."""
        self._print(f"{number}. {title}")

    def tell(self, text: str, **facts: Any) -> None:  # noqa: ARG002 - machines read the facts, people the text
        """Something that a step shows."""
        self._print(f"   {text}")

    def done(self, number: int, seconds: float) -> None:  # noqa: ARG002
        """A step did what it says."""
        self._print(f"   done in {seconds:.1f} s")

    def summary(self, lines: list[str], facts: dict[str, Any]) -> None:  # noqa: ARG002
        """The end of the story."""
        self._print("", *lines)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the story is told."""
        yield

    def _print(self, *lines: str) -> None:
        for line in lines:
            print(plain(line), flush=True)


class JsonView(View):
    """Facts only."""

    def step(self, number: int, title: str) -> None:
        self._object({"step": number, "title": title})

    def tell(self, text: str, **facts: Any) -> None:
        self._object({"tell": text, **facts})

    def done(self, number: int, seconds: float) -> None:
        self._object({"done": number, "seconds": round(seconds, 3)})

    def summary(self, lines: list[str], facts: dict[str, Any]) -> None:  # noqa: ARG002
        self._object({"summary": facts})

    def _object(self, value: dict[str, Any]) -> None:
        print(json.dumps({"at": round(time.monotonic() - self._begun, 3), **value}), flush=True)


class LiveView(View):
    """The story above, and below it a table of all nodes that moves while they do."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        from rich.console import Console  # noqa: PLC0415 - only where there is a terminal

        self._console = Console(highlight=False)

    def step(self, number: int, title: str) -> None:
        self._console.print(f"[bold]{number}. {title}[/bold]")

    def done(self, number: int, seconds: float) -> None:  # noqa: ARG002
        self._console.print(f"   [green]✓[/green] done in {seconds:.1f} s")

    @contextmanager
    def shown(self) -> Iterator[None]:
        from rich.live import Live  # noqa: PLC0415

        with Live(get_renderable=self._table, console=self._console, refresh_per_second=8, transient=True):
            yield

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(plain(line), markup=False)

    def _table(self) -> "RenderableType":
        from rich.table import Table  # noqa: PLC0415

        table = Table("node", "process", "listens on", "cards it verified", "live links", box=None, padding=(0, 2))
        for actor in list(self._stage.actors):
            process = str(actor.process.pid) if actor.process is not None and actor.running else "-"
            style = {"revoked": "red", "outsider": "yellow", "killed": "dim"}.get(actor.role, "")
            table.add_row(
                actor.name, process, actor.address or "-", "●" * actor.knows, "━" * len(actor.links), style=style
            )
        return table


def choose(stage: Stage, *, as_json: bool) -> View:
    """The view that fits where stdout goes."""
    if as_json:
        return JsonView(stage)
    return LiveView(stage) if sys.stdout.isatty() else View(stage)
