"""Dialling: whom the nodes of a message world dial, and when: as the dialler of a node does, without its sockets."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import CROWDS, Views, network_of
from p2pnoise.gossip.views import SEARCH
from p2pnoise.instant import ns
from p2pnoise.node.dials import POOL, between_visits

from .nodes import Link, MessageNode
from .sybils import KIND

if TYPE_CHECKING:
    from .world import MessageWorld

PAUSE, LONGEST = ns(NodeConfig().backoff_base), ns(NodeConfig().backoff_limit)  # until a peer is dialled again


class Dialling:
    """The dials of one world. `up` is called with each link that comes of one."""

    def __init__(self, world: "MessageWorld", *, random: Chance, up: Callable[[Link], None]) -> None:
        self._world = world
        self._random = random
        self._up = up
        self._links = 0

    def begin(self, node: MessageNode) -> None:
        """This node has just started: dial whom it knows."""
        for other in node.contacts:
            if self._world.nodes[other].online:
                self._dial(node.number, other)
        node.visit_at = self._next_visit(node)
        self.look_later(node)

    def look_later(self, node: MessageNode) -> None:
        """Have a node look whom to dial: soon, where it lacks neighbours, and when it is to pay a visit."""
        if node.kind == KIND:
            due = self._world.now + SEARCH
        elif node.overlay is not None and node.lacking() > 0:
            due = min(node.visit_at, self._world.now + node.overlay.views.search)
        else:
            due = node.visit_at
        if node.wanted and not 0 < node.seeking <= due:
            node.seeking = due
            self._world.alarm(due, partial(self._look, node, node.boot, due))

    def put_off(self, node: MessageNode, other: int) -> None:
        """Each time it is longer until this one is dialled again."""
        times, _ = node.put_off.get(other, (0, 0))
        pause = min(PAUSE << min(times, 32), LONGEST)
        node.put_off[other] = times + 1, self._world.now + pause - self._random.randrange(pause // 2)

    def _dial(self, one: int, other: int, *, visit: bool = False) -> None:
        """`one` dials: a connection, and a handshake of two messages."""
        world = self._world
        way = world.lines.one_way(one, other)
        ends = world.nodes[one], world.nodes[other]
        boots = ends[0].boot, ends[1].boot
        ends[0].dialling.add(other)

        def done() -> None:
            if ends[0].boot == boots[0]:
                ends[0].dialling.discard(other)
            if ends[0].boot != boots[0] or ends[0].overlay is None:
                return  # whoever starts anew dials anew
            if ends[1].boot != boots[1] or not ends[1].online:
                self.put_off(ends[0], other)
                there = ends[1].citizen
                ends[0].overlay.views.candidates.silent(bytes(there.key.public), network_of(there.address))
            elif other not in ends[0].reached and not world.parted(one, other):
                self._links += 1
                self._up(Link(self._links, one, other, way, visit))

        world.alarm(world.now + 4 * way, done)

    def _look(self, node: MessageNode, boot: int, due: int) -> None:
        overlay = node.overlay
        if overlay is None or (node.boot, node.seeking) != (boot, due):
            return
        node.seeking = 0
        for other in self._strangers(node, overlay.views):
            self._dial(node.number, other)
        if node.kind != KIND and self._world.now >= node.visit_at:
            node.visit_at = self._next_visit(node)
            self._visit(node, overlay.views)
        self.look_later(node)

    def _reached(self, node: MessageNode) -> set[int]:
        """Who is not to be dialled by this node, for now."""
        put_off = (other for other, (_, until) in node.put_off.items() if until > self._world.now)
        return {*node.reached, node.number, *put_off}

    def _strangers(self, node: MessageNode, views: Views) -> list[int]:
        """Whom to dial, as the dialler of a node chooses: those with whom its company is the least one-sided."""
        nodes, reached, lacking = self._world.nodes, self._reached(node), node.lacking()
        if node.kind == KIND:
            return self._world.sybils.whom(node, self._random, reached)
        if lacking <= 0:
            return []
        drawn = (self._world.number_of(peer.node_id) for peer in views.candidates.draw(POOL))
        strangers = [other for other in dict.fromkeys((*drawn, *node.contacts)) if other not in reached]
        self._random.shuffle(strangers)
        rank = views.company.ranking()
        places = {other: nodes[other].citizen for other in strangers}
        ranks = {other: rank(bytes(one.key.public), network_of(one.address)) for other, one in places.items()}
        anybody = node.lacking(but_for_some=False)
        best = min(ranks.values(), default=CROWDS)
        return [other for other in strangers if ranks[other] == best][: lacking if best < CROWDS else anybody]

    def _visit(self, node: MessageNode, views: Views) -> None:
        """Dial anybody, to compare tables."""
        reached = self._reached(node)
        drawn = (self._world.number_of(peer.node_id) for peer in views.candidates.to_visit())
        strangers = [other for other in dict.fromkeys((*drawn, *node.contacts)) if other not in reached]
        if strangers and views.active:
            self._dial(node.number, self._random.choice(strangers), visit=True)

    def _next_visit(self, node: MessageNode) -> int:
        pause = between_visits(node.known)
        return self._world.now + pause - self._random.randrange(pause // 5)
