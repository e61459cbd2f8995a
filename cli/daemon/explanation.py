"""Explanation: why a peer is linked or is not, as values: what is known of it, the steps, and what they come to.

chain.py makes the one of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cards import Address, Finding, IdentityId, NodeId, Verdict
from cards.findings import OK, UNEXPECTED

from .diary import Entry

__all__ = ["Explanation", "Known", "State", "Step", "Subject"]

State = Literal["ok", "fails", "unknown"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `state` fails where the way ends here, by `code`; `fix` is what would mend it."""

    name: str
    state: State
    text: str
    code: str = ""
    fix: str = ""
    exit: int = UNEXPECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is asked about, as far as anything here says. `addresses` come with where they are known from."""

    text: str  # as it was asked
    node_id: NodeId | None = None
    identity: IdentityId | None = None  # where it was asked for by that
    name: str | None = None
    addresses: tuple[tuple[Address, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that one node knows of a subject at one moment. Times in seconds since 1970."""

    subject: Subject
    now: float
    running: bool
    own: Verdict | None  # of our own card; None where there is none
    card: Verdict | None  # of the newest card of the subject, judged now
    ban: Finding | None = None  # what its key is banned by here, whatever its card says
    card_from: str = ""  # where that card is known from
    linked_for: float | None = None  # seconds
    link_text: str = ""
    entries: Sequence[Entry] = ()  # what happened, the newest first
    dialling: bool = False
    held_for: float = 0.0  # seconds for which we do not dial it, since we were told to disconnect
    own_copies: Sequence[Entry] | None = None  # where it is this node itself: what says that its key is elsewhere, too
    near: tuple[str, ...] = ()  # names like the one that was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The chain, and its first link that fails: `cause` is "linked", or a stable code; `exit` the exit code."""

    known: Known
    steps: tuple[Step, ...]
    cause: str
    text: str
    fix: str
    exit: int = field(default=OK)

    def to_json(self) -> dict[str, Any]:
        subject = self.known.subject
        return {
            "peer": subject.text,
            "node_id": str(subject.node_id) if subject.node_id is not None else None,
            "name": subject.name,
            "linked": self.known.linked_for is not None,
            "running": self.known.running,
            "cause": self.cause,
            "text": self.text,
            "fix": self.fix or None,
            "exit": self.exit,
            "steps": [
                {"step": one.name, "state": one.state, "text": one.text, "code": one.code or None} for one in self.steps
            ],
        }
