"""Failures: what goes wrong in several tasks of a node, so that it comes out of one block as it was raised."""

from collections.abc import Awaitable, Callable

import trio

__all__ = ["Failures", "split"]


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

    async def catch(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run `function(*args)`; what it raises is added, but that it was cancelled."""
        try:
            await function(*args)
        except BaseException as error:  # noqa: BLE001 - told apart, and none is lost
            cancelled, failed = split(error)
            if failed is not None:
                self.add(failed)
            if cancelled is not None:
                raise cancelled from None

    def come_out(self, error: BaseException | None) -> None:
        """Raise what was added, and `error` of the block itself: one as it is, several as a group."""
        errors = list(self._errors)
        if errors and error is not None:  # they ended the block: of its own there is what is no cancelling
            error = split(error)[1]
        if error is not None:
            errors.insert(0, error)
        if len(errors) == 1:
            _raise(errors[0])
        if errors:
            raise BaseExceptionGroup("several parts of a node's block failed", errors)


def split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What of an error is trio's cancelling, and what is not."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, failed = error.split(trio.Cancelled)
        return (cancelled, failed) if cancelled is not None else (None, error)
    return (error, None) if isinstance(error, trio.Cancelled) else (None, error)


def _raise(error: BaseException) -> None:
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # of where it came from, not of where it was caught
        del error, context
