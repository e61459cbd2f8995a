"""Fields: how the maps inside signed statements are read, one closed table of names and checks per kind of map."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from . import codec
from .findings import CardError

TEN_YEARS = 3653 * 86400  # seconds; the longest validity of anything

_Key = TypeVar("_Key")

_NAME = re.compile(r"[a-z0-9._-]+")
_EXTENSION = re.compile(r"x-[a-z0-9-]{1,30}")
MAX_EXTENSIONS = 256  # bytes, encoded


@dataclass(frozen=True, slots=True)
class Field:
    """One name of a map: `check(value, name)` gives the value to keep, or raises `CardError`."""

    check: Callable[[Any, str], Any]
    required: bool = True


def read_map(data: bytes, fields: Mapping[str, Field], *, limit: int, what: str) -> dict[str, Any]:
    """The checked values of the map that `data` encodes; optional ones that are absent are absent.

    Raises `CardError`; a name that the table does not know is refused, so that one meaning has one form.
    """
    value = codec.decode(data, limit=limit, what=what)
    if not isinstance(value, dict):
        raise CardError("malformed", f"{what} is a {type(value).__name__}, map expected")
    unknown = [name for name in value if name not in fields]
    if unknown:
        raise CardError("unknown-field", f"{what} has a field {unknown[0][:40]!r} that version 1 does not know")
    checked = {}
    for name, field in fields.items():
        if name in value:
            checked[name] = field.check(value[name], f"{what}.{name}")
        elif field.required:
            raise CardError("missing-field", f"{what} has no field {name!r}")
    if "nbf" in checked:
        check_validity(checked["nbf"], checked["exp"], what)
    _check_extensions(checked, what)
    return checked


def check_validity(nbf: int, exp: int, what: str) -> None:
    """Raises `CardError` bad-validity unless `nbf` < `exp` (both in seconds) at most ten years apart."""
    if not 0 < exp - nbf <= TEN_YEARS:
        raise CardError("bad-validity", f"{what} is valid from {nbf} to {exp}: {exp - nbf} s, allowed 1 to {TEN_YEARS}")


def version(value: Any, name: str) -> int:
    if type(value) is not int:
        raise CardError("malformed", f"{name} is a {type(value).__name__}, integer expected")
    if value != 1:
        raise CardError("unsupported-version", f"{name} is {value}, we speak 1")
    return value


def integer(value: Any, name: str) -> int:
    if type(value) is not int:
        raise CardError("malformed", f"{name} is a {type(value).__name__}, integer expected")
    return value


def counter(value: Any, name: str) -> int:
    """1 to 2^53-1, as sequence and serial numbers are."""
    if integer(value, name) == 0:
        raise CardError("out-of-range", f"{name} is 0, at least 1")
    return int(value)


def binary(size: int) -> Callable[[Any, str], bytes]:
    def check(value: Any, name: str) -> bytes:
        if not isinstance(value, bytes):
            raise CardError("malformed", f"{name} is a {type(value).__name__}, binary expected")
        if len(value) != size:
            raise CardError("malformed", f"{name} of {len(value)} bytes, {size} expected")
        return value

    return check


def key(kind: Callable[[bytes], _Key]) -> Callable[[Any, str], _Key]:
    """A public key of 32 bytes as `kind`, whose constructor raises `CardError` for those that nobody can own."""
    raw = binary(32)
    return lambda value, where: kind(raw(value, where))


def name(limit: int) -> Callable[[Any, str], str]:
    """A name of 1 to `limit` characters a-z 0-9 . _ -: nothing that looks like something else."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise CardError("malformed", f"{where} is a {type(value).__name__}, text expected")
        if not 1 <= len(value) <= limit or not _NAME.fullmatch(value):
            raise CardError("bad-name", f"{where} is {value[:80]!r}: 1 to {limit} of a-z 0-9 . _ - expected")
        return value

    return check


def array(
    item: Callable[[Any, str], Any], limit: int, *, ordered: bool = False, least: int = 1
) -> Callable[[Any, str], tuple[Any, ...]]:
    """An array of `least` to `limit` items; an `ordered` one is sorted without repeats."""

    def check(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise CardError("malformed", f"{where} is a {type(value).__name__}, array expected")
        if not least <= len(value) <= limit:
            raise CardError("malformed", f"{where} has {len(value)} entries, {least} to {limit} allowed")
        items = tuple(item(entry, where) for entry in value)
        if ordered and list(items) != sorted(set(items)):
            raise CardError("not-deterministic", f"{where} is not sorted without repeats")
        return items

    return check


def _extensions(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise CardError("malformed", f"{where} is not a map with entries")
    size = len(codec.encode(value))
    if size > MAX_EXTENSIONS:
        raise CardError("too-large", f"{where} of {size} bytes, limit {MAX_EXTENSIONS}")
    for key in value:
        if not _EXTENSION.fullmatch(key):
            raise CardError("unknown-field", f"{where} has a name {key[:40]!r}; names begin with x-")
    return value


def _check_extensions(checked: dict[str, Any], what: str) -> None:
    for key in checked.get("crit", ()):
        if key not in checked.get("ext", {}):
            raise CardError("malformed", f"{what}.crit names {key!r}, which {what}.ext does not have")
        # No extension is known yet; one that the sender insists on cannot be honoured.
        raise CardError("unknown-critical", f"{what} demands the extension {key!r}, which we do not know")


EXTENSION_FIELDS = {
    "crit": Field(array(name(32), 16, ordered=True), required=False),
    "ext": Field(_extensions, required=False),
}
