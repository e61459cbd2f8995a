"""Pairing: one link per pair of nodes, chosen alike by both ends, and the contest that finds a clone (rule P11).

"Newest wins" would let two clones flap for ever and a replay kill a link; a plain tie-break would keep dead links.
"""

from collections.abc import Mapping

from .frames import Hello
from .link import Link, Stage


def rival(links: Mapping[int, Link], connection: int) -> int | None:
    """Another link to the same node that was let in; newcomers that wait in a contest are nobody's rivals yet."""
    mine = links[connection]
    for number, other in links.items():
        let_in = other.stage in (Stage.COMPARING, Stage.UP) and not other.draining
        if number != connection and let_in and other.node_id == mine.node_id:
            return number
    return None


def same_start(other: Link, hello: Hello) -> bool:
    """Whether `hello` comes from the very start of a node that `other` is linked to."""
    return other.hello is not None and other.hello.boot_id == hello.boot_id


def newcomer_stays(own: bytes, link: Link, other: Link, hello: Hello) -> bool:
    """Which of two links to one start of a node stays; both ends come to the same answer."""
    return hello.replaces == other.handshake_hash or _rank(own, link) < _rank(own, other)


def _rank(own: bytes, link: Link) -> tuple[bool, bool, bytes]:
    # One that is to stay; the link dialled by the lower Node ID; of two such, the one with the lower handshake hash.
    dialled_by_lower = link.initiator == (own < (link.node_id or b""))
    return link.visit, not dialled_by_lower, link.handshake_hash


class Contests:
    """Newcomers that wait until the older link to their node has answered, or has not."""

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}  # newcomer -> the older link

    def begin(self, newcomer: int, older: int) -> None:
        self._asked[newcomer] = older

    def over(self, newcomer: int) -> None:
        """The contest of this newcomer is settled, if there was one."""
        self._asked.pop(newcomer, None)

    def older(self, newcomer: int) -> int | None:
        """The link that this newcomer waits for."""
        return self._asked.get(newcomer)

    def against(self, older: int) -> list[int]:
        """The newcomers that wait for this link."""
        return [newcomer for newcomer, asked in self._asked.items() if asked == older]
