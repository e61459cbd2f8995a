"""Importing: cards and addresses of a file, which somebody at the control socket hands to a running node."""

import time
from base64 import b64decode
from collections import Counter
from typing import Any

import trio

from cards import AddressRecord, Card, CardError
from cards.findings import USAGE
from cli.output import Fault
from cli.peer_file import Row
from cli.peer_weighing import KNOWN, claims, is_held, outcome
from p2pnoise import Node
from p2pnoise.node import effects as io

from .control import Call

__all__ = ["take_peers"]

MAX_ROWS = 500  # of one question
AT_ONCE = 20  # that are judged before links have their turn: some 10 ms


async def take_peers(node: Node, call: Call) -> dict[str, Any]:
    """Have the node judge these as if a peer had given them; how many came to what. Raises `Fault`."""
    counts: Counter[str] = Counter()
    peers: list[tuple[Card, AddressRecord | None]] = []
    for row in _rows(call.arguments.get("peers")):
        try:
            card, record = claims(row)
        except CardError as error:
            counts[error.code] += 1
            continue
        if is_held(card, record, node.core.table.by_identity(card.identity)):
            counts[KNOWN] += 1
        else:
            peers.append((card, record))
    for begin in range(0, len(peers), AT_ONCE):
        some, table, now = tuple(peers[begin : begin + AT_ONCE]), node.core.table, int(time.time())
        before = {bytes(card.identity): table.by_identity(card.identity) for card, _ in some}
        await node.offer(io.PeersOffered(some))
        await node.settle()
        counts.update(outcome(card, table, before, now) for card, _ in some)
        await trio.lowlevel.checkpoint()
    return {"outcomes": counts}


def _rows(given: object) -> list[Row]:
    try:
        if isinstance(given, list) and len(given) <= MAX_ROWS:
            return [Row(b64decode(card, validate=True), b64decode(record, validate=True)) for card, record in given]
    except (ValueError, TypeError):
        pass
    raise Fault(f"peers is no list of at most {MAX_ROWS} pairs in base64", "see p2pnoise peers import", code=USAGE)
