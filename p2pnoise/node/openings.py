"""Openings: what an application asks of streams and links, and what waits for a link, or a place on one. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from cards import Address, NodeId
from p2pnoise.errors import LocalProtocolError
from p2pnoise.gossip import PeerTable

from . import effects as io
from .bans import Bans
from .dials import Dialler, Goal
from .frames import Code
from .link import Link

MAX_WAITING = 1_000  # streams that wait; a guess: as many as an application's tasks
MAX_REASONS = 4  # of dials that failed, in one refusal


@dataclass(slots=True)
class _Wish:
    """The streams that wait for one peer, by ticket, which addresses were tried for them, and why they did not do."""

    tickets: dict[io.Ticket, str | None] = field(default_factory=dict)  # with the protocol; None where a link will do
    tried: set[Address] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)


class Openings:
    """Opens streams as soon as their peer is linked, and has it dialled for that. Leaves what is to tell in `out`."""

    def __init__(
        self,
        links: Mapping[io.ConnectionId, Link],
        *,
        table: PeerTable,
        dialler: Dialler,
        bans: Bans,
        out: list[io.Effect],
    ) -> None:
        self._links = links
        self._table = table
        self._dialler = dialler
        self._bans = bans
        self._out = out
        self._wishes: dict[Goal, _Wish] = {}
        self._stopped = False

    def handle(self, given: io.StreamWanted | io.ConnectWanted | io.StreamUnwanted | io.OnOpenStream) -> None:
        """What an application asks of streams. One whose link has gone was told so; what it asked before is void."""
        match given:
            case io.StreamWanted(ticket, node_id, protocol, address):
                self._want(ticket, node_id, address, protocol)
            case io.ConnectWanted(ticket, node_id, address):
                goal = node_id if node_id is not None else address
                if goal is None:
                    raise LocalProtocolError("neither a node nor an address to connect to")
                self._want(ticket, goal, address, None)
            case io.StreamUnwanted(ticket):
                self._unwant(ticket)
            case _ if given.connection not in self._links:
                pass
            case io.StreamWritten(connection, stream, data):
                self._links[connection].streams.write(stream, data)
            case io.StreamRead(connection, stream, size):
                self._links[connection].streams.read(stream, size)
            case io.StreamEnded(connection, stream, how, code):
                self._links[connection].streams.end(stream, how, code)
            case _:
                assert_never(given)

    def _want(self, ticket: io.Ticket, goal: Goal, address: Address | None, protocol: str | None) -> None:
        if self._stopped:
            self._refuse(ticket, io.Refusal.STOPPING, "this node stops")
            return
        if goal == self._table.own:
            self._refuse(ticket, io.Refusal.UNKNOWN_PEER, "it is this node")
            return
        ban = self._bans.of_node(goal) if isinstance(goal, NodeId) else None
        if ban is not None:
            self._refuse(ticket, io.Refusal.NOT_TRUSTED, ban.finding.message)
            return
        if sum(len(wish.tickets) for wish in self._wishes.values()) >= MAX_WAITING:
            self._refuse(ticket, io.Refusal.TOO_MANY, f"{MAX_WAITING} streams wait for their peers already")
            return
        wish = self._wishes.setdefault(goal, _Wish())
        wish.tickets[ticket] = protocol
        source = "operator" if protocol is None else "demand"
        if protocol is None and isinstance(goal, NodeId):
            self._dialler.pauses.release(goal)
        if not self._hopes(goal, wish, address, source) and isinstance(goal, NodeId):  # an address is always dialled
            self._give_up(goal, io.Refusal.UNKNOWN_PEER, f"no address of {goal.short} is known")

    def _unwant(self, ticket: io.Ticket) -> None:
        for goal, wish in self._wishes.items():
            if ticket in wish.tickets:
                del wish.tickets[ticket]
                if not wish.tickets:
                    self._over(goal)
                return

    def await_link(self, link: Link) -> bool:
        """Whether somebody waits for the peer at the end of this link, which may not be ready for streams yet."""
        if not self._wishes:  # nearly always, and it is asked for every link that something happened to
            return False
        return any(goal in self._wishes for goal in (link.node_id, link.expected, link.address) if goal is not None)

    def serve(self) -> list[io.ConnectionId]:
        """Open what can be opened by now; the links that somebody waited for."""
        if not self._wishes:
            return []
        return [
            connection
            for connection, link in self._links.items()
            for goal in (_goals(link) if link.carries else ())
            if link.node_id is not None and goal in self._wishes and self._open(connection, link, goal, link.node_id)
        ]

    def failed(self, goal: Goal, reason: str, refusal: io.Refusal = io.Refusal.UNREACHABLE) -> None:
        """A dial to this peer, or a link, came to nothing. With the last of them its streams are refused."""
        wish = self._wishes.get(goal)
        if wish is None:
            return
        wish.reasons = list(dict.fromkeys((*wish.reasons, reason)))[-MAX_REASONS:]
        if refusal is not io.Refusal.UNREACHABLE or not self._hopes(goal, wish):
            self._give_up(goal, refusal, "; ".join(wish.reasons))

    def ended(self, link: Link, reason: str) -> None:
        """A link has ended, or never came up."""
        if not (link.initiator or link.hello is not None):
            return  # a recording would do for as much (P10)
        claim = link.verdict.claim if link.verdict is not None else None
        for goal in _goals(link):
            # Whoever else answers at an address of the peer does not speak for it.
            refused = link.told_of and claim is not None and goal in (claim.node_id, link.address)
            refused |= link.closed_by not in (None, Code.GOODBYE)
            self.failed(goal, reason, io.Refusal.NOT_TRUSTED if refused else io.Refusal.UNREACHABLE)

    def stop(self) -> None:
        """Nothing is opened any more."""
        self._stopped = True
        for goal in list(self._wishes):
            self._give_up(goal, io.Refusal.STOPPING, "this node stops")

    def _open(self, connection: io.ConnectionId, link: Link, goal: Goal, node_id: NodeId) -> bool:
        tickets = self._wishes[goal].tickets
        waited = len(tickets)
        for ticket, protocol in list(tickets.items()):
            if protocol is None:
                self._out.append(io.PeerReached(ticket, node_id))
                link.on_demand = False  # an operator wants the link itself
            elif link.streams.can_open:
                self._out.append(io.StreamOpened(ticket, connection, link.streams.open(protocol), node_id))
            else:  # one that ends makes a place
                continue
            del tickets[ticket]
        if not tickets:
            self._over(goal)
        return len(tickets) < waited

    def _over(self, goal: Goal) -> None:
        del self._wishes[goal]
        self._dialler.unwant(goal)

    def _give_up(self, goal: Goal, refusal: io.Refusal, reason: str) -> None:
        for ticket in self._wishes[goal].tickets:
            self._refuse(ticket, refusal, reason)
        self._over(goal)

    def _hopes(self, goal: Goal, wish: _Wish, first: Address | None = None, source: str = "demand") -> bool:
        """Whether this peer may still come. Its addresses that were not tried yet wait to be dialled, `first` first."""
        peer = self._table.by_node(goal) if isinstance(goal, NodeId) else None
        known = peer.record.addresses if peer is not None and peer.record is not None else ()
        given = (first,) if first is not None else ()
        addresses = [address for address in dict.fromkeys((*given, *known)) if address not in wish.tried]
        wish.tried.update(addresses)
        self._dialler.want(goal, addresses, source)
        return self._dialler.wants(goal) or any(
            goal in _goals(link) and (link.initiator or link.greeted) and link.lasts for link in self._links.values()
        )

    def _refuse(self, ticket: io.Ticket, refusal: io.Refusal, reason: str) -> None:
        self._out.append(io.StreamRefused(ticket, refusal, reason))


def _goals(link: Link) -> list[Goal]:
    """For what this link will do, once it is up: who was dialled may answer with another key, as the same identity."""
    keys = dict.fromkeys((link.node_id, link.expected))
    return [*(key for key in keys if key is not None), *([link.address] if link.initiator else [])]
