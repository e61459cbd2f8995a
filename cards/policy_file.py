"""Policy files: TOML text as the values of a policy, with line and column of what is wrong, and written again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import fields, toml_file
from .findings import CardError
from .keys import IdentityId, IssuerId, NodeId, PublicId
from .limits import MAX_DEPTH, MAX_NAMES, Limits, Rule, pattern
from .revocation import MAX_NEXT
from .toml_file import DAY, Check, Path, Wrong, as_table, as_text, check_known, dotted, one_of, plain, seconds, several

MAX_POLICY = 64 * 1024  # characters
MAX_ISSUERS = 16
_MAX_RULES = 16
_MAX_LISTED = 1_000  # keys that are denied or allowed by name


def read_policy(text: str) -> dict[str, Any]:
    """The values of a policy by the names of its fields. Raises `CardError` policy-invalid."""
    try:
        return toml_file.read(text, "policy", MAX_POLICY, _read)
    except Wrong as wrong:
        raise CardError("policy-invalid", str(wrong)) from None


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


def _read(table: Mapping[str, Any]) -> dict[str, Any]:
    issuers = as_table(table.get("issuer", {}), ("issuer",), MAX_ISSUERS)
    names = tuple(issuers)
    check_known(table, ("network", "issuer", *_GRANTED, *_KEYS), (), "policy")
    if "network" not in table:
        raise Wrong("the policy names no network")
    read: dict[str, Any] = {"network": plain(fields.name(32))(table["network"], ("network",))}
    read["issuers"] = {name: _issuer_key(name, entry) for name, entry in issuers.items()}
    for name, key in read["issuers"].items():
        first = next(one for one, held in read["issuers"].items() if held == key)
        if first != name:
            # It would have two sets of limits, and "two of these" could mean one key.
            raise Wrong(f"issuer.{name} has the key of issuer.{first}", "issuer", name, "key")
    read["limits"] = {name: limits for name, entry in issuers.items() if (limits := _limits(name, entry)) != Limits()}
    for key, check in _KEYS.items():
        if key in table:
            read[key] = check(table[key], (key,))
    ruled: list[tuple[Path, Rule]] = [(("app",), rule) for rule in read.get("app", ())]
    for key in _GRANTED:
        given = as_table(table.get(key, {}), (key,), _MAX_RULES)
        read[key] = {
            plain(fields.name(32))(name, (key, name)): _rule(rule, (key, name)) for name, rule in given.items()
        }
        ruled += [((key, name), rule) for name, rule in read[key].items()]
    for where, rule in ruled:
        _check_names(rule.of, names, where)
        if rule.threshold > len(rule.of or names):
            raise Wrong(f"{dotted(where)} needs {rule.threshold} of {len(rule.of or names)} issuers", *where)
    _check_names(read.get("revokers", ()), names, ("revokers",))
    return read


def _id(*kinds: type[PublicId]) -> Check:
    """A key in its text form, of one of these kinds."""

    def check(value: Any, path: Path) -> PublicId:
        for kind in kinds:
            if isinstance(value, str) and value.startswith(f"{kind.prefix}1"):
                try:
                    return kind.parse(value)
                except CardError as error:
                    raise Wrong(str(error), *path) from None
        forms = " or ".join(f"{kind.prefix}1…" for kind in kinds)
        raise Wrong(f"{dotted(path)} holds {value!r:.60}, {forms} expected", *path)

    return check


def _rule(value: Any, path: Path) -> Rule:
    table = as_table(value, path, 2)
    check_known(table, ("threshold", "of"), path)
    threshold = table.get("threshold", 1)
    if type(threshold) is not int or threshold < 1:
        raise Wrong(f"{dotted(path)}.threshold is {threshold!r}, at least 1 expected", *path)
    return Rule(threshold, tuple(dict.fromkeys(several(as_text, MAX_ISSUERS)(table.get("of", []), (*path, "of")))))


def _rules(value: Any, path: Path) -> tuple[Rule, ...]:
    """One table, or an array of them that must all be met."""
    rules: tuple[Rule, ...] = several(_rule, _MAX_RULES)(value if isinstance(value, list) else [value], path)
    if not rules:
        raise Wrong(f"{dotted(path)} is empty: leave it out for one of all issuers", *path)
    return rules


_GRANTED = ("groups", "capabilities")
"""What is granted by name, each with a rule of its own."""

_KEYS: Mapping[str, Check] = {
    "app": _rules,
    "revokers": several(as_text, MAX_ISSUERS),
    "deny": several(_id(IdentityId, NodeId), _MAX_LISTED),
    "allow": several(_id(IdentityId), _MAX_LISTED),
    "tofu": one_of("off", "ask", "first-use"),
    "stale": one_of("warn", "refuse"),
    "list_lifetime": seconds(MAX_NEXT),
    "leeway": seconds(3600),
    "revocation_grace": seconds(400 * DAY),
    "expired_grace": seconds(400 * DAY),
}
"""What may stand in a policy file beside its network, its issuers, and what these grant."""


def _issuer_key(name: str, entry: Any) -> IssuerId:
    where = ("issuer", name)
    plain(fields.name(64))(name, where)
    table = as_table(entry, where, len(_ISSUER_KEYS) + 1)
    check_known(table, ("key", *_ISSUER_KEYS), where)
    if "key" not in table:
        raise Wrong(f'issuer.{name} needs key = "issuer1…"', *where)
    key: IssuerId = _id(IssuerId)(table["key"], (*where, "key"))
    return key


def _limits(name: str, entry: Mapping[str, Any]) -> Limits:
    return Limits(
        **{key: check(entry[key], ("issuer", name, key)) for key, check in _ISSUER_KEYS.items() if key in entry}
    )


def _depth(value: Any, path: Path) -> int:
    if type(value) is not int or not 0 <= value <= MAX_DEPTH:
        raise Wrong(f"{dotted(path)} is {value!r}, 0 to {MAX_DEPTH} expected", *path)
    return value


def _moment(value: Any, path: Path) -> int:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp())
    if type(value) is not int or value < 0:
        raise Wrong(f"{dotted(path)} is {value!r}, a time like 2027-01-31T00:00:00Z expected", *path)
    return value


_ISSUER_KEYS: Mapping[str, Check] = {
    "names": several(plain(pattern), MAX_NAMES),
    "groups": several(plain(fields.name(32)), MAX_NAMES),
    "max_lifetime": seconds(3653 * DAY),
    "not_before": _moment,
    "not_after": _moment,
    "depth": _depth,
}


def _check_names(named: tuple[str, ...], known: tuple[str, ...], path: Path) -> None:
    for name in named:
        if name not in known:
            raise Wrong(
                f"{dotted(path)} names the issuer {name[:40]!r}, of which there is no [issuer.{name[:40]}]", *path
            )
