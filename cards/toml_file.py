"""TOML files that people write: values checked one by one; what is wrong is named with line and column.

tomllib tells the place of what is no TOML, and none of what is: `place` finds it again in the text.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from .findings import CardError

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the outermost table inwards, and numbers of items of arrays."""

Check: TypeAlias = Callable[[Any, Path], Any]
"""The value of a file as it is used. Raises `Wrong`."""

DAY = 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_T = TypeVar("_T")


class Wrong(Exception):  # noqa: N818 - says where
    """What is wrong under a path of keys."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path: Path = path


def read(text: str, what: str, most: int, check: Callable[[dict[str, Any]], _T]) -> _T:
    """What `check` makes of the table in `text`, of at most so many characters.

    Raises `Wrong`, with line and column in its sentence as far as they are known.
    """
    if len(text) > most:
        raise Wrong(f"{what} of {len(text)} characters, limit {most}")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError too: a number of 5,000 digits raises it bare
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
        end = f"at line {line}, column {column}, the end"
        raise Wrong(f"not TOML: {error}".replace("at end of document", end)) from None
    try:
        return check(table)
    except Wrong as wrong:
        raise Wrong(f"{place(text, wrong.path)}{wrong}", *wrong.path) from None


def dotted(path: Path) -> str:
    """A path as sentences have it; which item of an array it is, is said by line and column."""
    return ".".join(key for key in path if isinstance(key, str))


# Checks


def plain(check: Callable[[Any, str], Any]) -> Check:
    """A check of `fields` for a value of the file."""

    def checked(value: Any, path: Path) -> Any:
        try:
            return check(value, dotted(path))
        except CardError as error:
            raise Wrong(str(error), *path) from None

    return checked


def seconds(most: int, least: int = 0) -> Check:
    """A number of seconds, or a text like "5m"."""

    def check(value: Any, path: Path) -> int:
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
        seconds = int(found[1]) * _UNITS[found[2]] if found else value
        if type(seconds) is not int or not least <= seconds <= most:
            wanted = f'seconds from {least} to {most} or a text like "5m"'
            raise Wrong(f"{dotted(path)} is {value!r:.80}, {wanted} expected", *path)
        return seconds

    return check


def one_of(*words: str) -> Check:
    def check(value: Any, path: Path) -> str:
        if value not in words:
            raise Wrong(f"{dotted(path)} is {value!r:.80}, one of {', '.join(words)} expected", *path)
        return str(value)

    return check


def several(item: Check, most: int) -> Check:
    """An array of at most so many, each checked."""

    def check(value: Any, path: Path) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise Wrong(f"{dotted(path)} is no array of at most {most}", *path)
        return tuple(item(one, (*path, number)) for number, one in enumerate(value))

    return check


def as_text(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise Wrong(f"{dotted(path)} holds {value!r:.80}, text expected", *path)
    return value


def as_table(value: Any, path: Path, most: int) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > most:
        raise Wrong(f"{dotted(path)} is no table of at most {most} entries", *path)
    return value


def check_known(given: Mapping[str, Any], known: tuple[str, ...], path: Path, what: str = "") -> None:
    """Whether all keys of a table, which the file calls `what` where it is the outermost, are known."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            suggestion = f"; did you mean {near[0]!r}?" if near else ""
            raise Wrong(f"{dotted(path) or what} has an unknown key {key[:40]!r}{suggestion}", *path, key)


# Places


def place(text: str, path: Path) -> str:
    """Line and column of the innermost key or item of `path` that stands in this text, which tomllib has read."""
    offsets = _Places(text).offsets
    for length in range(len(path), 0, -1):
        at = offsets.get(path[:length])
        if at is not None:
            line = text.count("\n", 0, at) + 1
            return f"line {line}, column {at - text.rfind(chr(10), 0, at)}: "
    return ""


_WORD = re.compile(
    r'''
      [ \t\r]+ | \#[^\n]*
    | (?P<string> """(?:\\.|[^\\])*?"{3,5} | \'{3}.*?\'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<mark> [\n\[\]{}=,.] )
    | (?P<bare> [^\s\[\]{}=,."'#]+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


class _Places:
    """Where each key and each item of a text stands, by its path: all words are read once, from left to right."""

    def __init__(self, text: str) -> None:
        self.offsets: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}  # of the tables in an array of tables
        self._words = self._read(text)
        self._next()
        self._read_file()

    def _read(self, text: str) -> Iterator[tuple[str, int]]:
        for found in _WORD.finditer(text):
            if found.lastgroup is not None:
                yield found[0], found.start()

    def _next(self) -> None:
        self._word, self._at = next(self._words, ("", -1))

    def _read_file(self) -> None:
        under: Path = ()
        while self._word:
            if self._word == "\n":
                self._next()
            elif self._word == "[":
                under = self._header()
            else:
                self._pair(under)

    def _header(self) -> Path:
        self._next()
        begins = self._at
        array = self._word == "["
        if array:
            self._next()
            begins = self._at
        path: Path = ()
        *outer, last = self._keys("]")
        for key in outer:
            self.offsets.setdefault((*path, key), begins)
            path = self._last((*path, key))
        path = (*path, last)
        if array:
            self._counts[path] = self._counts.get(path, -1) + 1
            self._next()
        self.offsets.setdefault(path, begins)
        path = self._last(path)
        self.offsets.setdefault(path, begins)
        self._next()
        return path

    def _last(self, path: Path) -> Path:
        """The table that a name means: of an array of tables it is the last."""
        return (*path, self._counts[path]) if path in self._counts else path

    def _keys(self, end: str) -> list[str]:
        """The keys of a dotted key, up to what ends it."""
        keys = []
        while self._word and self._word != end:
            if self._word != ".":
                keys.append(_bare(self._word))
            self._next()
        return keys

    def _pair(self, under: Path) -> None:
        at = self._at
        path = (*under, *self._keys("="))
        for length in range(len(under) + 1, len(path) + 1):
            self.offsets.setdefault(path[:length], at)
        self._next()
        self._value(path)

    def _value(self, path: Path) -> None:
        opened = self._word
        if opened not in ("[", "{"):
            while self._word and self._word not in ("\n", ",", "]", "}"):  # a number may be several
                self._next()
            return
        self._next()
        number = 0
        while self._word and self._word not in ("]", "}"):
            if self._word in ("\n", ","):
                self._next()
            elif opened == "[":
                self.offsets.setdefault((*path, number), self._at)
                self._value((*path, number))
                number += 1
            else:
                self._pair(path)
        self._next()


def _bare(word: str) -> str:
    """A key without its quotes."""
    if word.startswith('"'):
        key: str = tomllib.loads(f"key = {word}")["key"]
        return key
    return word.strip("'")
