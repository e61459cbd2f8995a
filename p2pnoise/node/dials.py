"""Dials: whom to dial next, and when. No I/O; time is handed in."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import TypeAlias

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.gossip import CROWDS, Peer, Rank, Views, network_of
from p2pnoise.gossip.views import SEARCH
from p2pnoise.instant import SECOND

from .bans import Bans
from .frames import VISIT
from .hosts import Hosts
from .link import Link, Stage
from .pauses import Pauses

POOL = 64  # peers among which a node looks for the next to dial: all, or as many as its passive view holds
VISITS = 30 * SECOND  # between two visits in a small network; in one of N peers it is N / 64 times as long, so that all
# together pay as many: parts of a network that was divided meet within a minute. A guess, measured by `partition`
FEELER = (
    120 * SECOND
)  # but no longer: a visit shows, too, who is where its record says. Bitcoin's pause between feelers
REDRAW = SECOND  # how long it looks among the same before others are drawn; a guess


def between_visits(known: int) -> int:
    """Nanoseconds from one visit to the next of a node that knows so many peers."""
    return min(VISITS * max(known, POOL) // POOL, FEELER)


def own_choice(target: int) -> int:
    """Of so many neighbours that are wanted, how many are to be of our own choice: more than half, if it is many."""
    return target // 2 + (target > 2)


Goal: TypeAlias = NodeId | Address  # whom an application wants: this node, or whoever answers there


@dataclass(frozen=True, slots=True)
class Target:
    """One dial that could be made. Without `node_id` any verified peer may answer."""

    address: Address
    node_id: NodeId | None
    name: str | None
    source: str

    @property
    def goal(self) -> Goal:
        """What is reached where this dial succeeds."""
        return self.node_id if self.node_id is not None else self.address


class Dialler:
    """Chooses among bootstrap addresses and the table, as far as the `pauses` of earlier dials and the `hosts` allow.

    `open` holds the dials whose carrier is not there yet, by connection.
    """

    def __init__(self, config: NodeConfig, *, own: NodeId, random: Chance, bans: Bans) -> None:
        self.open: dict[int, Target] = {}
        self.pauses = Pauses(config, random)
        self.hosts = Hosts()
        self.hosts.begin_at(start.address for start in config.bootstrap)
        self.stale = True  # whether `deadline` may say something else than when it was asked, beyond what is learned
        self._searching = False  # whether more links were wanted then
        self._reached_then: set[Goal | None] = set()
        self._sooner: int | None = None  # when the first that was learned of since may be dialled
        self._added: list[Bootstrap] = []  # to the configuration: not dialled yet
        self._wanted: dict[Goal, list[Target]] = {}  # by an application, at once: what was not tried yet
        self._config = config
        self._own = own
        self._random = random
        self._bans = bans
        self._pool: dict[NodeId, None] = {}
        self._redraw_at = 0
        self._visit_at = 0
        self._anchors: dict[NodeId, None] = {}  # not dialled yet
        self._more_at = 0
        self._entered = False  # whether a peer that counts has answered where the configuration says to begin

    def begin_with(self, anchors: Iterable[NodeId]) -> None:
        """Dial these before all others, once."""
        self._anchors |= dict.fromkeys(anchors)

    def configure(self, config: NodeConfig) -> None:
        """Other times and other peers to begin with. Each that is new is dialled at once, whatever links there are.

        They may all be of one part of the network, and the new peer the way to the other.
        """
        added = [start for start in config.bootstrap if start not in self._config.bootstrap]
        self._added = [start for start in (*self._added, *added) if start in config.bootstrap]
        for start in added:
            self.pauses.forget(start.address)
        self.pauses.configure(config)
        self.hosts.begin_at(start.address for start in config.bootstrap)
        self._config = config

    def learned(self, peer: Peer, now: int) -> None:
        """A new record: the higher Node ID leaves the first dial to the lower one, or both would dial at once."""
        for address in peer.record.addresses if peer.record is not None else ():
            if not self.hosts.believes(address):
                continue
            self.hosts.named(address)
            self.pauses.learned(address, now, defer=self._own > peer.node_id)
            if len(self._pool) < POOL:
                self._pool[peer.node_id] = None
            if self._searching and not self._reached_then & {peer.node_id, address}:
                due = max(self.pauses.of_node(peer.node_id), self._free_at(address, peer.node_id))
                self._sooner = due if self._sooner is None else min(due, self._sooner)

    def succeeded(self, address: Address) -> None:
        """The peer that we wanted answered there."""
        self._entered |= any(start.address == address for start in self._config.bootstrap)
        self.pauses.forget(address)

    def want(self, goal: Goal, addresses: list[Address], source: str) -> None:
        """Dial this as soon as may be, whatever links there are and whenever the addresses failed before."""
        node_id = goal if isinstance(goal, NodeId) else None
        self._wanted.setdefault(goal, []).extend(Target(address, node_id, None, source) for address in addresses)

    def unwant(self, goal: Goal) -> None:
        """It is not wanted any more, or reached."""
        self._wanted.pop(goal, None)

    def wants(self, goal: Goal) -> bool:
        """Whether there is an address of what is wanted left to be tried, or one is being dialled."""
        return bool(self._wanted.get(goal)) or any(target.goal == goal for target in self.open.values())

    def hold(self, node_id: NodeId, until: int, addresses: Collection[Address], now: int) -> list[int]:
        """Leave this node undialled until then, and `addresses`, unless wanted; the dials to it that are given up."""
        self.pauses.hold(node_id, until, addresses, now)
        given_up = [connection for connection, target in self.open.items() if target.node_id == node_id]
        for connection in given_up:
            del self.open[connection]
        return given_up

    def due_on_demand(self, links: Collection[Link]) -> list[Target]:
        """Whom an application or the operator wants dialled now; each target is given once."""
        reached, addresses = self._reached(links) | {self._own}, self._addresses(links)
        added, self._added = self._added, []
        return [
            *(
                Target(start.address, start.node_id, None, "bootstrap")
                for start in added
                if start.address not in addresses
                and (start.node_id is None or not (start.node_id in reached or self._refuses(start.node_id)))
            ),
            *(self._wanted[goal].pop(0) for goal in self._demanded(links)),
        ]

    def _demanded(self, links: Collection[Link]) -> list[Goal]:
        """What is wanted, has an address left, and is neither linked nor being dialled."""
        reached = self._reached(links)
        return [goal for goal, left in self._wanted.items() if left and goal not in reached]

    def _reached(self, links: Collection[Link]) -> set[Goal | None]:
        """Who is linked or being dialled, by every key that it was dialled or has answered by, and where we dialled."""
        # Who merely sent us a first message may be a replay of it: that must not keep us from dialling the real one.
        standing = [link for link in links if link.lasts and (link.greeted or link.initiator)]
        reached: set[Goal | None] = {key for link in standing for key in (link.node_id, link.expected)}
        reached |= {link.address for link in standing if link.initiator}
        return reached | {key for target in self.open.values() for key in (target.node_id, target.address)}

    def due(self, links: Collection[Link], views: Views, now: int) -> list[Target]:
        """Whom to dial now: bootstrap first, the others in random order, one address per node."""
        slots, anybody = self._slots(links, views, now), self._slots(links, views, now, but_for_some=False)
        visits = self._visit(links, views, now)
        if slots <= 0:
            return visits
        self._more_at = now + SEARCH
        reached, addresses = self._reached(links) | {self._own}, self._addresses(links)
        ready = [target for target in self._starts(links, reached, addresses) if self._not_before(target) <= now]
        ready += [
            Target(address, peer.node_id, peer.card.name, "table")
            for not_before, address, peer in self._others(self._among(views, now), links, reached)
            if not_before <= now
        ]
        busy = self._busy(links)
        rank = views.company.ranking()
        ranks = {id(target): self._rank(target, rank) for target in ready}
        ready.sort(key=lambda target: (ranks[id(target)], self._turn(target)))
        chosen = list(visits)
        for target in ready:
            if ranks[id(target)] == CROWDS and len(chosen) - len(visits) >= anybody:
                break
            taken = any(
                target.address == other.address or (target.node_id is not None and target.node_id == other.node_id)
                for other in chosen
            )
            host = target.address.host
            taken |= target.source == "table" and busy[host] >= self.hosts.room(host)
            if not taken and len(chosen) - len(visits) < slots:
                chosen.append(target)
                busy[host] += 1
                if target.node_id is not None:
                    self._anchors.pop(target.node_id, None)
        if len(chosen) > len(visits):  # where nobody was ready, others may be among those who are drawn next
            self._more_at = now + views.search
        return chosen

    def _rank(self, target: Target, rank: Rank) -> int:
        """Whom to dial first: anchors, bootstrap, then who is of a network and an issuer that we have not."""
        if target.node_id in self._anchors:
            return -2
        if target.source == "bootstrap" or target.node_id is None:
            return -1
        return rank(target.node_id, network_of(target.address))

    def _turn(self, target: Target) -> float:
        """Where it stands among those of its rank: by chance, a quarter as likely before with each failure.

        Where most of a table is dead, each dial to one of them takes as long as all pauses between the first few.
        """
        return self._random.random() * 4.0 ** min(self.pauses.failures(target.address), 32)

    def deadline(self, links: Collection[Link], views: Views, now: int) -> int | None:
        """When the first dial is due, in monotonic nanoseconds; None while no more links are wanted."""
        self.stale, self._sooner = False, None
        self._more_at = min(self._more_at, now + views.search)  # a neighbour may have been lost since
        self._searching = self._slots(links, views, now) > 0
        if self._added or (self._wanted and self._demanded(links)):
            return 0
        self._visit_at = self._visit_at or self._next_visit(views, now)
        visit = self._visit_at if self._pays_visits(views) else None
        due = self._next_search(links, views, now)
        return due if visit is None else visit if due is None else min(due, visit)

    def _next_search(self, links: Collection[Link], views: Views, now: int) -> int | None:
        """When somebody is to be dialled who may become a neighbour; None while no more are wanted."""
        if not self._searching:
            return self._more_at if max(self._lacking(links, views)) > 0 else None
        reached, addresses = self._reached(links) | {self._own}, self._addresses(links)
        self._reached_then = reached | addresses
        dues = [self._not_before(target) for target in self._starts(links, reached, addresses)]
        dues += [not_before for not_before, _, _ in self._others(self._among(views, now), links, reached)]
        if len(views.table) > POOL:
            dues.append(self._redraw_at)
        due = min(dues, default=None)
        if due is None or self._slots(links, views, now, but_for_some=False) > 0:
            return due
        return max(due, self._more_at)  # those who are there may be all that crowd those whom we have

    def sooner(self, due: int | None) -> int | None:
        """The same, where it was `due` and nothing has happened since but that peers were learned of."""
        return due if self._sooner is None else self._sooner if due is None else min(due, self._sooner)

    def _slots(self, links: Collection[Link], views: Views, now: int, *, but_for_some: bool = True) -> int:
        """How many are to be dialled now: more than half of the neighbours at once, and more where nobody else comes.

        Those who come to us may all be of one mind. If each dialled as many as it wants, each would have twice as many.
        Where all were full it takes its time (`Views.search`).
        `but_for_some`: as if those who crowd one another were not there, since others may replace them.
        """
        chosen, lacking = self._lacking(links, views, but_for_some=but_for_some)
        if chosen > 0 and views.search == SEARCH:
            return chosen
        return max(chosen, int(lacking > 0)) if now >= self._more_at else 0

    def _lacking(self, links: Collection[Link], views: Views, *, but_for_some: bool = True) -> tuple[int, int]:
        """How many neighbours of our own choice we have too few, and how many in all."""
        target, coming = self._config.target_links, self._coming(links)
        have = views.kept if but_for_some else len(views.active)
        have_chosen = views.chosen if but_for_some else sum(views.active.values())
        lacking = target - have - coming
        half = max(own_choice(target), (target + 1) // 2 if lacking > 0 else 0)
        return half - have_chosen - coming, lacking

    def _coming(self, links: Collection[Link]) -> int:
        """How many of those that we have dialled may become neighbours yet."""
        coming = sum(target.source != VISIT for target in self.open.values())
        for link in links:  # nearly all of them are up, or not ours
            if link.initiator and link.stage is not Stage.UP and link.lasts and not link.visit:
                coming += 1
        return coming

    def _visit(self, links: Collection[Link], views: Views, now: int) -> list[Target]:
        """Anybody who is not linked, if it is time; however often that failed, since the line may be whole again.

        Nobody's doing but ours, and two dials in a minute at most: so that is no way to have somebody dialled.
        """
        if now < self._visit_at or not self._pays_visits(views):
            return []
        self._visit_at = self._next_visit(views, now)
        reached = self._reached(links) | {self._own}
        strangers = [
            Target(address, peer.node_id, peer.card.name, VISIT)
            for _, address, peer in self._others(views.candidates.to_visit(), links, reached)
            if max(self.pauses.of_node(peer.node_id), self.hosts.blocked_until(address, peer.node_id)) <= now
        ]
        return [self._random.choice(strangers)] if strangers else []

    def _pays_visits(self, views: Views) -> bool:
        """Not where it has no neighbour, since it dials others anyway, nor where it is to dial nobody."""
        return bool(views.active) and self._config.target_links > 0

    def _next_visit(self, views: Views, now: int) -> int:
        pause = between_visits(len(views.table))
        return now + pause - self._random.randrange(pause // 5)

    def _among(self, views: Views, now: int) -> Iterable[Peer]:
        """The peers of whom one may be dialled: all of a small table, or a few that are drawn anew every second."""
        if len(views.table) <= POOL:
            return views.table
        if now >= self._redraw_at:
            self._redraw_at = now + REDRAW
            self._pool = {peer.node_id: None for peer in views.candidates.draw(POOL)}
        rows = (views.table.by_node(node_id) for node_id in self._pool)
        return (row for row in rows if row is not None)

    def _starts(self, links: Collection[Link], reached: Set[Goal | None], addresses: Set[Address]) -> Iterator[Target]:
        """Whom the configuration names, as far as they could be dialled and are not reached already."""
        linked = self._entered and any(link.stage is Stage.UP for link in links)
        for start in self._config.bootstrap:
            # An address without a Node ID is a way in, not a peer: of no use once we are in, by one of them. Mere links
            # do not show that: somebody may have dialled us who knows nobody else.
            done = linked
            if start.node_id is not None:
                done = start.node_id in reached or self._refuses(start.node_id)
            if not done and start.address not in addresses:
                yield Target(start.address, start.node_id, None, "bootstrap")

    def _others(
        self, peers: Iterable[Peer], links: Collection[Link], reached: Set[Goal | None]
    ) -> Iterator[tuple[int, Address, Peer]]:
        """The same of these: each address of each peer, and when it may be dialled."""
        pauses, hosts, banned = self.pauses, self.hosts, len(self._bans) > 0
        addresses, busy = self._addresses(links), self._busy(links)
        crowded = {host for host, count in busy.items() if count >= hosts.room(host)}
        for peer in peers:
            record, node_id = peer.content.record, peer.content.card.node_id
            if record is None or node_id in reached or (banned and self._refuses(node_id)):
                continue
            free_at = pauses.of_node(node_id)
            for address in record.addresses:
                if address not in addresses and address.host not in crowded and hosts.believes(address):
                    yield max(free_at, self._free_at(address, node_id)), address, peer

    def _free_at(self, address: Address, node_id: NodeId) -> int:
        """From when on this node may be dialled where others say that it is."""
        return max(self.pauses.of_address(address), self.hosts.not_before(address, node_id))

    def _busy(self, links: Collection[Link]) -> Counter[str]:
        """At which hosts so many are being dialled, or were and have not shown yet who they are."""
        hosts = [target.address.host for target in self.open.values()]
        hosts += [link.address.host for link in links if link.initiator and link.stage is not Stage.UP and link.lasts]
        return Counter(hosts)

    def _addresses(self, links: Collection[Link]) -> set[Address]:
        """Where somebody was dialled who answered, or is being dialled."""
        dialled = {target.address for target in self.open.values()}
        return dialled | {link.address for link in links if link.initiator}

    def _refuses(self, node_id: NodeId) -> bool:
        return self._bans.of_node(node_id) is not None

    def _not_before(self, target: Target) -> int:
        held = self.pauses.of_node(target.node_id) if target.node_id is not None else 0
        return max(held, self.pauses.of_address(target.address))
