"""Script: a fuzzer's bytes, read as a list of choices, so that a mutation of the bytes is another story."""

from collections.abc import Sequence
from typing import TypeVar

_Choice = TypeVar("_Choice")


class Script:
    """Reads from the front. Past the end every byte is 0, so any bytes are a whole script."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left to read."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0] if self else 0

    def choose(self, choices: Sequence[_Choice]) -> _Choice:
        """One of up to 256 choices, by one byte."""
        return choices[self.byte() % len(choices)]

    def take(self, length: int) -> bytes:
        """The next bytes, as many as are left at most."""
        taken = self._data[self._at : self._at + length]
        self._at += len(taken)
        return taken

    def chunk(self) -> bytes:
        """Bytes behind a length of one byte; 255 means all that is left."""
        length = self.byte()
        return self.take(length if length < 255 else len(self._data))
