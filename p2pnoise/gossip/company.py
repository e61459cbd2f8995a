"""Company: of how many networks and issuers the neighbours of a node are, and who would make it one-sided.

Whoever owns many identities in few networks, or of one issuer, is met as seldom as one who owns few. These limits bind
where there is a choice (P21): where a node knows of one network, or of private addresses alone, there are none.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cards import Verdict

from .content import roots_of
from .effects import LinkId
from .items import NO_ISSUER
from .networks import Network, admits, home_of
from .table import PeerTable

ENOUGH = 8  # neighbours up to which anybody is welcome; what a node dials until it has them
SEVERAL = 32  # networks that a node knows before it minds them; fewer may be all that a fleet has. A guess: 4 in a lot
MANY_ISSUERS = 3  # of the policy, from which on none may have more than half. With two, the second would be given its
# half, whoever it is: a node cannot know which of two is the rogue

CROWDS = 2  # the last rank


Rank = Callable[[bytes, Network | None], int]


@dataclass(frozen=True, slots=True)
class _Neighbour:
    network: Network | None
    issuers: frozenset[bytes]
    ours: bool
    among: int  # rows, if networks were minded; else 0


class Company:
    """The neighbours of one node by network and issuer. `known` says of how many networks it has heard."""

    def __init__(self, table: PeerTable) -> None:
        self.known = 0
        self._table = table
        self._neighbours: dict[LinkId, _Neighbour] = {}
        self._networks: Counter[Network | None] = Counter()
        self._tally: Counter[bytes] = Counter()

    def join(self, link: LinkId, network: Network | None, issuers: frozenset[bytes], *, ours: bool) -> None:
        self._neighbours[link] = _Neighbour(network, issuers, ours, len(self._table) if self.binds else 0)
        self._networks[network] += 1
        self._tally.update(issuers)

    def part(self, link: LinkId) -> None:
        one = self._neighbours.pop(link, None)
        if one is not None:
            self._networks[one.network] -= 1
            if not self._networks[one.network]:  # or every network that was ever met would stay
                del self._networks[one.network]
            self._tally.subtract(one.issuers)

    def issuers(self, verdict: Verdict) -> frozenset[bytes]:
        """The root issuers for whom a card of this verdict counts; none where they are too few to mind."""
        if not self._minds_issuers:
            return frozenset()
        return roots_of(verdict) - {NO_ISSUER}

    @property
    def _minds_issuers(self) -> bool:
        return len(self._table.policy.issuers) >= MANY_ISSUERS

    @property
    def binds(self) -> bool:
        """Whether so many networks are known that there is a choice."""
        return self.known >= SEVERAL

    def crowds(self, network: Network | None, issuers: frozenset[bytes], *, ours: bool) -> bool:
        """Whether one of these would be one too many: of its network or issuers, or, if it comes to us, by the lot."""
        if network is not None and (self._networks[network] or not (ours or admits(self._table.own, network))):
            return True
        return self._outweigh(issuers, self._tally)

    def ranking(self) -> Rank:
        """How gladly a node is dialled, the lowest first: where we are as welcome as it is here, or where we are not.

        Last of all, as `CROWDS`, whoever would be one too many.
        """
        own = self._table.by_node(self._table.own) if self.binds else None
        home = home_of(own.record) if own is not None and own.record is not None else None
        minds_issuers = self._minds_issuers

        def rank(node_id: bytes, network: Network | None) -> int:
            row = self._table.by_node(node_id) if minds_issuers else None
            if self.crowds(network, self.issuers(row.verdict) if row is not None else frozenset(), ours=True):
                return CROWDS
            return int(home is not None and not admits(node_id, home))

        return rank

    def crowding(self, *, ours: bool | None = None) -> list[LinkId]:
        """The neighbours, of our own choice or not or both, who are one too many; the last who came first.

        So is whoever was chosen among few, when there are twice as many: of the first twenty cards that a newcomer has,
        those of five networks are a quarter if they are 30 % of all.
        """
        if not self.binds:
            return []
        networks: set[Network] = set()
        tally: Counter[bytes] = Counter()
        found = []
        for link, one in sorted(self._neighbours.items(), key=lambda item: not item[1].ours):
            network = one.network
            unlucky = network is not None and not (one.ours or admits(self._table.own, network))
            hasty = one.ours and 2 * one.among < len(self._table)
            if network in networks or unlucky or hasty or self._outweigh(one.issuers, tally):
                if ours in (None, one.ours):
                    found.append(link)
                continue
            tally.update(one.issuers)
            if network is not None:
                networks.add(network)
        return found[::-1]

    def _outweigh(self, issuers: frozenset[bytes], tally: Counter[bytes]) -> bool:
        """Whether all these have half of the neighbours already."""
        half = max(len(self._neighbours), ENOUGH) // 2
        return bool(issuers) and all(tally[issuer] >= half for issuer in issuers)
