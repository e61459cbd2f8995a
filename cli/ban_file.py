"""Bans on the command line: whom a PEER means, and what is said of a ban; the file is p2pnoise/folder/bans.py's."""

import difflib
from datetime import UTC, datetime
from typing import Any

from cards import Card, IdentityId, NodeId
from cards.findings import UNTRUSTED, USAGE
from p2pnoise.folder.bans import Ban, read, write

from . import pins, trust_state
from .folders import NodeFolder
from .output import Fault

__all__ = ["Ban", "end_text", "meant", "read", "to_json", "write"]


def meant(peer: str, home: NodeFolder) -> tuple[IdentityId | NodeId, str | None]:
    """The key that PEER names, and the name of its bearer as far as it is known: a name, id1... or node1.... A name
    stands for its identity, which may change its node.

    Raises `Fault` for a name of nobody, or of several, and for ourselves, and CardError for a mistyped key.
    """
    table, own = trust_state.read_table(home, about=peer), home.read_card()
    known = [row.card for row in table.rows] if table is not None else []
    for kind in (IdentityId, NodeId):
        if peer.startswith(f"{kind.prefix}1"):
            key = kind.parse(peer)
            bearer = next((card for card in known if key in (card.identity, card.node_id)), None)
            _check_other(key, own)
            return key, bearer.name if bearer is not None else None
    first_uses = table.pins if table is not None else {}
    pinned = pins.read(home.pins).over(first_uses).get(peer)
    found = {pinned} if pinned is not None else {card.identity for card in known if card.name == peer}
    if not found:
        near = difflib.get_close_matches(peer, trust_state.names(home) if table is not None else (), 3)
        fix = (
            f"did you mean {' or '.join(near)}?" if near else "p2pnoise peers lists those that it knows; or give a key"
        )
        raise Fault(f"this node knows no {peer}", fix, code=UNTRUSTED)
    if len(found) > 1:
        raise Fault(f"{len(found)} peers are called {peer}", f"name one of them: {' '.join(map(str, sorted(found)))}")
    (identity,) = found
    _check_other(identity, own)
    return identity, peer


def _check_other(key: IdentityId | NodeId, own: Card | None) -> None:
    if own is not None and key in (own.identity, own.node_id):
        raise Fault(f"{key.short} is this node itself", "name a peer", code=USAGE)


def end_text(ban: Ban) -> str:
    """When it ends, for people."""
    return (
        "lifted by hand alone" if ban.until is None else f"{datetime.fromtimestamp(ban.until, UTC):%Y-%m-%d %H:%M} UTC"
    )


def to_json(ban: Ban) -> dict[str, Any]:
    """As programs read it."""
    return {
        "key": str(ban.key),
        "name": ban.name,
        "reason": ban.reason,
        "since": ban.since,
        "until": ban.until,
    }
