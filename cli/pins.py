"""Pins: the file pins.toml of a node's folder, which identity each name belongs to; lines of `"name" = "id1…"`."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cards import CardError, IdentityId
from cards.fields import name as name_field
from cards.findings import MALFORMED
from cards.trust import MAX_PINS

from . import files
from .output import Fault

MAX_FILE = 4 * 1024 * 1024  # bytes; the longest line that is no comment has 133, and there are at most 10,000 of them

_LINE = re.compile(r"""\s*(?P<quote>["']?)(?P<name>[a-z0-9._-]+)(?P=quote)\s*=""")


def read(path: Path) -> dict[str, IdentityId]:
    """The pins in a file, none where there is no file. Raises `Fault` that names the file and the line."""
    return _parse(path, _text(path)) if path.exists() else {}


def write(path: Path, pins: Mapping[str, IdentityId]) -> None:
    """Have the file say these pins; comments and the lines of pins that stay are left as people wrote them."""
    held = read(path)
    lines = _text(path).split("\n")[:-1] if path.exists() else []
    kept = [line for line in lines if (name := _name(line)) is None or held[name] == pins.get(name)]
    new = [f'"{name}" = "{identity}"' for name, identity in pins.items() if held.get(name) != identity]
    files.write(path, "".join(f"{line}\n" for line in (*kept, *new)).encode(), force=True)


def _name(line: str) -> str | None:
    found = _LINE.match(line)
    return found["name"] if found else None


def _text(path: Path) -> str:
    # A file without a pin may be empty, which `files.read` takes for one that was cut.
    data = files.read(path, limit=MAX_FILE, what="pins file") if path.stat().st_size else b""
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Fault(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8", code=MALFORMED) from None
    return text if text.endswith("\n") or not text else text + "\n"


def _parse(path: Path, text: str) -> dict[str, IdentityId]:
    fix = 'mend that line; each is "NAME" = "id1…", with the whole identity'
    pins: dict[str, IdentityId] = {}
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}: line {number}"
        try:
            # Line by line: then each has its place, and none can be part of another.
            table = tomllib.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).replace("at line 1, ", "at ")
            raise Fault(f"{where} is not TOML: {reason}", fix, code=MALFORMED) from None
        name = _name(line)
        if not table:
            continue
        if name is None or table.keys() != {name}:
            raise Fault(f"{where} is no pin", fix, code=MALFORMED)
        if name in pins:
            raise Fault(f"{where} pins {name} a second time", "leave one of the two lines", code=MALFORMED)
        try:
            pins[name_field(64)(name, "name")] = IdentityId.parse(str(table[name]))
        except CardError as error:
            raise Fault(f"{where}: {error}", fix, code=error.finding.exit, findings=(error.finding,)) from None
    if len(pins) > MAX_PINS:
        raise Fault(f"{path} pins {len(pins)} names, at most {MAX_PINS}", "leave some out", code=MALFORMED)
    return pins
