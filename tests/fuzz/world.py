"""What the fuzz targets share: fixed keys of one network, what they signed, and how much an object holds."""

import random
from collections import deque
from collections.abc import Callable

from cards import (
    Entry,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    RevocationList,
    Revocations,
    SelfRevocation,
    Terms,
    grant,
    make_card,
    make_list,
    make_record,
)
from cards.codec import decode, encode
from cards.pages import page_digest
from cards.revocation import MAX_HEAD
from cards.statements import REVOCATION, frame
from p2pnoise.noise import KeyPair

NOW = 1_800_000_000  # seconds since 1970
NETWORK = "example-net"
DAY = 86_400


def stream(name: str) -> Callable[[int], bytes]:
    """Repeatable bytes of this name."""
    return random.Random(name).randbytes


ISSUER = IssuerKey(stream("issuer")(32))
POLICY = Policy(network=NETWORK, issuers={"ops": ISSUER.public})
NODES = {name: NodeKey.generate(stream(f"{name} node")) for name in ("ada", "bob", "carl")}
IDENTITIES = {name: IdentityKey.generate(stream(f"{name} identity")) for name in NODES}
STATICS = {name: KeyPair.from_private(key.static) for name, key in NODES.items()}
REQUESTS = {
    name: make_card(IDENTITIES[name], key, network=NETWORK, now=NOW - 100, name=name) for name, key in NODES.items()
}
CARDS = {
    name: grant(ISSUER, card, serial=1, now=NOW - 100, entropy=stream(name), groups=["agents"])
    for name, card in REQUESTS.items()
}
RENEWED = grant(ISSUER, REQUESTS["bob"], serial=2, now=NOW - 50, entropy=stream("renewed"))
RECORDS = {
    name: make_record(key, network=NETWORK, addresses=["10.0.0.7:7060", "[fe80::7]:7060"], sequence=5, now=NOW - 50)
    for name, key in NODES.items()
}
EMPTY_LIST = make_list(ISSUER, network=NETWORK, sequence=1, now=NOW - 100)
LIST = make_list(
    ISSUER,
    network=NETWORK,
    sequence=2,
    now=NOW - 50,
    entries=[
        Entry(bytes(CARDS["carl"].identity), NOW - 60, "lost", NOW + DAY),
        Entry(CARDS["carl"].card_id, NOW - 60, "lost", NOW + DAY),
    ],
    heals=[EMPTY_LIST.digest],
)
# Longer lists have more pages; this one is short and has two all the same.
_ROWS = [list(entry) for entry in LIST.entries]
_HEAD = decode(LIST.head, limit=MAX_HEAD) | {"pages": [page_digest(encode([row])) for row in _ROWS]}  # type: ignore[operator]
PAGED_LIST = RevocationList.read(
    encode(_HEAD), ISSUER.sign(frame(REVOCATION, encode(_HEAD))), [encode([row]) for row in _ROWS]
)
ENDING = SelfRevocation.make(
    {"net": NETWORK, "iat": NOW - 50, "key": IDENTITIES["carl"].public, "reason": "lost"}, IDENTITIES["carl"]
)
REVOCATIONS, _ = Revocations().add(EMPTY_LIST, Terms(issuers=[ISSUER.public], network=NETWORK, now=NOW))

SIGNED = {card.body for card in CARDS.values()} | {record.body for record in RECORDS.values()}
SIGNED |= {EMPTY_LIST.head, LIST.head, PAGED_LIST.head}
"""All that anybody here ever signed: whatever else verifies is forged."""


def held_bytes(root: object) -> int:
    """The bytes that an object of ours keeps, in itself and in whatever of ours it refers to."""
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, bytes | bytearray):
            total += len(value)
        elif isinstance(value, memoryview):  # of a part, but the whole is kept for it
            waiting.append(value.obj)
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset | deque):
            waiting += value
        elif type(value).__module__.startswith(("p2pnoise", "cards")) and not isinstance(value, type):
            names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
            waiting += [getattr(value, name) for name in names if hasattr(value, name)]
            waiting += vars(value).values() if hasattr(value, "__dict__") else ()
    return total
