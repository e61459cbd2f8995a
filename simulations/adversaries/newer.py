"""Newer: a member of a later version, honest otherwise: it says more than we understand."""

from cards.codec import encode
from p2pnoise.instant import SECOND
from p2pnoise.node.frames import Kind

from .around import Around

LATER_FRAME = 200
NOTHING_YET = encode([7, "what nobody has thought of yet"])  # a notice


class Newer(Around):
    """Every second it says on each link what only its own version understands."""

    pause = SECOND

    def act(self) -> None:
        for connection, link in self.links():
            self.gossip(connection, link, encode([1, 99, b"a type of message that there is not yet", [1, 2, 3]]))
            self.gossip(connection, link, encode([2, 4, {"a version": "that there is not yet"}]))
            link.send_frame(LATER_FRAME, self.chance.randbytes(40))
            link.send_frame(Kind.NOTICE, NOTHING_YET)
