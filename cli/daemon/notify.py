"""Notify: word to the service manager that started us: ready, reloading, stopping, alive. Source: sd_notify(3).

A datagram to the socket that NOTIFY_SOCKET names; silence where it names none.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

import trio

__all__ = ["Notifier"]

MAX_STATUS = 200  # characters; a line of systemctl status


class Notifier:
    """Tells the service manager how we are. What it cannot be told is lost: we run without it, too."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # An abstract name begins with a NUL byte, which no environment variable can hold.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._interval = _watchdog(environment) if name else None

    def ready(self, status: str) -> None:
        """We run; after `reloading` too."""
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """Files are read again; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """We end; nothing else follows."""
        self._tell("STOPPING=1", _status(status))

    async def keep_alive(self) -> None:
        """Say twice in each interval of the watchdog that we live, if there is one; until cancelled.

        From the task of trio, so that it falls silent when trio hangs.
        """
        while self._interval is not None:
            self._tell("WATCHDOG=1")
            await trio.sleep(self._interval / 2)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as carrier:
            carrier.setblocking(False)  # noqa: FBT003 - the name of the function says what
            carrier.sendto("\n".join(lines).encode(), self._address)


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds of the watchdog's interval, where it waits for this process."""
    try:
        microseconds = int(environment["WATCHDOG_USEC"])
        process = int(environment.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return microseconds / 1_000_000 if microseconds > 0 and process == os.getpid() else None


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())[:MAX_STATUS]
