"""Fields: whether what somebody wrote, in Python or TOML, fits the fields of a dataclass by their types."""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from math import isfinite
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Made = TypeVar("Made")

_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    tuple: "a list of texts",
    type(None): "nothing",
}


def check(made: Any, *, least: float | None = None) -> None:
    """See that each field is of its type, and no number below `least`. Raises ValueError."""
    kind: Any = type(made)
    for name, hint in _hints(kind).items():
        value = getattr(made, name)
        if not _fits(value, hint):
            raise ValueError(f"{name} = {value!r} is not {_words(hint)}")
        if least is not None and isinstance(value, int | float) and value < least:
            raise ValueError(f"{name} = {value!r} is less than {least:g}")


def within(name: str, value: object, least: float, most: float, *, whole: bool = False) -> None:
    """See that a value is a number from `least` to `most`. Raises ValueError."""
    kind = int if whole else float
    if not _fits(value, kind) or not least <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name} = {value!r} is not {_WORDS[kind]} from {least:,.15g} to {most:,.15g}")


def one_of(name: str, value: object, words: Sequence[str]) -> None:
    """See that a value is one of these. Raises ValueError."""
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} = {value!r} is not {' or '.join(words)}")


def table(value: object, name: str) -> dict[str, Any]:
    """A copy of a table of TOML. Raises ValueError for anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} = {value!r} is no table: it begins with [{name}]")  # noqa: TRY004 - as all refusals
    return dict(value)


def tables(value: object, name: str) -> list[dict[str, Any]]:
    """A copy of the tables of TOML that share a name. Raises ValueError for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError(f"{name} is no list of tables: each begins with [[{name}]]")
    return [dict(one) for one in value]


def make(kind: Callable[..., Made], value: Mapping[str, Any], what: str, *, least: float | None = None) -> Made:
    """The object whose fields are in a table, `what` by name. Raises ValueError that says which do not fit."""
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    unknown = [name for name in value if name not in known]
    missing = [name for name, one in known.items() if name not in value and _is_needed(one)]
    if unknown:
        raise ValueError(f"{what}: {unknown[0]} is not one of its fields: {', '.join(known) or 'it has none'}")
    if missing:
        raise ValueError(f"{what}: {missing[0]} is missing")
    try:
        made = kind(**{name: tuple(one) if isinstance(one, list) else one for name, one in value.items()})
        check(made, least=least)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    return made


def _is_needed(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of this type; a whole number is a number, and what is neither finite nor one is none."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if hint is float:
        return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]
    return type(value) is hint


def _words(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_words(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(map(str, get_args(hint)))
    return _WORDS[get_origin(hint) or hint]
