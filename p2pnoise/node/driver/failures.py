"""Failures: what goes wrong in several tasks of a node, so that it comes out of one block as it was raised."""

from collections.abc import Callable

import trio

__all__ = ["Failures"]


class Failures:
    """The errors that are to come out of the block; `on_first` ends the block for the first of them."""

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._errors: list[BaseException] = []
        self._on_first = on_first

    def __bool__(self) -> bool:
        return bool(self._errors)

    def add(self, error: BaseException) -> None:
        """Let this one come out of the block, too."""
        self._errors.append(error)
        if len(self._errors) == 1:
            self._on_first()

    def come_out(self, error: BaseException | None) -> None:
        """Raise what was added, and `error` of the block itself: one as it is, several as a group."""
        errors = list(self._errors)
        if error is not None and not (errors and isinstance(error, trio.Cancelled)):
            errors.insert(0, error)
        if len(errors) == 1:
            _raise(errors[0])
        if errors:
            raise BaseExceptionGroup("several parts of a node's block failed", errors)


def _raise(error: BaseException) -> None:
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # of where it came from, not of where it was caught
        del error, context
