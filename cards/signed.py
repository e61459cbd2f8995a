"""Signed objects: one map of fields, signed whole by the keys that it names. One way to make, read and check them all.

    envelope   [1, body, signature, ...]        one signature for each signer, in the order of `signers`

A kind of object is a subclass with its context, its fields and its signers; what its values mean is said there.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any, ClassVar, Protocol, Self

from . import codec, fields
from .fields import Field
from .findings import CardError, Finding
from .statements import SignatureCache, digest, frame, verify

__all__ = ["Signed", "Signer"]

MAX_SIGNED = 1024  # bytes of an envelope; the largest honest one, a delegation with many names, makes about 700


_AROUND_BODY = 5  # bytes of an envelope around a body of 256 or more
_AROUND_SIGNATURE = 66


class Signer(Protocol):
    """Whatever can sign for a key: the secret itself, or something that asks whoever has it."""

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over `message`, 64 bytes."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Signed:
    """One signed object as claimed: every field is well-formed, no signature is verified. Times in seconds.

    Two are equal where their bodies are: signatures can be made again.
    """

    body: bytes = field(repr=False)
    signatures: tuple[bytes, ...] = field(default=(), repr=False)
    values: Mapping[str, Any]

    what: ClassVar[str]  # what people call it
    label: ClassVar[str]  # of its block of text
    context: ClassVar[str]  # what its signatures are for
    invalid: ClassVar[str]  # the code of the finding for a signature that does not hold
    limit: ClassVar[int] = MAX_SIGNED
    table: ClassVar[Mapping[str, Field]]  # of its fields, beside v, net and iat, which all have

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope of at most `limit` bytes. Raises `CardError`."""
        envelope = codec.decode(raw, limit=cls.limit, what=cls.what)
        if not isinstance(envelope, list) or len(envelope) < 3:
            raise CardError("malformed", f"a {cls.what} is an array of a version, a body and signatures")
        fields.version(envelope[0], f"{cls.what} version")
        signed = cls.from_parts(*envelope[1:])
        signed.__dict__["raw"] = raw  # as `raw` would find, since there is one form
        return signed

    @classmethod
    def from_parts(cls, body: Any, *signatures: Any) -> Self:
        """From its parts as carried. Raises `CardError`."""
        signatures = tuple(fields.binary(64)(signature, f"{cls.what} signature") for signature in signatures)
        signed = cls.of_body(body)
        if len(signatures) != len(signed.signers):
            raise CardError(
                "malformed", f"{len(signatures)} signatures of a {cls.what}, {len(signed.signers)} expected"
            )
        return replace(signed, signatures=signatures)

    @classmethod
    def of_body(cls, body: Any) -> Self:
        """What a body says, which nobody has signed yet. Raises `CardError`."""
        if not isinstance(body, bytes):
            raise CardError("malformed", f"the {cls.what} is a {type(body).__name__}, binary expected")
        signed = cls(body=body, values=fields.read_map(body, {**_COMMON, **cls.table}, limit=cls.limit, what=cls.what))
        signed.check_values()
        size = _AROUND_BODY + len(body) + _AROUND_SIGNATURE * len(signed.signers)
        if size > cls.limit:
            raise CardError("too-large", f"{cls.what} of {size} bytes with its signatures, limit {cls.limit}")
        return signed

    @classmethod
    def make(cls, values: Mapping[str, Any], *signers: Signer) -> Self:
        """Sign `values`, beside `v`, by these signers in order. Raises `CardError` for what nobody would accept."""
        body = cls.encode(values)
        # Parsed again: what we make passes the checks that everybody else will make.
        return cls.from_parts(body, *(signer.sign(frame(cls.context, body)) for signer in signers))

    @staticmethod
    def encode(values: Mapping[str, Any]) -> bytes:
        """The body of `values`, beside `v`; what is None or empty is left out. Raises `CardError`."""
        return codec.encode({"v": 1, **{name: value for name, value in values.items() if value not in (None, (), [])}})

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The keys that must have signed, in order."""
        raise NotImplementedError

    def check_values(self) -> None:
        """Raises `CardError` where well-formed values do not go together."""

    @property
    def network(self) -> str:
        return str(self.values["net"])

    @property
    def issued_at(self) -> int:
        return int(self.values["iat"])

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the body under its context, 32 bytes: names this object whatever its signatures are."""
        return digest(self.context + ".id", self.body)

    @cached_property
    def raw(self) -> bytes:
        return codec.encode([1, self.body, *self.signatures])

    def signed_by(self, issuers: Set[bytes], threshold: int) -> bool:
        """Whether `threshold` of these are among its signers."""
        return len(issuers & set(self.signers)) >= threshold

    def check(
        self, *, network: str, now: int | None, leeway: int, signatures: SignatureCache | None = None
    ) -> Finding | None:
        """None if its signers signed it for `network`, else the first finding. Without `now` its time is not judged."""
        finding = self.check_claim(network=network, now=now, leeway=leeway)
        if finding is not None:
            return finding
        check: Callable[[bytes, bytes, bytes], bool] = signatures.verify if signatures is not None else verify
        message = frame(self.context, self.body)
        for key, signature in zip_longest(self.signers, self.signatures, fillvalue=b""):
            if not check(key, signature, message):
                return Finding(self.invalid, f"the {self.what} is not signed by {bytes(key[:8]).hex()}…")
        return None

    def check_claim(self, *, network: str, now: int | None, leeway: int) -> Finding | None:
        """As `check`, whoever signed it."""
        if self.network != network:
            return Finding("wrong-network", f"{self.what} for network {self.network}, ours is {network}")
        if now is not None and self.issued_at > now + leeway:
            return Finding("not-yet-valid", f"{self.what} made {self.issued_at - now} s in the future")
        return None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Signed) and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.body)


_COMMON: Mapping[str, Field] = {
    "v": Field(fields.version),
    "net": Field(fields.name(32)),
    "iat": Field(fields.integer),
}
