"""Issuing: making and signing cards, grants, address records and revocation lists.

Everything takes its signers, times and randomness as arguments; `now` and lifetimes are seconds. A signer may be the
secret key itself or ask whoever has it; a node signs with its own key, which is always at hand.
"""

from collections.abc import Sequence

from . import codec
from .address import AddressRecord
from .card import POSITION_SIZE, Card, Grant
from .fields import check_validity
from .findings import CardError
from .keys import Entropy, IdentityId, IssuerId, NodeKey
from .pages import Entry, cut_pages, page_digest
from .policy import Policy
from .revocation import LIST_LIFETIME, RevocationList
from .signed import Signer
from .statements import CARD_APP, CARD_KEY, CARD_NODE, REVOCATION, SignatureCache, frame, verify
from .verification import verify_card

YEAR = 365 * 86400
RECORD_LIFETIME = 72 * 3600  # seconds; records are made again daily, so two may be missed


def make_card(
    identity: Signer,
    node: NodeKey | Card,
    *,
    network: str,
    now: int,
    name: str | None = None,
    sequence: int = 1,
    lifetime: int = 5 * YEAR,
    previous: bytes | None = None,
    next_key_digest: bytes | None = None,
) -> Card:
    """A card without grants, signed by both keys: this is also the request for a grant. Raises `CardError`.

    Where the node key is elsewhere, `node` is a card that it has signed for this identity: that signature says nothing
    of number and time, so it is kept.

    `next_key_digest`, SHA-256 of the identity key to come, commits to it: no other can succeed, whoever gets hold of
    this one.
    """
    check_validity(now, now + lifetime, "card")
    body: dict[str, codec.Value] = {
        "v": 1,
        "net": network,
        "key": bytes(identity.public),
        "node": bytes(node.public if isinstance(node, NodeKey) else node.node_id),
        "seq": sequence,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
    }
    if name is not None:
        body["name"] = name
    if previous is not None:
        body["prev"] = previous
    if next_key_digest is not None:
        body["next"] = next_key_digest
    raw = codec.encode(body)
    # Parsed again: what we make passes the checks that everybody else will make.
    owner = IdentityId(identity.public)
    binding = node.sign_binding(network, owner) if isinstance(node, NodeKey) else _binding(node, network, owner)
    return Card.from_body(raw, identity.sign(frame(CARD_KEY, raw)), binding)


def _binding(card: Card, network: str, owner: IdentityId) -> bytes:
    """The node signature of `card`. Raises `CardError` where it is none for this identity and network."""
    if not card.node_signature:
        raise CardError("unproven", "the card has no node signature to keep")
    if not verify(
        card.node_id.signing_key, card.node_signature, frame(CARD_NODE, network.encode(), owner, card.node_id)
    ):
        raise CardError("node-signature-invalid", f"node {card.node_id.short} did not sign for {owner.short}")
    return card.node_signature


def grant(
    issuer: Signer,
    card: Card,
    *,
    serial: int,
    now: int,
    entropy: Entropy,
    lifetime: int = YEAR,
    groups: Sequence[str] = (),
    capabilities: Sequence[str] = (),
    position: bytes | None = None,
    signatures: SignatureCache | None = None,
) -> Card:
    """`card` with this issuer's grant in place of an older one of theirs.

    `position` is kept over renewals by passing the old one; without it 16 new random bytes are drawn. Raises
    `CardError` where the grant does not fit, and for a card that its own two keys did not sign: whoever grants a
    claim vouches for a stranger's Node ID; `signatures` may know already that they did.
    """
    verdict = verify_card(card, policy=Policy(network=card.network), now=now, signatures=signatures)
    if verdict.card is None:
        worst = next(finding for finding in verdict.errors if finding.code != "threshold")
        raise CardError(worst.code, worst.message)
    end = min(now + lifetime, card.not_after)
    check_validity(now, end, "grant")
    attrs: dict[str, codec.Value] = {
        "sn": serial,
        "iat": now,
        "nbf": now,
        "exp": end,
        "pos": position or entropy(POSITION_SIZE),
    }
    if groups:
        attrs["grp"] = sorted(set(groups))
    if capabilities:
        attrs["cap"] = sorted(set(capabilities))
    raw = codec.encode(attrs)
    kid = IssuerId(issuer.public).hint
    new = Grant.parse(kid, raw, issuer.sign(frame(CARD_APP, card.body, raw)))
    granted = card.with_grants((*(old for old in card.grants if old.kid != kid), new))
    return Card.parse(granted.raw)


def make_record(
    node: NodeKey,
    *,
    network: str,
    addresses: Sequence[str],
    sequence: int,
    now: int,
    lifetime: int = RECORD_LIFETIME,
) -> AddressRecord:
    """Where this node can be dialled, signed by it. Raises `CardError` bad-address."""
    body = codec.encode(
        {
            "v": 1,
            "net": network,
            "node": bytes(node.public),
            "seq": sequence,
            "iat": now,
            "exp": now + lifetime,
            "addr": list(addresses),
        }
    )
    return AddressRecord.from_parts(body, node.sign_record(body))


def make_list(
    issuer: Signer,
    *,
    network: str,
    sequence: int,
    now: int,
    entries: Sequence[Entry] = (),
    lifetime: int = LIST_LIFETIME,
    heals: Sequence[bytes] = (),
) -> RevocationList:
    """The issuer's list number `sequence`; entries whose `until` has passed are left out. Raises `CardError`.

    `heals` are the digests of earlier lists that shared one number, which this one replaces.
    """
    pages = cut_pages(entry for entry in entries if entry.until > now)
    head: dict[str, codec.Value] = {
        "v": 1,
        "net": network,
        "iss": bytes(issuer.public),
        "seq": sequence,
        "iat": now,
        "next": now + lifetime,
        "pages": [page_digest(page) for page in pages],
    }
    if heals:
        head["heals"] = sorted(set(heals))
    raw = codec.encode(head)
    return RevocationList.read(raw, issuer.sign(frame(REVOCATION, raw)), pages)
