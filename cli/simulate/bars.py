"""Bars: how far a simulation has come, on a terminal's stderr, and nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["bar"]


@contextmanager
def bar(before: str, after: str = "", *, remaining: bool = False) -> Iterator[Callable[..., None]]:
    """What is yielded is told how far it is, `completed` of `total`, and all else that the texts show of `task`.

    `before` and `after` the bar stand texts with fields such as `{task.completed}`; with `remaining` the time that is
    left by the pace so far, too. Nothing is shown before something was told.
    """
    if not sys.stderr.isatty():
        yield lambda **_told: None
        return
    from rich import progress as rich  # noqa: PLC0415 - only where there is a terminal
    from rich.console import Console  # noqa: PLC0415

    columns: list[rich.ProgressColumn] = [rich.TextColumn(before), rich.BarColumn()]
    if remaining:
        columns.append(rich.TimeRemainingColumn())
    with rich.Progress(*columns, rich.TextColumn(after), console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", visible=False)

        def tell(**told: Any) -> None:
            shown.update(task, visible=True, **told)

        yield tell
