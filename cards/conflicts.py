"""Conflicts: proofs that a key signed two things that cannot both be, which anybody can check and nobody can forge.

    envelope   [1, kind, part, part]        the parts in ascending order

An `identity` conflict holds two cards of one identity with one sequence number and different bodies; a `node` conflict
two cards of one Node ID with different identities; an `issuer` conflict two heads of revocation lists with one number,
each as an array of head and signature. Honest causes come first: a restored backup, a cloned image.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self, cast

from . import codec, fields
from .card import MAX_CARD, Card
from .codec import Value
from .findings import CardError, Finding
from .revocation import RevocationList, SignedHead
from .statements import CARD_KEY, CARD_NODE, CONFLICT_ID, REVOCATION, SignatureCache, digest, frame, verify

ConflictKind = Literal["identity", "node", "issuer"]

MAX_CONFLICT = 2 * MAX_CARD + 64  # bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Conflict:
    """Two things signed by one key that cannot both be. `parts` are two cards, or two heads of one issuer."""

    kind: ConflictKind
    raw: bytes = field(repr=False)
    parts: tuple[Card, Card] | tuple[SignedHead, SignedHead]

    what = "conflict"
    label = "CONFLICT"

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope. Raises `CardError`; proof-invalid where the parts do not contradict each other."""
        envelope = codec.decode(raw, limit=MAX_CONFLICT, what="conflict")
        if not isinstance(envelope, list) or len(envelope) != 4:
            raise CardError("malformed", "a conflict is an array of four parts")
        fields.version(envelope[0], "conflict version")
        kind, first, second = envelope[1:]
        if kind not in ("identity", "node", "issuer"):
            raise CardError("malformed", f"a conflict of kind {str(kind)[:40]!r}; identity, node or issuer expected")
        if codec.encode([first]) >= codec.encode([second]):
            raise CardError("not-deterministic", "the parts of the conflict are not in ascending order")
        conflict = cls(kind=cast("ConflictKind", kind), raw=raw, parts=_parts(kind == "issuer", first, second))
        if not conflict._contradicts():
            raise CardError("proof-invalid", f"the two parts of this {kind} conflict can both be")
        return conflict

    @classmethod
    def between(cls, one: Card | RevocationList, other: Card | RevocationList) -> Self:
        """The proof that these two make. Raises `CardError` proof-invalid where they make none."""
        if isinstance(one, Card) and isinstance(other, Card):
            kind = "identity" if one.identity == other.identity else "node"
            parts: list[Value] = [one.raw, other.raw]
        elif isinstance(one, RevocationList) and isinstance(other, RevocationList):
            kind, parts = "issuer", [[one.head, one.signature], [other.head, other.signature]]
        else:
            raise CardError("proof-invalid", "a card and a revocation list contradict each other in nothing")
        return cls.parse(codec.encode([1, kind, *sorted(parts, key=lambda part: codec.encode([part]))]))

    @property
    def subject(self) -> bytes:
        """The identity, the Node ID or the issuer that is in conflict with itself; 32 bytes."""
        part = self.parts[0]
        if isinstance(part, SignedHead):
            return part.issuer
        return part.identity if self.kind == "identity" else part.node_id

    @property
    def network(self) -> str:
        return self.parts[0].network

    @property
    def sequence(self) -> int:
        """The number that was used twice."""
        return self.parts[0].sequence

    @property
    def cards(self) -> tuple[Card, ...]:
        return tuple(part for part in self.parts if isinstance(part, Card))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of what is in conflict, 32 bytes: one proof is as good as another for one subject and number."""
        sequence = 0 if self.kind == "node" else self.sequence
        return digest(CONFLICT_ID, self.kind.encode(), self.network.encode(), self.subject, sequence.to_bytes(8, "big"))

    def check(
        self,
        *,
        network: str,
        now: int | None,  # noqa: ARG002 - a conflict does not age
        leeway: int,  # noqa: ARG002
        signatures: SignatureCache | None = None,
    ) -> Finding | None:
        """None if both parts are signed, whenever that was, else the finding proof-invalid or wrong-network."""
        if self.network != network:
            return Finding("wrong-network", f"conflict in network {self.network}, ours is {network}")
        check = signatures.verify if signatures is not None else verify
        for part in self.parts:
            if isinstance(part, SignedHead):
                signed = check(part.issuer, part.signature, frame(REVOCATION, part.head))
            else:
                binding = frame(CARD_NODE, part.network.encode(), part.identity, part.node_id)
                signed = check(part.identity, part.key_signature, frame(CARD_KEY, part.body)) and check(
                    part.node_id.signing_key, part.node_signature, binding
                )
            if not signed:
                return Finding("proof-invalid", f"a part of this {self.kind} conflict is not signed")
        return None

    def _contradicts(self) -> bool:
        one, other = self.parts
        if one.network != other.network:
            return False
        if isinstance(one, SignedHead) and isinstance(other, SignedHead):
            return one.issuer == other.issuer and one.sequence == other.sequence and one.head != other.head
        if not isinstance(one, Card) or not isinstance(other, Card):
            return False
        if self.kind == "node":
            return one.node_id == other.node_id and one.identity != other.identity
        return one.identity == other.identity and one.sequence == other.sequence and one.body != other.body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Conflict) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


def _parts(heads: bool, first: Value, second: Value) -> tuple[Card, Card] | tuple[SignedHead, SignedHead]:  # noqa: FBT001
    if heads:
        return _head(first), _head(second)
    if not isinstance(first, bytes) or not isinstance(second, bytes):
        raise CardError("malformed", "a card in a conflict is binary")
    return Card.parse(first), Card.parse(second)


def _head(part: Value) -> SignedHead:
    if not isinstance(part, list) or len(part) != 2 or not isinstance(part[0], bytes):
        raise CardError("malformed", "a head in a conflict is an array of head and signature")
    return SignedHead.read(part[0], fields.binary(64)(part[1], "list signature"))
