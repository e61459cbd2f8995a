"""Diary: what happened last with each peer and each address, for whoever asks why. No I/O; bounded."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from cards import Address, NodeId
from p2pnoise.events import Event, OwnKeyElsewhere

MAX_SUBJECTS = 10_000  # peers and addresses; who was quiet longest is forgotten. About 1 kB each


@dataclass(frozen=True, slots=True)
class Entry:
    """The last event of its kind about one subject, how often there were such, when the first and when the last."""

    event: Event
    count: int
    first: float  # seconds since 1970
    last: float


class Diary:
    """Takes every event of a node, and tells those about a peer."""

    def __init__(self) -> None:
        self._about: OrderedDict[NodeId | Address | str, dict[str, Entry]] = OrderedDict()
        self.own: dict[str, Entry] = {}
        """Of ourselves, by kind: a card that does not count, a key that is used elsewhere."""

    def take(self, event: Event, now: float) -> None:
        """Something happened. `now` is in seconds since 1970."""
        for subject in _subjects(event):
            entries = self._about.setdefault(subject, {})
            self._about.move_to_end(subject)
            _note(entries, event, now)
            if len(self._about) > MAX_SUBJECTS:
                self._about.popitem(last=False)
        about_us = isinstance(event, OwnKeyElsewhere) or not _subjects(event)
        if about_us:
            _note(self.own, event, now)

    def about(self, subjects: Iterable[NodeId | Address | str]) -> list[Entry]:
        """What is known of these, the newest first: a node, an address, or a name that it gave itself."""
        found = [entry for subject in subjects for entry in self._about.get(subject, {}).values()]
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
        return [subject for subject in self._about if type(subject) is str]


def _note(entries: dict[str, Entry], event: Event, now: float) -> None:
    before = entries.pop(event.kind, None)
    first, count = (before.first, before.count) if before is not None else (now, 0)
    entries[event.kind] = Entry(event, count + 1, first, now)


def _subjects(event: Event) -> list[NodeId | Address | str]:
    fields = (getattr(event, name, None) for name in ("node_id", "address", "name"))
    return [field for field in fields if field is not None]
