"""Signals: the word to stop, a second one to stop at once, and the word to read the files again."""

import signal
import sys
from collections.abc import Awaitable, Callable

import trio

__all__ = ["StopWord", "heed"]


class StopWord:
    """Whether this node is to stop: in order, or at once. Said once or more, by whomever."""

    def __init__(self) -> None:
        self._said = trio.Event()
        self._again = trio.Event()

    def say(self) -> None:
        """Stop; the second time at once."""
        if self._said.is_set():
            self._again.set()
        self._said.set()

    @property
    def said(self) -> bool:
        return self._said.is_set()

    async def wait(self) -> None:
        """Until this node is to stop."""
        await self._said.wait()

    async def wait_again(self) -> None:
        """Until it is to stop at once."""
        await self._again.wait()


async def heed(
    word: StopWord,
    reload: Callable[[], Awaitable[object]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Pass SIGINT and SIGTERM on to `word`, and call `reload` by SIGHUP, until cancelled.

    Signals of a node that stops are heeded, too: or the second would cut everything short, by the system's default.
    SIGHUP is ignored from then on, as long as the process lives.
    """
    if sys.platform == "win32":  # Ctrl-C comes as an exception there
        task_status.started()
        return
    again = trio.Event()  # to reload
    # What is in place from the end of this task to that of the interpreter: the default would end it by the signal.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def reload_when_told() -> None:
        nonlocal again
        while True:
            await again.wait()
            again = trio.Event()  # before: what is said meanwhile is one more reload, and no more than one
            await reload()

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload_when_told)
            task_status.started()
            async for number in signals:
                if number == signal.SIGHUP:
                    again.set()
                else:
                    word.say()
