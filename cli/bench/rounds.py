"""Rounds: every side measured once in turn, A B A B, so that a machine that grows slower does so for all of them."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Progress", "interleave", "progress_bar"]

Progress = Callable[[float], None]
"""Told how much of the whole is done, 0 to 1."""

_MIN_ROUNDS = 3  # below it a quartile says nothing; a guess


def interleave(
    sides: Mapping[str, Callable[[], float]], *, seconds: float, progress: Progress, warm_up: bool = True
) -> dict[str, list[float]]:
    """Samples of each side, by name: one of each a round, for about so many seconds and three rounds at least.

    A first round that is not counted warms the sides up: imports, caches, a processor's clock.
    """
    if warm_up:
        for sample in sides.values():
            sample()
    samples: dict[str, list[float]] = {name: [] for name in sides}
    begun, rounds = time.perf_counter(), 0
    while rounds < _MIN_ROUNDS or time.perf_counter() - begun < seconds:
        for name, sample in sides.items():
            samples[name].append(sample())
        rounds += 1
        progress(min(rounds / _MIN_ROUNDS, (time.perf_counter() - begun) / seconds, 1.0))
    return samples


@contextmanager
def progress_bar(what: str, *, as_json: bool) -> Iterator[Progress]:
    """A bar on a terminal's stderr; nothing elsewhere and where a program reads."""
    if as_json or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich import progress as rich  # noqa: PLC0415 - only where there is a terminal
    from rich.console import Console  # noqa: PLC0415

    bar = rich.Progress(
        rich.TextColumn(what),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda done: bar.update(task, completed=done)
