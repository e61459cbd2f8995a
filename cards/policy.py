"""Policy: which network, which issuers, how late a list may be. A value, read from TOML text."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from . import fields
from .findings import CardError
from .keys import IssuerId

MAX_POLICY = 64 * 1024  # characters
MAX_ISSUERS = 16

_NUMBERS = {"leeway": 3600, "revocation_grace": 400 * 86400}  # name -> the most that makes sense


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Whom a node believes: a card counts when one of `issuers` granted it. Times in seconds."""

    network: str
    issuers: Mapping[str, IssuerId] = field(default_factory=dict)  # our own names for their keys
    leeway: int = 300  # how far another's clock may be ahead of ours; Kerberos' customary five minutes
    revocation_grace: int = 86400  # how long past `next` a list still admits new peers; a guess: one working day

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """From the text of a policy file. Raises `CardError` policy-invalid, naming line or key."""
        if len(text) > MAX_POLICY:
            raise CardError("policy-invalid", f"policy of {len(text)} characters, limit {MAX_POLICY}")
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError too: a number of 5,000 digits raises it bare
            raise CardError("policy-invalid", f"not TOML: {error}") from None
        _only(table, ("network", "issuer", *_NUMBERS), "policy")
        if "network" not in table:
            raise CardError("policy-invalid", "the policy names no network")
        issuers = table.get("issuer", {})
        if not isinstance(issuers, dict) or len(issuers) > MAX_ISSUERS:
            raise CardError("policy-invalid", f"issuer is a table of at most {MAX_ISSUERS} tables, [issuer.NAME]")
        try:
            return cls(
                network=fields.name(32)(table["network"], "network"),
                issuers={fields.name(64)(name, "issuer"): _issuer(name, entry) for name, entry in issuers.items()},
                **{name: _seconds(table[name], name, most) for name, most in _NUMBERS.items() if name in table},
            )
        except CardError as error:
            raise CardError("policy-invalid", str(error)) from None

    def to_toml(self) -> str:
        lines = [
            f'network = "{self.network}"',
            f"leeway = {self.leeway}",
            f"revocation_grace = {self.revocation_grace}",
        ]
        for name, key in self.issuers.items():
            lines += ["", f'[issuer."{name}"]', f'key = "{key}"']
        return "\n".join(lines) + "\n"

    def issuer_name(self, key: bytes) -> str:
        """Our name for an issuer key, or the beginning of the key."""
        for name, known in self.issuers.items():
            if known == key:
                return name
        return IssuerId(key).short


def _issuer(name: str, entry: Any) -> IssuerId:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise CardError("policy-invalid", f'issuer.{name} needs key = "issuer1…"')
    _only(entry, ("key",), f"issuer.{name}")
    return IssuerId.parse(entry["key"])


def _seconds(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise CardError("policy-invalid", f"{name} is {value!r}, seconds from 0 to {most} expected")
    return value


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            suggestion = f"; did you mean {near[0]!r}?" if near else ""
            raise CardError("policy-invalid", f"{where} has an unknown key {key[:40]!r}{suggestion}")
