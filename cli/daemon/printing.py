"""Printing: what happens, on stdout as it comes or comes due, by the log book that the configuration asks for."""

import sys
import time
from collections.abc import Iterable

import trio

from p2pnoise.events import Event

from .config import Log
from .logs import LogBook

__all__ = ["Printer"]

LOOK = 1.0  # seconds between two looks at what has come due


class Printer:
    """Writes to stdout. Raises OSError where nobody reads it any more."""

    def __init__(self, config: Log) -> None:
        self._config = config
        self._book = LogBook(config)

    def tell(self, event: Event) -> None:
        """Something happened."""
        _write(self._book.take(event, time.time()))

    def configure(self, config: Log) -> None:
        """From now on as this says."""
        if config != self._config:
            self.close()
            self._config, self._book = config, LogBook(config)

    async def keep_time(self) -> None:
        """Write what comes due, until cancelled."""
        while True:
            await trio.sleep(LOOK)
            _write(self._book.flush(time.time()))

    def close(self) -> None:
        """Write what was only counted so far."""
        _write(self._book.end(time.time()))


def _write(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text:
        # One write: a log that is read while it grows never shows half an event.
        sys.stdout.write(text)
        sys.stdout.flush()
