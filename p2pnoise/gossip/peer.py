"""Peer: one identity of the peer table, and how we came to know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cards import AddressRecord, Card, Grant, NodeId, Verdict, VerifiedCard

from .content import Content
from .items import Place

Provenance = Literal["proven", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One identity of the table. `provenance`: proven by its node signature, or live in a handshake with us."""

    content: Content
    provenance: Provenance
    first_seen: int  # seconds since 1970
    learned_from: bytes  # the Node ID that told us; our own for what we loaded or met ourselves

    @property
    def verified(self) -> VerifiedCard:
        return self.content.verified

    @property
    def verdict(self) -> Verdict:
        return self.content.verdict

    @property
    def record(self) -> AddressRecord | None:
        return self.content.record

    @property
    def card(self) -> Card:
        return self.content.card

    @property
    def node_id(self) -> NodeId:
        return self.content.card.node_id

    @property
    def item_ids(self) -> tuple[bytes, ...]:
        """The ids of everything that stands in this row: body, grants, record."""
        return self.content.item_ids

    @property
    def places(self) -> Mapping[bytes, Place]:
        """Where each of these stands in comparisons: with every root issuer for whom it counts, or with none."""
        return self.content.places

    @property
    def roots(self) -> frozenset[bytes]:
        """The root issuers for whom it counts, or `NO_ISSUER` alone."""
        return self.content.roots

    @property
    def grants(self) -> Mapping[bytes, Grant]:
        """The grants that count, by item id."""
        return self.content.grants

    def with_record(self, record: AddressRecord | None) -> "Peer":
        """This row with another address record, or none."""
        return Peer(
            content=self.content.with_record(record),
            provenance=self.provenance,
            first_seen=self.first_seen,
            learned_from=self.learned_from,
        )
