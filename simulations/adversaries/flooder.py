"""Flooder: a member that says as much as it can: the largest messages, nonsense, bombs, news, questions without end."""

from cards import make_record
from cards.codec import encode as encode_value
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import (
    FINGERPRINT_SIZE,
    ID_SIZE,
    MAX_IDS,
    MAX_RANGES,
    MAX_WANT,
    Announce,
    Push,
    Range,
    Ranges,
    RecordItem,
    Want,
)
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.frames import MAX_PAYLOAD
from p2pnoise.node.link import Link
from simulations.oracle import NETWORK

from .around import Around, tell

BURST = 4  # messages to each peer at a time

NONSENSE, BOMB, LATER, ANNOUNCE, WANT, RANGES, FRAME, PING, NEWS = range(9)
LARGEST = 63_000  # bytes of a message, a little less than may be
RECORDS = 50  # of its own addresses, all signed, in one message


class Flooder(Around):
    """Every half second it floods each of its links in one way, drawn anew for each."""

    pause = SECOND // 2
    _signed = 0

    def act(self) -> None:
        for connection, link in self.links():
            way = self.chance.randrange(9)
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
            case 7:
                data = encode(Push([RecordItem(self._record()) for _ in range(RECORDS)]))
            case _:
                link.ask(draw(32))
                self.core.links.agenda.touch(connection)
                return
        self.gossip(connection, link, data)

    def _record(self) -> bytes:
        """Its addresses, under a higher number than ever before."""
        self._signed = max(self._signed + 1, self.world.unix * 1_000)
        addresses = [str(self.node.address)]
        key, now = self.node.citizen.key, self.world.unix
        return make_record(key, network=NETWORK, addresses=addresses, sequence=self._signed, now=now).raw
