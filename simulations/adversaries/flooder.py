"""Flooder: a member that says as much as it can: the largest messages, nonsense, bombs, and questions without end."""

from cards.codec import encode as encode_value
from p2pnoise.gossip.messages import (
    FINGERPRINT_SIZE,
    ID_SIZE,
    MAX_IDS,
    MAX_RANGES,
    MAX_WANT,
    Announce,
    Range,
    Ranges,
    Want,
    encode,
)
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.frames import MAX_PAYLOAD
from p2pnoise.node.link import Link

from .around import Around, tell

BURST = 4  # messages to each peer at a time

NONSENSE, BOMB, LATER, ANNOUNCE, WANT, RANGES, FRAME, PING = range(8)
LARGEST = 63_000  # bytes of a message, a little less than may be


class Flooder(Around):
    """Every half second it floods each of its links in one way, drawn anew for each."""

    pause = SECOND // 2

    def act(self) -> None:
        for connection, link in self.links():
            way = self.chance.randrange(8)
            plain = way in (NONSENSE, BOMB)
            tell(self.world, self.node, connection, "flood", plain=plain)
            for _ in range(1 if plain else BURST):
                self._flood(connection, link, way)

    def _flood(self, connection: io.ConnectionId, link: Link, way: int) -> None:
        draw = self.chance.randbytes
        match way:
            case 0:
                data = b"\xc1" + draw(LARGEST)
            case 1:
                data = b"\x91" * LARGEST
            case 2:
                data = encode_value([1, 99, bytes(LARGEST)])
            case 3:
                data = encode(Announce(frozenset(draw(ID_SIZE) for _ in range(MAX_IDS))))
            case 4:
                held = [item for peer in self.core.table for item in peer.item_ids][:MAX_WANT]
                data = encode(Want(frozenset(held)))
            case 5:
                (issuer,) = self.core.table.policy.issuers.values()
                uppers = sorted({draw(3) + b"\1" for _ in range(MAX_RANGES)})
                ranges = tuple(Range(upper, draw(FINGERPRINT_SIZE)) for upper in uppers)
                data = encode(Ranges(((bytes(issuer), ranges),), frozenset()))
            case 6:
                link.send_frame(200, bytes(MAX_PAYLOAD))
                self.core.links.agenda.touch(connection)
                return
            case _:
                link.ask(draw(32))
                self.core.links.agenda.touch(connection)
                return
        self.gossip(connection, link, data)
