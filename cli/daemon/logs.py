"""Logs: events as lines for people or programs, one for each cause, with a count in place of a flood. No I/O.

A cause is a kind of event, whom it is about, and why. The first of it is told at once. More of it are counted, and told
as one line when `repeat` seconds have passed; so a peer that was sent away and comes back every second takes one line a
minute. Of the many causes that strangers can make up, so many are told apart, and the others counted together.
"""

import json
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass

from cards import Finding
from cli import event_text
from cli.output import plain
from p2pnoise import events
from p2pnoise.event_log import is_warning
from p2pnoise.events import Event

from .config import Log

__all__ = ["LogBook"]

AT_ONCE = 10  # of one cause are told as they come, before the others are counted: what is no failure may come in turns
STRANGERS = 20  # causes of a kind that anybody can make, and so many of them that they must not fill a log
CAUSES = 200  # causes of any other kind: so many peers have each its line; 0.7 KB each, so at most some 4 MB in all

# What comes again by itself for as long as nobody mends it. The first of each is told at once, all others later.
_FAILURES = (
    events.Dialling,
    events.DialFailed,
    events.PeerRefused,
    events.RefusedByPeer,
    events.ConnectionFailed,
    events.CardRefused,
    events.EnrolmentRefused,
)
_OF_STRANGERS = (events.PeerRefused, events.ConnectionFailed, events.CardRefused, events.EnrolmentRefused)
# What an operator must see, however much else there is: strangers cannot cause it.
_ALWAYS = (
    events.Listening,
    events.Stopped,
    events.DuplicateNode,
    events.PeerBanned,
    events.OwnKeyElsewhere,
    events.OwnCardRejected,
    events.RenewalFailed,
    events.FileRejected,
    events.ListDue,
)

_Cause = tuple[object, ...]


@dataclass(slots=True)
class _Counted:
    """What came of one cause since its first line."""

    since: float
    until: float
    left: int  # that are told as they come
    last: Event
    more: int = 0  # that were not


class LogBook:
    """Takes every event, and gives the lines to write. `now` is in seconds since 1970."""

    def __init__(self, config: Log) -> None:
        self._json = config.format == "json"
        self._warnings_only = config.level == "warning"
        self._repeat = config.repeat
        self._causes: OrderedDict[_Cause, _Counted] = OrderedDict()  # in the order of `until`
        self._told_apart: Counter[object] = Counter()  # causes, by the first part of them

    def take(self, event: Event, now: float) -> list[str]:
        """Something happened."""
        if self._warnings_only and not is_warning(event):
            return []
        lines = self.flush(now)
        cause = _cause(event)
        counted = self._causes.get(cause)
        if counted is None and self._told_apart[cause[0]] >= _limit(event):
            cause = (cause[0],)
            counted = self._causes.get(cause) or self._begin(cause, event, now, at_once=0)
        elif counted is None:
            counted = self._begin(cause, event, now, at_once=1 if isinstance(event, _FAILURES) else AT_ONCE)
        counted.last = event
        if counted.left:
            counted.left -= 1
            return [*lines, self._line(event, now)]
        counted.more += 1
        return lines

    def flush(self, now: float) -> list[str]:
        """What was counted and is due."""
        lines = []
        while self._causes:
            cause, counted = next(iter(self._causes.items()))
            if counted.since <= now < counted.until:  # or the clock was put back
                break
            del self._causes[cause]
            if counted.more:
                lines.append(self._summary(cause, counted, now))
                # What goes on is not told anew, but counted on.
                self._causes[cause] = _Counted(now, now + self._repeat, 0, counted.last)
            else:
                self._told_apart[cause[0]] -= len(cause) > 1
        return lines

    def end(self, now: float) -> list[str]:
        """What was counted, due or not: nothing more is taken."""
        counted = [(cause, one) for cause, one in self._causes.items() if one.more]
        self._causes.clear()
        self._told_apart.clear()
        return [self._summary(cause, one, now) for cause, one in counted]

    def deadline(self) -> float | None:
        """When `flush` is wanted, or None."""
        return next((counted.until for counted in self._causes.values()), None)

    def _begin(self, cause: _Cause, event: Event, now: float, *, at_once: int) -> _Counted:
        counted = self._causes[cause] = _Counted(now, now + self._repeat, at_once, event)
        self._told_apart[cause[0]] += len(cause) > 1
        return counted

    def _line(self, event: Event, now: float) -> str:
        if self._json:
            return json.dumps({"at": round(now, 3), **event.to_json()})
        return _timed(event_text.sentence(event), now)

    def _summary(self, cause: _Cause, counted: _Counted, now: float) -> str:
        seconds = max(0, round(now - counted.since))
        if self._json:
            which = counted.last.to_json() if len(cause) > 1 else {"event": "others", "kind": cause[0]}
            return json.dumps({"at": round(now, 3), **which, "more": counted.more, "seconds": seconds})
        if len(cause) == 1:
            return _timed(f"and          {counted.more} more of other causes in {seconds} s: {cause[0]}", now)
        return _timed(f"{event_text.sentence(counted.last)} ... {counted.more} more like it in {seconds} s", now)


def _limit(event: Event) -> float:
    """How many causes of this kind are told apart at a time."""
    if isinstance(event, _ALWAYS):
        return float("inf")
    return STRANGERS if isinstance(event, _OF_STRANGERS) and not _of_member(event) else CAUSES


def _of_member(event: Event) -> bool:
    """Whether it is about somebody whom an issuer of ours vouched for once: they alone hear why we refuse them."""
    return isinstance(event, events.PeerRefused) and event.told


def _cause(event: Event) -> _Cause:
    """What makes two events alike: their kind, whom they are about, and why they happened."""
    kind = f"{event.kind} of members" if _of_member(event) else event.kind
    if isinstance(event, events.FileRejected):
        return (kind, event.file)  # the reasons may be a peer's choice
    node_id, address = getattr(event, "node_id", None), getattr(event, "address", None)
    if isinstance(event, events.Dialling | events.DialFailed):
        place = address
    else:  # whoever connects to us does so from another port each time
        place = address.host if address is not None and node_id is None else None
    findings: tuple[Finding, ...] = getattr(event, "findings", ())
    why = tuple(finding.code for finding in findings) or getattr(event, "reason", None)
    what = tuple(getattr(event, name, None) for name in ("issuer", "sequence", "statement", "subject", "addresses"))
    return (kind, node_id, place, why, *what)


def _timed(text: str, now: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(now))}  {plain(text)}"
