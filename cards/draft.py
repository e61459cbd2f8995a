"""Drafts: a manifest or a retirement on its way from one issuer to the next, each of whom signs where its key is.

    envelope   [1, body, signature, ...]        that of the statement; a signature that is to come is empty

The body names who signs and never changes, so whoever signs last has the statement itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from . import codec, fields
from .endings import Retirement
from .findings import CardError, Finding
from .keys import IssuerId
from .manifest import Manifest
from .signed import Signer
from .statements import frame, verify

DRAFTS: Mapping[str, type[Manifest] | type[Retirement]] = {
    f"{kind.label} DRAFT": kind for kind in (Manifest, Retirement)
}
"""The kinds of statement that can be drafted, by the label of the draft's block of text."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed, and the signatures so far, empty where one is to come. `check` alone verifies these."""

    statement: Manifest | Retirement  # without its signatures
    signatures: tuple[bytes, ...]

    @classmethod
    def make(cls, kind: type[Manifest] | type[Retirement], values: Mapping[str, Any]) -> Self:
        """A draft that nobody has signed. Raises `CardError` for what nobody would accept once all have."""
        statement = kind.of_body(kind.encode(values))
        return cls(statement, (b"",) * len(statement.signers))

    @classmethod
    def parse(cls, label: str, raw: bytes) -> Self:
        """The draft in a block of one of the labels `DRAFTS`. Raises `CardError`."""
        kind = DRAFTS[label]
        envelope = codec.decode(raw, limit=kind.limit, what=f"{kind.what} draft")
        if not isinstance(envelope, list) or len(envelope) < 3:
            raise CardError("malformed", f"a {kind.what} draft is an array of a version, a body and signatures")
        fields.version(envelope[0], f"{kind.what} draft version")
        statement = kind.of_body(envelope[1])
        signatures = tuple(one if one == b"" else fields.binary(64)(one, "signature") for one in envelope[2:])
        if len(signatures) != len(statement.signers):
            raise CardError(
                "malformed", f"{len(signatures)} signatures in a {kind.what} draft, {len(statement.signers)} expected"
            )
        return cls(statement, signatures)

    @property
    def label(self) -> str:
        return f"{self.statement.label} DRAFT"

    @property
    def raw(self) -> bytes:
        return codec.encode([1, self.statement.body, *self.signatures])

    @property
    def missing(self) -> tuple[IssuerId, ...]:
        """Who has not signed yet."""
        pairs = zip(self.statement.signers, self.signatures, strict=True)
        return tuple(IssuerId(key) for key, signature in pairs if not signature)

    @property
    def whole(self) -> Manifest | Retirement | None:
        """The statement, once all have signed."""
        return None if self.missing else replace(self.statement, signatures=self.signatures)

    def check(self, *, network: str, now: int, leeway: int) -> Finding | None:
        """The first thing that is wrong: another network, a time to come, a signature that does not hold."""
        finding = self.statement.check_claim(network=network, now=now, leeway=leeway)
        message = frame(self.statement.context, self.statement.body)
        for key, signature in zip(self.statement.signers, self.signatures, strict=True):
            if finding is None and signature and not verify(key, signature, message):
                text = f"the {self.statement.what} draft is not signed by {IssuerId(key).short}"
                finding = Finding(self.statement.invalid, text)
        return finding

    def sign(self, signer: Signer) -> Self:
        """With the signature of one more. Raises `CardError` where it is not for this one to sign, or has been."""
        if signer.public not in self.missing:
            known = signer.public in self.statement.signers
            text = "has signed this already" if known else "is none of those who are to sign this"
            raise CardError(self.statement.invalid, f"{IssuerId(signer.public).short} {text}")
        new = signer.sign(frame(self.statement.context, self.statement.body))
        signers = zip(self.statement.signers, self.signatures, strict=True)
        return replace(self, signatures=tuple(new if key == signer.public else held for key, held in signers))
