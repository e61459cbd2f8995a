"""Evidence: which statements of a peer are worth a place, and what two cards or lists prove against their signer."""

from dataclasses import replace

from cards import (
    Card,
    CardError,
    Conflict,
    Delegation,
    Manifest,
    Retirement,
    RevocationList,
    SelfRevocation,
    Succession,
)
from cards.facts import Statement

from .table import PeerTable


def is_needed(table: PeerTable, statement: Statement) -> bool:
    """Whether a statement from a peer says what we do not know yet, or one signer could fill all places with it."""
    facts = table.facts
    longer = replace(facts, statements={**facts.statements, statement.digest: statement})
    match statement:
        case SelfRevocation(identity=identity):
            return identity not in facts.self_revoked
        case Retirement(issuer=issuer):
            return issuer in longer.retired(table.policy) - facts.retired(table.policy)
        case Delegation():  # of one signer few are kept
            return True
        case Manifest():
            return longer.manifest(table.policy) == statement
        case Conflict():
            return _is_new(table, statement)
        case Succession():  # of one identity few are kept
            return True


def proof_against(table: PeerTable, card: Card) -> Conflict | None:
    """What a card that we refused proves together with one that counts here, if the two cannot both be.

    Its signatures are checked by whoever takes the proof. Against ourselves we make none.
    """
    known = [table.by_identity(card.identity), table.by_node(card.node_id)]
    others = [peer.card for peer in known if peer is not None and peer.node_id != table.own]
    return next((proof for other in others if (proof := _between(table, card, other)) is not None), None)


def proof_of_twins(table: PeerTable, new: RevocationList) -> Conflict | None:
    """What a list proves of its issuer together with another one of the same number."""
    twins = [one for one in table.revocations.by_issuer[new.issuer].current if one.digest != new.digest]
    return _between(table, new, twins[0]) if twins else None


def _between(table: PeerTable, one: Card | RevocationList, other: Card | RevocationList) -> Conflict | None:
    try:
        proof = Conflict.between(one, other)
    except CardError:  # both can be
        return None
    return proof if is_needed(table, proof) else None


def _is_new(table: PeerTable, conflict: Conflict) -> bool:
    """One proof for each subject; of an identity a later one, too, since a higher number ends the one before."""
    held = [
        one.sequence
        for one in table.facts.statements.values()
        if isinstance(one, Conflict) and (one.kind, one.subject) == (conflict.kind, conflict.subject)
    ]
    return not held or (conflict.kind == "identity" and conflict.sequence > max(held))
