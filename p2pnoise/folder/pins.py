"""Pins: the file pins.toml of a node's folder, which identity each name belongs to; lines of `"name" = "id1…"`.

`"name" = "not id1…"` frees a name that a first use pinned to this identity, and keeps it from being pinned so again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cards import CardError, IdentityId
from cards.fields import name as name_field
from cards.findings import MALFORMED
from cards.verification import MAX_PINS

from . import reading
from .fault import Fault

MAX_FILE = 4 * 1024 * 1024  # bytes; the longest line that is no comment has 137, and there are at most 10,000 of them

_NOT = "not "
_LINE = re.compile(r"""\s*(?P<quote>["']?)(?P<name>[a-z0-9._-]+)(?P=quote)\s*=""")


@dataclass(frozen=True, slots=True)
class Pins:
    """What the file says: `held` are identities by the names that belong to them, `untied` those that do not."""

    held: Mapping[str, IdentityId] = field(default_factory=dict)
    untied: Mapping[str, IdentityId] = field(default_factory=dict)

    def over(self, first_uses: Mapping[str, IdentityId]) -> dict[str, IdentityId]:
        """What a node goes by that has pinned these on first use: a word by hand outweighs them."""
        left = {name: identity for name, identity in first_uses.items() if self.untied.get(name) != identity}
        return {**left, **self.held}

    def tied(self, name: str, identity: IdentityId) -> "Pins":
        return replace(self._without(name), held={**self.held, name: identity})

    def freed(self, name: str, first_use: IdentityId | None) -> "Pins":
        """Without a pin of this name, by hand or by the first use that pinned it to this identity."""
        left = self._without(name)
        return left if first_use is None else replace(left, untied={**left.untied, name: first_use})

    def _without(self, name: str) -> "Pins":
        return Pins(*({key: one for key, one in some.items() if key != name} for some in (self.held, self.untied)))

    def texts(self) -> dict[str, str]:
        """By name, as the file has them."""
        return {
            **{name: str(one) for name, one in self.held.items()},
            **{n: f"{_NOT}{i}" for n, i in self.untied.items()},
        }


def read(path: Path) -> Pins:
    """The pins in a file, none where there is no file. Raises `Fault` that names the file and the line."""
    return _parse(path, text_of(path)) if path.exists() else Pins()


def name_in(line: str) -> str | None:
    """The name that a line is about, if it is a pin."""
    found = _LINE.match(line)
    return found["name"] if found else None


def text_of(path: Path) -> str:
    """The lines of a file of pins, of which there may be none. Raises `Fault`."""
    return reading.lines(path, limit=MAX_FILE, what="pins file")


def _parse(path: Path, text: str) -> Pins:
    fix = 'mend that line; each is "NAME" = "id1…", with the whole identity, or "NAME" = "not id1…"'
    held: dict[str, IdentityId] = {}
    untied: dict[str, IdentityId] = {}
    for where, line, table in reading.tables(path, text, fix):
        name = name_in(line)
        if name is None or table.keys() != {name}:
            raise Fault(f"{where} is no pin", fix, code=MALFORMED)
        if name in held or name in untied:
            raise Fault(f"{where} pins {name} a second time", "leave one of the two lines", code=MALFORMED)
        value = str(table[name])
        try:
            kind = untied if value.startswith(_NOT) else held
            kind[name_field(64)(name, "name")] = IdentityId.parse(value.removeprefix(_NOT))
        except CardError as error:
            raise Fault(f"{where}: {error}", fix, code=error.finding.exit, findings=(error.finding,)) from None
    if len(held) + len(untied) > MAX_PINS:
        text = f"{path} pins {len(held) + len(untied)} names, at most {MAX_PINS}"
        raise Fault(text, "leave some out", code=MALFORMED)
    return Pins(held, untied)
