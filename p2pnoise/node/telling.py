"""Telling: links and gossip effects as events for the application. Pure translation, nothing is decided here."""

from cards import Finding, NodeId
from p2pnoise import events
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip import effects as gossip

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
    )


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


def lost(link: Link, node_id: NodeId, reason: str) -> events.PeerLost:
    return events.PeerLost(node_id=node_id, name=name(link), reason=reason, findings=_errors(link))


def gossiped(
    effect: gossip.Learned | gossip.RecordLearned | gossip.Refused | gossip.ListApplied | gossip.ListRefused,
    table: PeerTable,
    source: str,
) -> events.Event:
    """What the overlay did. `source` says, in words, where a list came from that no peer gave us."""
    match effect:
        case gossip.Learned(peer, teller):
            return events.CardLearned(
                node_id=peer.node_id,
                name=peer.card.name,
                sequence=peer.card.sequence,
                learned_from=NodeId(teller),
                known_peers=len(table),
            )
        case gossip.RecordLearned(record, _):
            return events.AddressLearned(node_id=record.node_id, addresses=record.addresses)
        case gossip.Refused(_, verdict):
            claim = verdict.claim
            return events.CardRefused(
                node_id=claim.node_id if claim is not None else None,
                name=claim.name if claim is not None else None,
                findings=verdict.errors,
            )
        case gossip.ListRefused(finding):
            return events.FileRejected(file=source, reason=finding.message)
        case gossip.ListApplied(issuer, sequence, teller, found, gone):
            return events.ListApplied(
                issuer=table.policy.issuer_name(issuer),
                sequence=sequence,
                source=source or NodeId(teller).short,
                revoked=tuple(peer.node_id for peer in gone),
                findings=(found,) if found is not None else (),
            )


def name(link: Link) -> str | None:
    """What the card at the end of `link` calls itself, as far as one was shown."""
    claim = link.verdict.claim if link.verdict is not None else None
    return claim.name if claim is not None else None


def _errors(link: Link) -> tuple[Finding, ...]:
    return link.verdict.errors if link.verdict is not None else ()
