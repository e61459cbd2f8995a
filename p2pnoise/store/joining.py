"""Joining: a row that is to be written while the table is still read back, with what is written of the same node.

Who has not read a row yet learns of its node anew, from whoever is behind perhaps: numbers never go back on the disk.
"""

from cards import AddressRecord, Card, CardError, Grant
from cards.card import MAX_GRANTS

from .reading import Row


def later_record(new: AddressRecord | None, row: Row, now: int) -> AddressRecord | None:
    """The one of the higher number, unless that has ended at `now`."""
    old = row.record
    if old is None or (new is not None and new.sequence >= old.sequence) or old.not_after <= now:
        return new
    return old


def all_grants(new: Card, row: Row) -> Card:
    """The new card with those grants of the row's that are later or of other keys, as far as one envelope holds them.

    Those that the new one has stay, or later ones of their keys; which of them count is seen when the row is read.
    """
    if new.card_id != row.card.card_id:
        return new
    best: dict[bytes, Grant] = {}
    for grant in (*new.grants, *row.card.grants):
        known = best.get(grant.kid)
        if known is None or grant.rank > known.rank:
            best[grant.kid] = grant  # in the place of the one before
    grants = tuple(best.values())
    for count in range(min(len(grants), MAX_GRANTS), len(new.grants) - 1, -1):
        try:
            card = new.with_grants(grants[:count])
            if card.raw:
                return card
        except CardError:
            continue
    return new
