"""OneTask: loud refusal where a second task would do what one is doing already."""

from types import TracebackType

import trio

__all__ = ["OneTask"]


class OneTask:
    """Refuses a second task where one is at work."""

    __slots__ = ("_doing", "busy")

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self.busy = False

    def __enter__(self) -> None:
        if self.busy:
            raise trio.BusyResourceError(f"another task is {self._doing} this stream")
        self.busy = True

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.busy = False
