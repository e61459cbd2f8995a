"""Event log: a subscriber that hands every event to the standard library's logging. The core itself logs nothing."""

import logging

from .events import (
    DuplicateNode,
    EnrolmentWaiting,
    Event,
    FileRejected,
    ListDue,
    OwnCardRejected,
    OwnKeyElsewhere,
    PeerBanned,
    PeerRefused,
    RenewalFailed,
    ServiceFailed,
)

_logger = logging.getLogger("p2pnoise")

# What an operator should look at; everything else is the life of a network.
_WARNINGS = (
    DuplicateNode,
    EnrolmentWaiting,
    FileRejected,
    ListDue,
    OwnCardRejected,
    OwnKeyElsewhere,
    PeerBanned,
    PeerRefused,
    RenewalFailed,
    ServiceFailed,
)


def is_warning(event: Event) -> bool:
    """Whether an operator should look at it."""
    return isinstance(event, _WARNINGS)


def log_event(event: Event) -> None:
    """One record on the logger `p2pnoise`: its message is the kind of event, `record.event` its fields as a dict.

    Give it to `open_node` as `on_event`, or call it from your own.
    """
    level = logging.WARNING if is_warning(event) else logging.INFO
    _logger.log(level, event.kind, extra={"event": event.to_json()})
