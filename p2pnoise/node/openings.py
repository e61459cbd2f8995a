"""Openings: what an application asks of streams, and those that wait for a link, or for a place on one. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from cards import Address, NodeId
from p2pnoise.gossip import PeerTable

from . import effects as io
from .dials import Dialler
from .frames import Code
from .link import Link

MAX_WAITING = 1_000  # streams that wait; a guess: as many as an application's tasks
MAX_REASONS = 4  # of dials that failed, in one refusal


@dataclass(slots=True)
class _Wish:
    """The streams that wait for one peer, by ticket, which addresses were tried for them, and why they did not do."""

    tickets: dict[io.Ticket, str] = field(default_factory=dict)  # with the protocol
    tried: set[Address] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)


class Openings:
    """Opens streams as soon as their peer is linked, and has it dialled for that. Leaves what is to tell in `out`."""

    def __init__(
        self, links: Mapping[io.ConnectionId, Link], *, table: PeerTable, dialler: Dialler, out: list[io.Effect]
    ) -> None:
        self._links = links
        self._table = table
        self._dialler = dialler
        self._out = out
        self._wishes: dict[NodeId, _Wish] = {}
        self._stopped = False

    def handle(
        self,
        given: io.StreamWanted | io.StreamUnwanted | io.StreamWritten | io.StreamRead | io.StreamEnded,
    ) -> None:
        """What an application asks of streams. One whose link has gone was told so; what it asked before is void."""
        match given:
            case io.StreamWanted():
                self._want(given)
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

    def _want(self, wanted: io.StreamWanted) -> None:
        ticket, node_id = wanted.ticket, wanted.node_id
        if self._stopped:
            self._refuse(ticket, io.Refusal.STOPPING, "this node stops")
            return
        if node_id == self._table.own:
            self._refuse(ticket, io.Refusal.UNKNOWN_PEER, "it is this node")
            return
        if sum(len(wish.tickets) for wish in self._wishes.values()) >= MAX_WAITING:
            self._refuse(ticket, io.Refusal.TOO_MANY, f"{MAX_WAITING} streams wait for their peers already")
            return
        wish = self._wishes.setdefault(node_id, _Wish())
        wish.tickets[ticket] = wanted.protocol
        if not self._hopes(node_id, wish, wanted.address):
            self._give_up(node_id, io.Refusal.UNKNOWN_PEER, f"no address of {node_id.short} is known")

    def _unwant(self, ticket: io.Ticket) -> None:
        for node_id, wish in self._wishes.items():
            if wish.tickets.pop(ticket, None) is not None and not wish.tickets:
                self._over(node_id)
                return

    def serve(self) -> bool:
        """Open what can be opened by now; whether anything was."""
        opened = False
        for connection, link in self._links.items() if self._wishes else ():
            # Who was dialled may have answered with another key, as the same identity.
            for wanted in {link.node_id: None, link.expected: None} if link.carries else ():
                if link.node_id is not None and wanted is not None and wanted in self._wishes:
                    opened |= self._open(connection, link, wanted, link.node_id)
        return opened

    def failed(self, node_id: NodeId | None, reason: str, refusal: io.Refusal = io.Refusal.UNREACHABLE) -> None:
        """A dial to this peer, or a link, came to nothing. With the last of them its streams are refused."""
        wish = self._wishes.get(node_id) if node_id is not None else None
        if wish is None or node_id is None:
            return
        wish.reasons = list(dict.fromkeys((*wish.reasons, reason)))[-MAX_REASONS:]
        if refusal is not io.Refusal.UNREACHABLE or not self._hopes(node_id, wish):
            self._give_up(node_id, refusal, "; ".join(wish.reasons))

    def ended(self, link: Link, reason: str) -> None:
        """A link has ended, or never came up."""
        if not (link.initiator or link.hello is not None):
            return  # a recording would do for as much (P10)
        claim = link.verdict.claim if link.verdict is not None else None
        for node_id in {link.node_id: None, link.expected: None}:
            # Whoever else answers at an address of the peer does not speak for it.
            refused = link.told_of and claim is not None and claim.node_id == node_id
            refused |= link.closed_by not in (None, Code.GOODBYE)
            self.failed(node_id, reason, io.Refusal.NOT_TRUSTED if refused else io.Refusal.UNREACHABLE)

    def stop(self) -> None:
        """Nothing is opened any more."""
        self._stopped = True
        for node_id in list(self._wishes):
            self._give_up(node_id, io.Refusal.STOPPING, "this node stops")

    def _open(self, connection: io.ConnectionId, link: Link, wanted: NodeId, node_id: NodeId) -> bool:
        tickets = self._wishes[wanted].tickets
        waited = len(tickets)
        for ticket in list(tickets):
            if not link.streams.can_open:  # one that ends makes a place
                return len(tickets) < waited
            stream = link.streams.open(tickets.pop(ticket))
            self._out.append(io.StreamOpened(ticket, connection, stream, node_id))
        self._over(wanted)
        return True

    def _over(self, node_id: NodeId) -> None:
        del self._wishes[node_id]
        self._dialler.unwant(node_id)

    def _give_up(self, node_id: NodeId, refusal: io.Refusal, reason: str) -> None:
        for ticket in self._wishes[node_id].tickets:
            self._refuse(ticket, refusal, reason)
        self._over(node_id)

    def _hopes(self, node_id: NodeId, wish: _Wish, first: Address | None = None) -> bool:
        """Whether this peer may still come. Its addresses that were not tried yet wait to be dialled, `first` first."""
        peer = self._table.by_node(node_id)
        known = peer.record.addresses if peer is not None and peer.record is not None else ()
        given = (first,) if first is not None else ()
        addresses = [address for address in dict.fromkeys((*given, *known)) if address not in wish.tried]
        wish.tried.update(addresses)
        self._dialler.want(node_id, addresses)
        return self._dialler.wants(node_id) or any(
            node_id in (link.node_id, link.expected) and (link.initiator or link.greeted) and link.lasts
            for link in self._links.values()
        )

    def _refuse(self, ticket: io.Ticket, refusal: io.Refusal, reason: str) -> None:
        self._out.append(io.StreamRefused(ticket, refusal, reason))
