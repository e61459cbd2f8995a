"""Candidates: whom a node could turn to: those that peers named, those who answered once, and any of its table.

As in Bitcoin there are *tried* addresses, at which somebody answered us, and *new* ones, of which we have heard. Two
things differ. A draw takes the network first and then somebody in it, so that five networks weigh five, whatever share
of all identities is there; nothing need be put into buckets by a secret for that, nor by who told of it. And *new* is
no list of its own: it is the table, where the room of each issuer is bounded and each row took a grant, and the passive
view beside it. An index of the table by networks is not kept on purpose: whoever has many identities can say of each
that it is in another network, which costs nothing. Of a fair draw of rows these are as many as there are identities;
of an index by networks they would be nearly all.

What answered is sure to be where it says, so half of a draw is of these, as soon as they are of several networks: those
who mean no good answer always, and are among the first. Such a one makes room for another only where it does not answer
any more.

Nobody is remembered as tried over a restart. Who lies about where it is does not answer then either, and costs a dial;
who does answer, whatever it has in mind, is among the tried as well. Simulated, 200 nodes, 30 % of them of a rogue
issuer in five networks, all others started anew, 4 seeds: of the neighbours of these 97.0 to 97.9 % were honest where
each remembered everybody who ever answered, and 97.3 to 98.6 % where nobody remembered any. What does count is kept:
whom a node turns to first (anchors), and who was at fault.
"""

from collections.abc import Iterable

from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND

from .company import SEVERAL
from .items import ItemSet, is_body
from .networks import Network
from .peer import Peer
from .table import PeerTable

PASSIVE = 64  # peers; overlay-and-gossip 2.2: P(no live one among them) is 0.0001 % when 80 % fail
LOOKED_AT = 8  # times as many of the table as are wanted, to choose networks among: of 10,000 nodes, 30 % of them in
# five networks and the others in 200, one expects 167 of these among 512, and 72 among 128
MAX_NETWORKS = 1_024  # of which tried addresses are kept; a guess: Bitcoin keeps 16,384 addresses
MAX_TRIED = 8  # nodes of one network: a draw takes one of them
VISITED = 16  # drawn where one is to be visited: most of them may be linked
# How long the first count of networks is good for, and any: each twice as long as the one before, unless there are
# twice as many rows. Guesses; counted every 30 s, it was a fifth of what 1,000 simulated nodes at rest take. Never more
# often: limits that bind while a table fills send many away; 88 % of neighbours are honest then, not 93 (`sybil`).
COUNT_AGAIN, LONGEST_COUNT = 5 * SECOND, 320 * SECOND


class Candidates:
    """The passive view and the tried addresses of one node. Bounded by `PASSIVE`, `MAX_NETWORKS` and `MAX_TRIED`."""

    def __init__(self, table: PeerTable, *, random: Chance) -> None:
        self.passive: list[bytes] = []  # ids of card bodies
        self._table = table
        self._random = random
        self._tried: dict[Network | None, dict[bytes, None]] = {}  # Node IDs, the one that answered last at the end
        self._waiting: dict[Network | None, bytes] = {}  # who is put in as soon as the first there does not answer
        self._networks = 0
        self._count_at = 0
        self._count_holds = COUNT_AGAIN // 2
        self._counted = 0, 0  # rows, and when

    def named(self, ids: ItemSet) -> None:
        """A peer spoke of these, among other items."""
        for item in sorted(ids):
            if is_body(item) and item not in self.passive:
                if len(self.passive) < PASSIVE:
                    self.passive.append(item)
                else:
                    self.passive[self._random.randrange(PASSIVE)] = item

    # Tried

    def answered(self, node_id: bytes, network: Network | None) -> None:
        """We dialled this node there, and it is who it should be."""
        if network not in self._tried and len(self._tried) >= MAX_NETWORKS:
            gone = self._random.choice(list(self._tried))
            del self._tried[gone]
            self._waiting.pop(gone, None)
        there = self._tried.setdefault(network, {})
        if node_id in there:
            del there[node_id]
            self._waiting.pop(network, None)  # test before evict, and it was there
        elif len(there) >= MAX_TRIED:  # or whoever comes often would push out all who were there before
            self._waiting[network] = node_id
            return
        there[node_id] = None

    def silent(self, node_id: bytes, network: Network | None) -> None:
        """Where we dialled this node, it is not."""
        there = self._tried.get(network, {})
        if node_id in there:
            del there[node_id]
            other = self._waiting.pop(network, None)
            if other is not None:
                there[other] = None
            if not there:
                del self._tried[network]

    @property
    def tried(self) -> list[Peer]:
        """All who answered once, as far as the table still has them."""
        return self._rows(node_id for there in self._tried.values() for node_id in there)

    def _rows(self, node_ids: Iterable[bytes]) -> list[Peer]:
        rows = (self._table.by_node(node_id) for node_id in node_ids)
        return [row for row in rows if row is not None and row.record is not None and row.record.addresses]

    # Drawing

    def draw(self, most: int) -> list[Peer]:
        """Up to so many peers that could be dialled, no two of one network while there are others, best first."""
        tried = self._tried if len(self._tried) >= SEVERAL else {}
        drawn = self._spread({network: list(there) for network, there in tried.items()}, most // 2)
        answered = self._rows(dict.fromkeys(drawn))  # one may have addresses in several
        known = {peer.node_id for peer in answered}
        new = [row for row in self._new(most) if row.node_id not in known]
        return [peer for peer in (*answered, *new)[:most] if peer.node_id != self._table.own]

    def to_visit(self) -> list[Peer]:
        """Some of whom it is worth knowing whether they are there: who is to make room if not, else who is new."""
        tested = self._rows(next(iter(self._tried[network])) for network in self._waiting)
        return tested or self._new(VISITED)

    def networks(self, now: int) -> int:
        """Of how many networks the peers are that a draw has to choose among."""
        rows, (counted, when) = len(self._table), self._counted
        if now >= self._count_at or (rows > 2 * counted and now >= when + COUNT_AGAIN):
            self._count_holds = min(2 * self._count_holds, LONGEST_COUNT)
            self._count_at, self._counted = now + self._count_holds, (rows, now)
            found = len(self._by_network(LOOKED_AT * SEVERAL).keys() - {None})
            # Chance alone is not to have a node mind networks at one time and not at another.
            self._networks = found if found < SEVERAL // 2 else max(found, self._networks)
        return self._networks

    def _new(self, most: int) -> list[Peer]:
        alike = self._count_at > 0 and self._networks < 2  # there is nothing to choose among
        among = most if alike else LOOKED_AT * most
        rows = map(self._table.by_item, self._spread(self._by_network(among), most))
        return [row for row in rows if row is not None and row.record is not None and row.record.addresses]

    def _by_network(self, among: int) -> dict[Network | None, list[bytes]]:
        """Bodies of the passive view and so many of the table."""
        found: dict[Network | None, list[bytes]] = {}
        for body in dict.fromkeys((*self.passive, *self._table.sample(self._random, among))):
            found.setdefault(self._table.home(body), []).append(body)
        return found

    def _spread(self, by_network: dict[Network | None, list[bytes]], most: int) -> list[bytes]:
        """Up to so many of these: one of each network, in any order, then another of each, and so on."""
        networks = list(by_network.values())
        self._random.shuffle(networks)
        found: list[bytes] = []
        while networks and len(found) < most:
            for there in networks[: most - len(found)]:
                other = self._random.randrange(len(there))
                there[other], there[-1] = there[-1], there[other]
                found.append(there.pop())
            networks = [there for there in networks if there]
        return found
