"""Contents: all that a node begins with from its folder, read and checked before anything is opened or closed."""

from dataclasses import dataclass, field

from cards import Card, NodeId, NodeKey, Policy
from cards.facts import Fact
from cards.findings import BINDING, UNTRUSTED

from .bans import Ban
from .fault import Fault
from .node_folder import NodeFolder
from .pins import Pins

__all__ = ["Contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the files of a node's folder say together. `before` is the node whose database this one takes over."""

    key: NodeKey = field(repr=False)
    before: NodeId | None
    card: Card
    policy: Policy
    facts: tuple[Fact, ...]
    pins: Pins
    bans: tuple[Ban, ...]

    @classmethod
    def read(cls, folder: NodeFolder, *, before: NodeId | None = None) -> "Contents":
        """All of them, or a `Fault` with the next step. Without `before`, the key before says who it was."""
        key, card, policy = folder.read_node(), folder.read_card(), folder.read_policy()
        if card is None or policy is None:
            what = "card is installed" if card is None else "policy.toml lies"
            fix = "p2pnoise card request, have it issued, then p2pnoise card install FILE --issuer issuer1..."
            raise Fault(f"no {what} in {folder.path}", fix, code=UNTRUSTED)
        if card.node_id != key.public:
            text = f"{folder.card} names node {card.node_id.short}, {folder.node_key} is {key.public.short}"
            raise Fault(text, "install the card of this node, or restore the key that belongs to it", code=BINDING)
        if before is None:
            old = folder.read_old_node()
            before = old.public if old is not None else None
        return cls(
            key=key,
            before=before,
            card=card,
            policy=policy,
            facts=(*folder.read_revocations(), *folder.read_statements()),
            pins=folder.read_pins(),
            bans=folder.read_bans(),
        )
