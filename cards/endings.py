"""What ends a key for good: a successor, its owner's revocation, an issuer's retirement. Each signed by that key."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from . import fields
from .fields import Field
from .findings import CardError
from .keys import IdentityId, IssuerId
from .signed import Signed
from .statements import RETIREMENT, SELF_REVOCATION, SUCCESSION


def _identity(value: Any, where: str) -> IdentityId:
    return IdentityId(fields.binary(32)(value, where))


@dataclass(frozen=True, kw_only=True, eq=False)
class Succession(Signed):
    """An identity key hands over to another; both have signed, so neither can be taken over or handed a stranger."""

    what: ClassVar = "succession"
    label: ClassVar = "SUCCESSION"
    context: ClassVar = SUCCESSION
    invalid: ClassVar = "succession-invalid"
    table: ClassVar[Mapping[str, Field]] = {"old": Field(_identity), "new": Field(_identity)}

    @property
    def signers(self) -> tuple[bytes, ...]:
        return (self.old, self.new)

    def check_values(self) -> None:
        if self.old == self.new:
            raise CardError("succession-invalid", f"{self.old.short} succeeds itself")

    @property
    def old(self) -> IdentityId:
        return cast("IdentityId", self.values["old"])

    @property
    def new(self) -> IdentityId:
        return cast("IdentityId", self.values["new"])

    def honours(self, next_key_digest: bytes | None) -> bool:
        """Whether this is the successor that the old card committed to; any is, where it committed to none."""
        return next_key_digest is None or hashlib.sha256(self.new).digest() == next_key_digest


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfRevocation(Signed):
    """An identity ends itself. It can be made in advance and kept offline, for the day on which the key is lost."""

    what: ClassVar = "self-revocation"
    label: ClassVar = "SELF-REVOCATION"
    context: ClassVar = SELF_REVOCATION
    invalid: ClassVar = "revocation-invalid"
    table: ClassVar[Mapping[str, Field]] = {"key": Field(_identity), "reason": Field(fields.name(32))}

    @property
    def signers(self) -> tuple[bytes, ...]:
        return (self.identity,)

    @property
    def identity(self) -> IdentityId:
        return cast("IdentityId", self.values["key"])

    @property
    def reason(self) -> str:
        return str(self.values["reason"])


@dataclass(frozen=True, kw_only=True, eq=False)
class Retirement(Signed):
    """An issuer ends itself: nothing that it or its delegates granted counts any more."""

    what: ClassVar = "retirement"
    label: ClassVar = "RETIREMENT"
    context: ClassVar = RETIREMENT
    invalid: ClassVar = "retirement-invalid"
    table: ClassVar[Mapping[str, Field]] = {
        "iss": Field(lambda value, where: IssuerId(fields.binary(32)(value, where))),
        "reason": Field(fields.name(32)),
    }

    @property
    def signers(self) -> tuple[bytes, ...]:
        return (self.issuer,)

    @property
    def issuer(self) -> IssuerId:
        return cast("IssuerId", self.values["iss"])

    @property
    def reason(self) -> str:
        return str(self.values["reason"])
