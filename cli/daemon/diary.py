"""Diary: what happened last with each peer and each address, for whoever asks why. No I/O; bounded."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from cards import Address, NodeId
from p2pnoise.events import ConnectionFailed, Event, OwnKeyElsewhere, PeerRefused

MAX_SUBJECTS = 10_000  # peers and addresses; who was quiet longest is forgotten. About 1 kB each
MAX_STRANGERS = 1_000  # the same of those whom no accepted issuer vouched for: anybody can be any number of them


@dataclass(frozen=True, slots=True)
class Entry:
    """The last event of its kind about one subject, how often there were such, when the first and when the last."""

    event: Event
    count: int
    first: float  # seconds since 1970
    last: float


_Pool: TypeAlias = OrderedDict[NodeId | Address | str, dict[str, Entry]]


class Diary:
    """Takes every event of a node, and tells those about a peer."""

    def __init__(self) -> None:
        self._about: _Pool = OrderedDict()
        self._strangers: _Pool = OrderedDict()
        self.own: dict[str, Entry] = {}
        """Of ourselves, by kind: a card that does not count, a key that is used elsewhere."""

    def take(self, event: Event, now: float) -> None:
        """Something happened. `now` is in seconds since 1970."""
        if isinstance(event, ConnectionFailed):
            return  # whoever it was has shown nothing to be found by
        stranger = isinstance(event, PeerRefused) and not event.told
        pool, most = (self._strangers, MAX_STRANGERS) if stranger else (self._about, MAX_SUBJECTS)
        for subject in _subjects(event):
            entries = pool.setdefault(subject, {})
            pool.move_to_end(subject)
            _note(entries, event, now)
            if len(pool) > most:
                pool.popitem(last=False)
        about_us = isinstance(event, OwnKeyElsewhere) or not _subjects(event)
        if about_us:
            _note(self.own, event, now)

    def about(self, subjects: Iterable[NodeId | Address | str]) -> list[Entry]:
        """What is known of these, the newest first: a node, an address, or a name that it gave itself."""
        pools = (self._about, self._strangers)
        found = [entry for subject in subjects for pool in pools for entry in pool.get(subject, {}).values()]
        unlike = {id(entry.event): entry for entry in found}
        return sorted(unlike.values(), key=lambda entry: entry.last, reverse=True)

    def last(self, most: int = 50) -> list[Entry]:
        """The newest entries of all, the oldest of them first."""
        recent = islice(reversed(self._about.values()), most)
        found = {id(entry.event): entry for entries in (*recent, self.own) for entry in entries.values()}
        return sorted(found.values(), key=lambda entry: entry.last)[-most:]

    def named(self, text: str) -> list[NodeId]:
        """The nodes that came by this name, counted or not, the newest first."""
        events = [entry.event for entry in self.about([text])]
        nodes = [getattr(event, "node_id", None) for event in events]
        return list(dict.fromkeys(node for node in nodes if node is not None))

    @property
    def names(self) -> list[str]:
        """All names that anybody came by."""
        return [subject for pool in (self._about, self._strangers) for subject in pool if type(subject) is str]


def _note(entries: dict[str, Entry], event: Event, now: float) -> None:
    before = entries.pop(event.kind, None)
    first, count = (before.first, before.count) if before is not None else (now, 0)
    entries[event.kind] = Entry(event, count + 1, first, now)


def _subjects(event: Event) -> list[NodeId | Address | str]:
    fields = (getattr(event, name, None) for name in ("node_id", "address", "name"))
    return [field for field in fields if field is not None]
