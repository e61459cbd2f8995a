"""Upkeep: what is due for links as time passes: pings, new keys, and the end of those who are late, silent or idle."""

from typing import TYPE_CHECKING

from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Overlay
from p2pnoise.instant import Instant, ns

from . import effects as io
from .admission import VISITED
from .agenda import NEVER
from .frames import Code
from .link import Link, Stage

if TYPE_CHECKING:
    from .links import Links


class Upkeep:
    """Looks at those of `links` whose time has come, as their agenda has it. Times are monotonic nanoseconds."""

    def __init__(self, links: "Links", config: NodeConfig, *, overlay: Overlay) -> None:
        self._links = links
        self._config = config
        self._overlay = overlay

    def configure(self, config: NodeConfig) -> None:
        """Other times from now on."""
        self._config = config

    def tick(self, now: Instant) -> None:
        """End what is overdue, ask those who are silent."""
        for connection in self._links.agenda.due(now.monotonic):
            link = self._links.all.get(connection)
            if link is None:
                continue
            if link.deadline is not None and now.monotonic >= link.deadline:
                self._overdue(connection, link, now)
            elif link.change_keys(now.monotonic):
                self._links.drop(connection, "no new keys in time", now)
            elif now.monotonic >= self._idle_due(link):
                self._links.close(connection, Code.GOODBYE, now, reason="idle")
            elif link.leaves_at is not None and now.monotonic >= link.leaves_at:
                self._see_off(connection, link, now)
            elif link.stage is Stage.UP and now.monotonic >= self._ping_due(connection, link):
                if link.pinged_at is None:
                    link.ping(now.monotonic)
                else:
                    self._links.drop(connection, f"silent for {self._config.ping_timeout:g} s after a ping", now)

    def deadline(self, connection: io.ConnectionId) -> int:
        """By when `tick` is wanted for this link, or `NEVER`."""
        link = self._links.all[connection]
        due = link.deadline if link.deadline is not None else NEVER
        if link.stage is Stage.UP:
            asks, ends = self._ping_due(connection, link), self._idle_due(link)
            due = min(due, asks, ends, link.key_deadline or NEVER, link.leaves_at or NEVER)
        return due

    def book(self, connection: io.ConnectionId, link: Link) -> int:
        """Note when this link is to be looked at again, and say it."""
        agenda = self._links.agenda
        if link.draining or link.on_demand:  # which last until nobody waits for them, or there are enough others
            agenda.watched[connection] = None
        elif connection in agenda.watched:
            del agenda.watched[connection]
        due = self.deadline(connection)
        agenda.book(connection, due)
        return due

    def next_due(self) -> int:
        """By when `tick` is wanted for any link, or `NEVER`."""
        agenda = self._links.agenda
        for connection in agenda.watched:
            agenda.book(connection, self.deadline(connection))
        return agenda.next_due(self.deadline)

    def _overdue(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        match link.stage:
            case Stage.UP:  # its card or its issuer's list has come to an end
                link.deadline = None
                self._links.admission.recheck(now)
            case Stage.CONTESTED:
                older = self._links.admission.contested_by(connection)
                if older is not None:  # its end lets the newcomer begin
                    self._links.drop(older, "another start of the same node took over", now)
            case Stage.COMPARING:  # it named lists that it does not give
                self._links.admission.close_refused(connection, Code.BUSY, now)
            case Stage.CLOSING:
                self._links.drop(connection, "", now)
            case _:
                self._links.drop(connection, f"no handshake within {self._config.handshake_timeout:g} s", now)

    def _see_off(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        """A visitor has been here long enough; it stays where places are free again, or while it has streams."""
        if link.visit and not len(link.streams):
            self._links.close(connection, Code.GOODBYE, now, reason="a visit is over")
        elif not (self._links.crowded or link.visit):  # it has nowhere else to go
            link.leaves_at = None
            self._links.gossip.apply(self._overlay.peer_stays(connection, now), now)
        elif len(link.streams):
            link.leaves_at = now.monotonic + VISITED
        else:
            self._links.close(connection, Code.BUSY, now, reason="made room for others")

    def _idle_due(self, link: Link) -> int:
        """When a link that is there for its streams alone ends without one; far in the future for the others."""
        if len(link.streams) == 0 and link.stage is Stage.UP and not self._links.openings.await_link(link):
            if link.draining:
                return link.idle_since + ns(self._config.drain_timeout)
            if link.on_demand and len(self._overlay.views.active) > self._config.target_links:
                return link.idle_since + ns(self._config.idle_timeout)
        return NEVER

    def _ping_due(self, connection: io.ConnectionId, link: Link) -> int:
        if connection in self._overlay.views.active:  # whether a neighbour lives is seen by gossip
            return NEVER
        if link.pinged_at is not None:
            return link.pinged_at + ns(self._config.ping_timeout)
        return link.heard_at + ns(self._config.ping_interval)
