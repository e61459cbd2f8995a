"""Policy files: TOML text as the values of a policy, with line and column of what is wrong, and written again."""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from . import fields
from .findings import CardError
from .keys import IdentityId, IssuerId, NodeId, PublicId
from .limits import MAX_DEPTH, MAX_NAMES, Limits, Rule, pattern
from .revocation import MAX_NEXT

MAX_POLICY = 64 * 1024  # characters
MAX_ISSUERS = 16
_MAX_RULES = 16
_MAX_LISTED = 1_000  # keys that are denied or allowed by name
_DAY = 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": _DAY}


def read_policy(text: str) -> dict[str, Any]:
    """The values of a policy by the names of its fields. Raises `CardError` policy-invalid."""
    if len(text) > MAX_POLICY:
        raise CardError("policy-invalid", f"policy of {len(text)} characters, limit {MAX_POLICY}")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError too: a number of 5,000 digits raises it bare
        raise CardError("policy-invalid", f"not TOML: {error}") from None
    try:
        return _read(table)
    except _Wrong as wrong:
        raise CardError("policy-invalid", f"{_place(text, wrong.path)}{wrong}") from None


def write_policy(values: Mapping[str, Any], default: Mapping[str, Any]) -> str:
    """The text of a policy file with its network, its two times and whatever differs from `default`."""
    lines = [f'network = "{values["network"]}"']
    for name, value in values.items():
        if name in ("leeway", "revocation_grace") or (name in _KEYS and value != default[name]):
            lines.append(f"{name} = {_value_text(value)}")
    for table in _GRANTED:
        if values[table]:
            lines += ["", f"[{table}]", *(f'"{name}" = {_value_text(rule)}' for name, rule in values[table].items())]
    for name, key in values["issuers"].items():
        limits = values["limits"].get(name, Limits())
        differing = [limit for limit in _ISSUER_KEYS if getattr(limits, limit) != getattr(Limits(), limit)]
        lines += ["", f'[issuer."{name}"]', f'key = "{key}"']
        lines += [f"{limit} = {_value_text(getattr(limits, limit))}" for limit in differing]
    return "\n".join(lines) + "\n"


def _value_text(value: Any) -> str:
    match value:
        case tuple():
            return f"[{', '.join(map(_value_text, value))}]"
        case Rule(threshold, of):
            return f"{{ threshold = {threshold}{f', of = {_value_text(of)}' if of else ''} }}"
        case int():
            return str(value)
        case _:
            return f'"{value}"'


class _Wrong(Exception):  # noqa: N818 - says where
    """What is wrong under a path of keys."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.path = path


_Check = Callable[[Any, tuple[str, ...]], Any]


def _read(table: Mapping[str, Any]) -> dict[str, Any]:
    issuers = _table(table.get("issuer", {}), ("issuer",), MAX_ISSUERS)
    names = tuple(issuers)
    _only(table, ("network", "issuer", *_GRANTED, *_KEYS), ())
    if "network" not in table:
        raise _Wrong("the policy names no network")
    read: dict[str, Any] = {"network": _plain(fields.name(32))(table["network"], ("network",))}
    read["issuers"] = {name: _issuer_key(name, entry) for name, entry in issuers.items()}
    for name, key in read["issuers"].items():
        first = next(one for one, held in read["issuers"].items() if held == key)
        if first != name:
            # It would have two sets of limits, and "two of these" could mean one key.
            raise _Wrong(f"issuer.{name} has the key of issuer.{first}", "issuer", name, "key")
    read["limits"] = {name: limits for name, entry in issuers.items() if (limits := _limits(name, entry)) != Limits()}
    for key, check in _KEYS.items():
        if key in table:
            read[key] = check(table[key], (key,))
    ruled: list[tuple[tuple[str, ...], Rule]] = [(("app",), rule) for rule in read.get("app", ())]
    for key in _GRANTED:
        given = _table(table.get(key, {}), (key,), _MAX_RULES)
        read[key] = {
            _plain(fields.name(32))(name, (key, name)): _rule(rule, (key, name)) for name, rule in given.items()
        }
        ruled += [((key, name), rule) for name, rule in read[key].items()]
    for where, rule in ruled:
        _check_names(rule.of, names, where)
        if rule.threshold > len(rule.of or names):
            raise _Wrong(f"{'.'.join(where)} needs {rule.threshold} of {len(rule.of or names)} issuers", *where)
    _check_names(read.get("revokers", ()), names, ("revokers",))
    return read


def _plain(check: Callable[[Any, str], Any]) -> _Check:
    """A check of `fields` for a value of the file."""

    def checked(value: Any, path: tuple[str, ...]) -> Any:
        try:
            return check(value, ".".join(path))
        except CardError as error:
            raise _Wrong(str(error), *path) from None

    return checked


def _seconds(most: int) -> _Check:
    def check(value: Any, path: tuple[str, ...]) -> int:
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
        seconds = int(found[1]) * _UNITS[found[2]] if found else value
        if type(seconds) is not int or not 0 <= seconds <= most:
            raise _Wrong(f'{".".join(path)} is {value!r}, seconds from 0 to {most} or a text like "5m" expected', *path)
        return seconds

    return check


def _one_of(*words: str) -> _Check:
    def check(value: Any, path: tuple[str, ...]) -> str:
        if value not in words:
            raise _Wrong(f"{'.'.join(path)} is {value!r}, one of {', '.join(words)} expected", *path)
        return str(value)

    return check


def _several(item: _Check, most: int) -> _Check:
    def check(value: Any, path: tuple[str, ...]) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise _Wrong(f"{'.'.join(path)} is no array of at most {most}", *path)
        return tuple(item(one, path) for one in value)

    return check


def _id(*kinds: type[PublicId]) -> _Check:
    """A key in its text form, of one of these kinds."""

    def check(value: Any, path: tuple[str, ...]) -> PublicId:
        for kind in kinds:
            if isinstance(value, str) and value.startswith(f"{kind.prefix}1"):
                try:
                    return kind.parse(value)
                except CardError as error:
                    raise _Wrong(str(error), *path) from None
        forms = " or ".join(f"{kind.prefix}1…" for kind in kinds)
        raise _Wrong(f"{'.'.join(path)} holds {value!r:.60}, {forms} expected", *path)

    return check


def _rule(value: Any, path: tuple[str, ...]) -> Rule:
    table = _table(value, path, 2)
    _only(table, ("threshold", "of"), path)
    threshold = table.get("threshold", 1)
    if type(threshold) is not int or threshold < 1:
        raise _Wrong(f"{'.'.join(path)}.threshold is {threshold!r}, at least 1 expected", *path)
    return Rule(threshold, tuple(dict.fromkeys(_several(_text, MAX_ISSUERS)(table.get("of", []), (*path, "of")))))


def _rules(value: Any, path: tuple[str, ...]) -> tuple[Rule, ...]:
    """One table, or an array of them that must all be met."""
    rules: tuple[Rule, ...] = _several(_rule, _MAX_RULES)(value if isinstance(value, list) else [value], path)
    if not rules:
        raise _Wrong(f"{'.'.join(path)} is empty: leave it out for one of all issuers", *path)
    return rules


def _text(value: Any, path: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{'.'.join(path)} holds {value!r}, text expected", *path)
    return value


_GRANTED = ("groups", "capabilities")
"""What is granted by name, each with a rule of its own."""

_KEYS: Mapping[str, _Check] = {
    "app": _rules,
    "revokers": _several(_text, MAX_ISSUERS),
    "deny": _several(_id(IdentityId, NodeId), _MAX_LISTED),
    "allow": _several(_id(IdentityId), _MAX_LISTED),
    "tofu": _one_of("off", "ask", "first-use"),
    "stale": _one_of("warn", "refuse"),
    "list_lifetime": _seconds(MAX_NEXT),
    "leeway": _seconds(3600),
    "revocation_grace": _seconds(400 * _DAY),
    "expired_grace": _seconds(400 * _DAY),
}
"""What may stand in a policy file beside its network, its issuers, and what these grant."""


def _issuer_key(name: str, entry: Any) -> IssuerId:
    where = ("issuer", name)
    _plain(fields.name(64))(name, where)
    table = _table(entry, where, len(_ISSUER_KEYS) + 1)
    _only(table, ("key", *_ISSUER_KEYS), where)
    if "key" not in table:
        raise _Wrong(f'issuer.{name} needs key = "issuer1…"', *where)
    key: IssuerId = _id(IssuerId)(table["key"], (*where, "key"))
    return key


def _limits(name: str, entry: Mapping[str, Any]) -> Limits:
    return Limits(
        **{key: check(entry[key], ("issuer", name, key)) for key, check in _ISSUER_KEYS.items() if key in entry}
    )


def _depth(value: Any, path: tuple[str, ...]) -> int:
    if type(value) is not int or not 0 <= value <= MAX_DEPTH:
        raise _Wrong(f"{'.'.join(path)} is {value!r}, 0 to {MAX_DEPTH} expected", *path)
    return value


def _moment(value: Any, path: tuple[str, ...]) -> int:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp())
    if type(value) is not int or value < 0:
        raise _Wrong(f"{'.'.join(path)} is {value!r}, a time like 2027-01-31T00:00:00Z expected", *path)
    return value


_ISSUER_KEYS: Mapping[str, _Check] = {
    "names": _several(_plain(pattern), MAX_NAMES),
    "groups": _several(_plain(fields.name(32)), MAX_NAMES),
    "max_lifetime": _seconds(3653 * _DAY),
    "not_before": _moment,
    "not_after": _moment,
    "depth": _depth,
}


def _table(value: Any, path: tuple[str, ...], most: int) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > most:
        raise _Wrong(f"{'.'.join(path)} is no table of at most {most} entries", *path)
    return value


def _only(table: Mapping[str, Any], known: tuple[str, ...], path: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            suggestion = f"; did you mean {near[0]!r}?" if near else ""
            raise _Wrong(f"{'.'.join(path) or 'policy'} has an unknown key {key[:40]!r}{suggestion}", *path, key)


def _check_names(named: tuple[str, ...], known: tuple[str, ...], path: tuple[str, ...]) -> None:
    for name in named:
        if name not in known:
            raise _Wrong(
                f"{'.'.join(path)} names the issuer {name[:40]!r}, of which there is no [issuer.{name[:40]}]", *path
            )


def _place(text: str, path: tuple[str, ...]) -> str:
    """Line and column of the last key of `path` that can be found, each behind the one before; tomllib keeps none."""
    at, found = 0, None
    for key in path:
        match = re.compile(rf"(?<![\w.-])[\"']?{re.escape(key)}[\"']?(?=\s*[=\].])").search(text, at)
        if match is None:
            break
        at, found = match.end(), match.start()
    if found is None:
        return ""
    line = text.count("\n", 0, found) + 1
    return f"line {line}, column {found - text.rfind(chr(10), 0, found)}: "
