"""Content: what a card that counts brings into a table, and the address record beside it: items, with their places.

It follows from signed bytes and a verdict alone, whoever told us of them: nodes of a world that judge alike share it.
"""

from cards import AddressRecord, Card, Grant, Verdict, VerifiedCard

from .items import NO_ISSUER, Place, body_id, grant_id, record_id


def roots_of(verdict: Verdict) -> frozenset[bytes]:
    """Every root issuer for whom a card with this verdict counts, or `NO_ISSUER` where it counts without any."""
    return frozenset(bytes(one.authority.root) for one in verdict.counting) or frozenset((NO_ISSUER,))


class Content:
    """The content of one row; frozen by convention, since it is made for every item that comes.

    `grants` that count, `places` in comparisons: both by item id. `until` is the first second at which some of it ends.
    """

    __slots__ = (
        "_next",
        "card",
        "grants",
        "item_ids",
        "places",
        "record",
        "record_id",
        "roots",
        "until",
        "verdict",
        "verified",
    )

    def __init__(
        self, verdict: Verdict, record: AddressRecord | None = None, *, verified: VerifiedCard | None = None
    ) -> None:
        """`verified` where the card does not count any longer. Raises ValueError where its signatures do not hold."""
        verified = verified or verdict.card
        if verified is None:
            raise ValueError("a card whose signatures do not hold")
        card, counting = verified.card, verdict.counting
        self.verified = verified
        self.verdict = verdict
        self.card: Card = card
        self.grants: dict[bytes, Grant] = {}
        self.roots = roots_of(verdict)
        body = body_id(card.card_id)
        self.places = {body: Place.of(card.issued_at, self.roots)}
        for one in counting:
            item = grant_id(card.card_id, one.authority.key, one.grant.attrs)
            self.grants[item] = one.grant
            # A delegate may have several roots.
            known = self.places[item].groups if item in self.places else frozenset()
            self.places[item] = Place.of(one.grant.issued_at, known | {bytes(one.authority.root)})
        self._add(record)

    def _add(self, record: AddressRecord | None) -> None:
        self._next: tuple[AddressRecord, Content] | None = None
        self.record = record
        self.until = self.verdict.valid_until
        self.record_id: bytes | None = None
        if record is not None:
            self.record_id = record_id(record)
            self.until = min(self.until, record.not_after)
            self.places[self.record_id] = Place.of(record.issued_at, self.roots)
        self.item_ids = tuple(self.places)

    def with_record(self, record: AddressRecord | None) -> "Content":
        """The same with another address record, or none."""
        if record is None:
            return Content(self.verdict, verified=self.verified)
        # The same record comes to every node of a world.
        known = self._next
        if known is None or known[0] is not record:
            known = self._next = record, self._with(record)
        return known[1]

    def _with(self, record: AddressRecord) -> "Content":
        new = Content.__new__(Content)
        new.verified, new.verdict, new.card, new.grants = self.verified, self.verdict, self.card, self.grants
        new.roots = self.roots
        new.places = {item: place for item, place in self.places.items() if item != self.record_id}
        new._add(record)  # noqa: SLF001 - its own
        return new
