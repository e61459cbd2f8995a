"""What ends a key for good: a successor, its owner's revocation, an issuer's retirement.

Each is signed by that key. An issuer whose key is lost or stolen can be retired by other issuers of its network.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from . import fields
from .fields import Field
from .findings import CardError
from .keys import IdentityId, IssuerId
from .manifest import MAX_ISSUERS
from .signed import Signed
from .statements import RETIREMENT, SELF_REVOCATION, SUCCESSION

MAX_RETIREMENT = 2_048  # bytes; sixteen others who retire one make about 1,800

_identity = fields.key(IdentityId)


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
    """An issuer has ended: nothing that it or its delegates granted counts any more.

    It signs that itself or, where there is `by`, others do; whether these are enough hangs on policy and manifest.
    """

    what: ClassVar = "retirement"
    label: ClassVar = "RETIREMENT"
    context: ClassVar = RETIREMENT
    invalid: ClassVar = "retirement-invalid"
    limit: ClassVar = MAX_RETIREMENT
    table: ClassVar[Mapping[str, Field]] = {
        "iss": Field(fields.key(IssuerId)),
        "reason": Field(fields.name(32)),
        "by": Field(fields.array(fields.key(IssuerId), MAX_ISSUERS, ordered=True), required=False),
    }

    @property
    def signers(self) -> tuple[bytes, ...]:
        return tuple(self.values.get("by", (self.issuer,)))

    def check_values(self) -> None:
        if self.issuer in self.values.get("by", ()):
            raise CardError("retirement-invalid", f"{self.issuer.short} ends itself alone, or others do")

    @property
    def issuer(self) -> IssuerId:
        return cast("IssuerId", self.values["iss"])

    @property
    def reason(self) -> str:
        return str(self.values["reason"])
