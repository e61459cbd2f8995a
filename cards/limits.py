"""Limits: what an issuer may sign, and how many issuers must agree. Both policies and delegations set them."""

import re
from dataclasses import dataclass
from typing import Any

from .card import Card, Grant
from .codec import MAX_INT
from .findings import CardError

MAX_DEPTH = 3  # steps from a root of the policy to whoever signs
MAX_NAMES = 16

_LABEL = r"[a-z0-9_-]{1,63}"
_PATTERN = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


def pattern(value: Any, where: str) -> str:
    """A pattern of names: whole labels, the first may be `*` for one label or more. Raises `CardError` malformed."""
    if not isinstance(value, str) or len(value) > 64 or not _PATTERN.fullmatch(value):
        raise CardError("malformed", f"{where} is {str(value)[:80]!r}, a name or *. and a name expected")
    return value


def matches(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern; `*.example` fits everything below example, and not example itself."""
    return name.endswith(pattern[1:]) and len(name) >= len(pattern) if pattern[0] == "*" else name == pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What somebody may sign. Empty names and groups are no limit; times in seconds.

    Whoever is limited to groups grants no capabilities.
    """

    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    max_lifetime: int = MAX_INT
    not_before: int = 0
    not_after: int = MAX_INT
    depth: int = MAX_DEPTH
    """How many steps of delegation may follow."""

    def problem(self, who: str, card: Card, grant: Grant) -> str | None:
        """Why `who`, to whom these limits apply, may not grant this; None where it may."""
        name = card.name or ""
        if self.names and not any(matches(name, allowed) for allowed in self.names):
            return f"{who} may sign {' '.join(self.names)}, card is {card.label}"
        foreign = [group for group in grant.groups if self.groups and group not in self.groups]
        if foreign:
            return f"{who} may grant {' '.join(self.groups)}, not {' '.join(foreign)}"
        if self.groups and grant.capabilities:
            # There is no list of capabilities, and whoever is held to some groups was not meant to have all of these.
            return f"{who} may grant {' '.join(self.groups)}, not capabilities such as {grant.capabilities[0]}"
        if grant.not_after - grant.not_before > self.max_lifetime:
            return f"{who} may grant {self.max_lifetime} s, not {grant.not_after - grant.not_before}"
        if grant.issued_at < self.not_before or grant.not_after > self.not_after:
            return f"{who} may grant from {self.not_before} to {self.not_after} (seconds since 1970)"
        return None


@dataclass(frozen=True, slots=True)
class Rule:
    """At least `threshold` of the issuers `of` (by our names for them; none means all) must have granted."""

    threshold: int = 1
    of: tuple[str, ...] = ()
