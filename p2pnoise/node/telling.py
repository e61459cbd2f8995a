"""Telling: links and gossip effects as events for the application. Pure translation, nothing is decided here."""

from functools import lru_cache

from cards import (
    Address,
    Conflict,
    Delegation,
    Finding,
    IdentityId,
    IssuerId,
    Manifest,
    NodeId,
    Retirement,
    RevocationList,
)
from cards.facts import Statement
from p2pnoise import events
from p2pnoise.gossip import Peer, PeerTable
from p2pnoise.gossip import effects as gossip

from .bans import Ban
from .link import Link


def refused(link: Link, reason: str, *, told: bool) -> events.PeerRefused:
    """We sent the peer at the end of `link` away."""
    claim = link.verdict.claim if link.verdict is not None else None
    return events.PeerRefused(
        node_id=claim.node_id if claim is not None else link.node_id,
        name=claim.name if claim is not None else None,
        address=link.address,
        reason=reason,
        told=told,
        findings=_errors(link),
        card=claim,
    )


def banned(ban: Ban) -> events.PeerBanned:
    """We banned a node by ourselves."""
    return events.PeerBanned(node_id=NodeId(ban.key), name=ban.name, reason=ban.reason, until=ban.until)


def refused_by_peer(link: Link, name: str | None, reason: str) -> events.RefusedByPeer:
    return events.RefusedByPeer(node_id=link.node_id, name=name, address=link.address, reason=reason)


def verified(link: Link, node_id: NodeId, known_peers: int) -> events.PeerVerified:
    return events.PeerVerified(
        node_id=node_id,
        name=name(link),
        address=link.address,
        pattern=link.pattern,
        dialled=link.initiator,
        groups=link.verdict.groups if link.verdict is not None else (),
        known_peers=known_peers,
    )


def key_changed(link: Link, previous: NodeId, node_id: NodeId) -> events.PeerKeyChanged:
    return events.PeerKeyChanged(node_id=node_id, previous=previous, name=name(link), address=link.address)


def key_elsewhere(link: Link, name: str | None, address: Address) -> events.OwnKeyElsewhere:
    return events.OwnKeyElsewhere(node_id=link.node_id, name=name, address=address)


def lost(link: Link, node_id: NodeId, reason: str) -> events.PeerLost:
    return events.PeerLost(node_id=node_id, name=name(link), reason=reason, findings=_errors(link))


def card_learned(peer: Peer, teller: bytes, known_peers: int) -> events.CardLearned:
    card = peer.content.card
    return events.CardLearned(
        node_id=card.node_id,
        name=card.name,
        sequence=card.sequence,
        learned_from=_node_id(teller),
        known_peers=known_peers,
    )


def gossiped(
    effect: gossip.OwnCardLearned | gossip.Refused | gossip.FactApplied | gossip.FactRefused | gossip.Pinned,
    table: PeerTable,
    source: str,
) -> events.Event:
    """What the overlay did. `source` says, in words, where a fact came from that no peer gave us."""
    match effect:
        case gossip.OwnCardLearned(card, giver):
            return events.OwnCardLearned(sequence=card.sequence, source=NodeId(giver))
        case gossip.Refused(_, verdict):
            claim = verdict.claim
            return events.CardRefused(
                node_id=claim.node_id if claim is not None else None,
                name=claim.name if claim is not None else None,
                findings=verdict.errors,
            )
        case gossip.FactRefused(finding, giver):
            file = source or f"the list that {NodeId(giver).short} gave"
            return events.FileRejected(file=file, reason=finding.message)
        case gossip.Pinned(peer):
            return events.PeerPinned(node_id=peer.node_id, name=peer.card.label, identity=peer.card.identity)
        case gossip.FactApplied():
            return _applied(effect, table, source or NodeId(effect.source).short)


@lru_cache(maxsize=1_024)  # each peer that is linked tells of very many others
def _node_id(raw: bytes) -> NodeId:
    return NodeId(raw)


def _applied(effect: gossip.FactApplied, table: PeerTable, source: str) -> events.Event:
    fact, gone = effect.fact, tuple(peer.node_id for peer in effect.gone)
    if not isinstance(fact, RevocationList):
        return events.StatementApplied(
            statement=fact.label.lower(), subject=_subject(fact, table), source=source, dropped=gone
        )
    return events.ListApplied(
        issuer=table.policy.issuer_name(fact.issuer),
        sequence=fact.sequence,
        source=source,
        revoked=gone,
        findings=(effect.finding,) if effect.finding is not None else (),
    )


def _subject(fact: Statement, table: PeerTable) -> str:
    """Whom a statement is about: an issuer by our name for it, others by their key."""
    match fact:
        case Delegation(issuer=issuer, key=key):
            return f"{table.policy.issuer_name(issuer)} to {key}"
        case Retirement(issuer=issuer):
            return table.policy.issuer_name(issuer)
        case Manifest(version=version):
            return f"version {version}"
        case Conflict(kind="issuer", subject=subject):
            return table.policy.issuer_name(IssuerId(subject))
        case Conflict(kind="node", subject=subject):
            return str(NodeId(subject))
        case Conflict(subject=subject):
            return str(IdentityId(subject))
        case _:
            return str(IdentityId(fact.signers[0]))


def name(link: Link) -> str | None:
    """What the card at the end of `link` calls itself, as far as one was shown."""
    claim = link.verdict.claim if link.verdict is not None else None
    return claim.name if claim is not None else None


def _errors(link: Link) -> tuple[Finding, ...]:
    return link.verdict.errors if link.verdict is not None else ()
