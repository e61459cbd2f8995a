"""Bans: the file bans.toml of a node's folder, whom the operator refuses; a line each, in any order:

    "id1…" = { name = "db-03", reason = "floods us", since = 2026-11-21T12:00:00Z, until = 2026-11-28T12:00:00Z }

The key is an identity, `id1…`, or a node, `node1…`. All but `since` may be left out.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cards import CardError, IdentityId, NodeId
from cards.fields import name as name_field
from cards.findings import MALFORMED
from p2pnoise.node.bans import MAX_BANS, MAX_REASON, MAX_TIME, Ban

from . import reading, writing
from .fault import Fault

__all__ = ["MAX_FILE", "Ban", "add", "key_in", "line_of", "read", "reason_of", "text_of", "write"]

MAX_FILE = 12 * 1024 * 1024  # bytes; the longest line that is no comment has less than 1,200, and 10,000 are held

_FIELDS = ("name", "reason", "since", "until")
_FIX = 'mend that line; each is "id1…" = { since = 2026-11-21T12:00:00Z }, with name, reason and until if need be'
_LINE = re.compile(r"""\s*(?P<quote>["']?)(?P<key>(id|node)1[a-z0-9]+)(?P=quote)\s*=""")


def read(path: Path) -> tuple[Ban, ...]:
    """The bans in a file, also those that have ended; none where there is no file.

    Raises `Fault` that names the file and the line.
    """
    return _parse(path, text_of(path)) if path.exists() else ()


def text_of(path: Path) -> str:
    """The lines of a file of bans, of which there may be none. Raises `Fault`."""
    return reading.lines(path, limit=MAX_FILE, what="bans file")


def key_in(line: str) -> str | None:
    """The key that a line is about, if it is a ban."""
    found = _LINE.match(line)
    return found["key"] if found else None


def line_of(ban: Ban) -> str:
    """As the file has it."""
    parts = {
        "name": _quoted(ban.name) if ban.name else None,
        "reason": _quoted(ban.reason) if ban.reason else None,
        "since": _time_text(ban.since),
        "until": _time_text(ban.until) if ban.until is not None else None,
    }
    values = ", ".join(f"{field} = {text}" for field, text in parts.items() if text is not None)
    return f'"{ban.key}" = {{ {values} }}'


def write(path: Path, bans: Iterable[Ban], now: int) -> None:
    """Have the file say these bans, but those that have ended; comments and lines that stay are left as they were."""
    held = {str(ban.key): ban for ban in read(path)}
    wanted = {str(ban.key): ban for ban in bans if ban.holds(now)}
    lines = text_of(path).split("\n")[:-1] if path.exists() else []
    kept = [line for line in lines if (key := key_in(line)) is None or wanted.get(key) == held[key]]
    new = [line_of(ban) for key, ban in wanted.items() if held.get(key) != ban]
    writing.write(path, "".join(f"{line}\n" for line in (*kept, *new)).encode(), secret=True, force=True)


def add(path: Path, bans: Sequence[Ban]) -> None:
    """`write` with those of the file, and these of keys that it does not ban, when the last of them was made.

    Raises `Fault` if they are too many.
    """
    now = max(ban.since for ban in bans)
    held = {ban.key: ban for ban in read(path) if ban.holds(now)}
    joined = {ban.key: ban for ban in bans} | held
    if len(joined) > MAX_BANS:  # such a file would be refused as a whole when it is read
        raise Fault(f"{path} would ban {len(joined)} keys, at most {MAX_BANS}", "lift some: p2pnoise unban")
    if joined.keys() != held.keys():
        write(path, joined.values(), now)


def reason_of(text: str) -> str:
    """A reason, checked. Raises `CardError` text-invalid: it goes into logs and onto terminals as it is."""
    if len(text) > MAX_REASON:
        raise CardError("text-invalid", f"a reason of {len(text)} characters, at most {MAX_REASON}")
    if not text.isprintable():
        raise CardError("text-invalid", "a reason with characters that cannot be printed")
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(path: Path, text: str) -> tuple[Ban, ...]:
    found: dict[bytes, Ban] = {}
    for where, line, table in reading.tables(path, text, _FIX):
        key = key_in(line)
        if key is None or table.keys() != {key}:
            raise Fault(f"{where} is no ban", _FIX, code=MALFORMED)
        try:
            ban = _ban(key, table[key])
        except CardError as error:
            raise Fault(f"{where}: {error}", _FIX, code=error.finding.exit, findings=(error.finding,)) from None
        except _Wrong as error:
            raise Fault(f"{where}: {error}", _FIX, code=MALFORMED) from None
        if ban.key in found:
            raise Fault(f"{where} bans {ban.key.short} a second time", "leave one of the two lines", code=MALFORMED)
        found[ban.key] = ban
    if len(found) > MAX_BANS:
        raise Fault(f"{path} bans {len(found)} keys, at most {MAX_BANS}", "leave some out", code=MALFORMED)
    return tuple(found.values())


class _Wrong(Exception):  # noqa: N818 - says what
    """What is wrong with a line."""


def _ban(key: str, table: Any) -> Ban:
    if not isinstance(table, dict):
        raise _Wrong("the key stands for no { … }")
    _known(table)
    name, reason = (_text(table, field) for field in ("name", "reason"))
    since = _time(table, "since")
    if since is None:
        raise _Wrong("since is missing")
    return Ban(
        key=IdentityId.parse(key) if key.startswith("id1") else NodeId.parse(key),
        name=name_field(64)(name, "name") if name is not None else None,
        reason=reason_of(reason or ""),
        since=since,
        until=_time(table, "until"),
    )


def _known(fields: Iterable[str]) -> None:
    for field in fields:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1)
            raise _Wrong(
                f"unknown key {field!r}, "
                + (f"did you mean {near[0]}?" if near else "one of name, reason, since, until expected")
            )


def _text(table: dict[str, Any], field: str) -> str | None:
    value = table.get(field)
    if value is not None and not isinstance(value, str):
        raise _Wrong(f"{field} is no text in quotes")
    return value


def _time(table: dict[str, Any], field: str) -> int | None:
    value = table.get(field)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _Wrong(f"{field} is no time like 2026-11-21T12:00:00Z")
    seconds = int(value.timestamp())
    if not 0 <= seconds <= MAX_TIME:
        raise _Wrong(f"{field} is not between the years 1970 and 9999")
    return seconds
