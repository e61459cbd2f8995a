"""Pings that somebody waits for: how long a round trip over the link to a peer takes. No I/O; time is handed in."""

from collections.abc import Mapping
from dataclasses import dataclass

from p2pnoise.instant import SECOND

from . import effects as io
from .link import Link

MAX_PENDING = 64  # of one node; a guess: they are asked by people
SIZE = 8  # bytes that tell the answers apart; those that ask whether a peer lives are empty


@dataclass(frozen=True, slots=True)
class _Asked:
    ticket: io.Ticket
    connection: io.ConnectionId
    at: int  # monotonic nanoseconds


class Pings:
    """Those that are not answered yet, by what their frame says. Leaves what is to tell in `out`."""

    def __init__(self, links: Mapping[io.ConnectionId, Link], out: list[io.Effect]) -> None:
        self._links = links
        self._out = out
        self._asked: dict[bytes, _Asked] = {}

    def ask(self, wanted: io.PingWanted, now: int) -> None:
        """Send one, over any link to the peer that is up."""
        up = (number for number, link in self._links.items() if link.node_id == wanted.node_id and link.carries)
        connection = next(up, None)
        if connection is None:
            self._refuse(wanted.ticket, io.Refusal.UNREACHABLE, f"no link to {wanted.node_id.short}")
        elif len(self._asked) >= MAX_PENDING:
            self._refuse(wanted.ticket, io.Refusal.TOO_MANY, f"{MAX_PENDING} pings wait for an answer already")
        else:
            payload = wanted.ticket.to_bytes(SIZE, "big")
            self._asked[payload] = _Asked(wanted.ticket, connection, now)
            self._links[connection].ask(payload)

    def answered(self, connection: io.ConnectionId, payload: bytes, now: int) -> None:
        """An answer came; what nobody asked over this link is no answer."""
        asked = self._asked.get(payload)
        if asked is not None and asked.connection == connection:
            del self._asked[payload]
            self._out.append(io.PingAnswered(asked.ticket, (now - asked.at) / SECOND))

    def forget(self, ticket: io.Ticket) -> None:
        """Nobody waits for it any longer."""
        self._asked.pop(ticket.to_bytes(SIZE, "big"), None)

    def ended(self, connection: io.ConnectionId, reason: str) -> None:
        """This link brings no answer any more."""
        for payload, asked in list(self._asked.items()):
            if asked.connection == connection:
                del self._asked[payload]
                self._refuse(asked.ticket, io.Refusal.UNREACHABLE, reason)

    def _refuse(self, ticket: io.Ticket, refusal: io.Refusal, reason: str) -> None:
        self._out.append(io.StreamRefused(ticket, refusal, reason))
