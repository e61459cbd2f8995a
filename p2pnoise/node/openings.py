"""Openings: what an application asks of streams, and those that wait for a link, or for a place on one. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from cards import Address, NodeId
from p2pnoise.gossip import PeerTable

from . import effects as io
from .dials import Dialler
from .link import Link

MAX_WAITING = 1_000  # streams that wait; a guess: as many as an application's tasks
MAX_REASONS = 4  # of dials that failed, in one refusal


@dataclass(slots=True)
class _Wish:
    """The streams that wait for one peer, by ticket, and why its addresses did not do."""

    tickets: dict[io.Ticket, str] = field(default_factory=dict)  # with the protocol
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
        if sum(len(wish.tickets) for wish in self._wishes.values()) >= MAX_WAITING:
            self._refuse(ticket, io.Refusal.TOO_MANY, f"{MAX_WAITING} streams wait for their peers already")
            return
        if node_id not in self._wishes and not self._may_come(node_id):
            addresses = self._addresses(node_id, wanted.address)
            if not addresses or node_id == self._table.own:
                reason = f"no address of {node_id.short} is known" if node_id != self._table.own else "it is this node"
                self._refuse(ticket, io.Refusal.UNKNOWN_PEER, reason)
                return
            self._dialler.want(node_id, addresses)
        self._wishes.setdefault(node_id, _Wish()).tickets[ticket] = wanted.protocol

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

    def failed(self, node_id: NodeId | None, reason: str, *, refused: bool = False) -> None:
        """A dial to this peer came to nothing, or a link to it; with its last address its streams are refused."""
        wish = self._wishes.get(node_id) if node_id is not None else None
        if wish is None or node_id is None:
            return
        wish.reasons.append(reason)
        if self._may_come(node_id) or (self._dialler.wants(node_id) and not refused):
            return
        refusal = io.Refusal.NOT_TRUSTED if refused else io.Refusal.UNREACHABLE
        for ticket in wish.tickets:
            self._refuse(ticket, refusal, "; ".join(dict.fromkeys(wish.reasons[-MAX_REASONS:])))
        self._over(node_id)

    def stop(self) -> None:
        """Nothing is opened any more."""
        self._stopped = True
        for node_id in list(self._wishes):
            for ticket in self._wishes[node_id].tickets:
                self._refuse(ticket, io.Refusal.STOPPING, "this node stops")
            self._over(node_id)

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

    def _may_come(self, node_id: NodeId) -> bool:
        """Whether there is a link to this peer, or one that we began and that may still become one."""
        return any(
            node_id in (link.node_id, link.expected) and (link.greeted or link.initiator) and not link.ending
            for link in self._links.values()
        )

    def _addresses(self, node_id: NodeId, first: Address | None) -> list[Address]:
        peer = self._table.by_node(node_id)
        known = peer.record.addresses if peer is not None and peer.record is not None else ()
        return list(dict.fromkeys((*((first,) if first is not None else ()), *known)))

    def _refuse(self, ticket: io.Ticket, refusal: io.Refusal, reason: str) -> None:
        self._out.append(io.StreamRefused(ticket, refusal, reason))
