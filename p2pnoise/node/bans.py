"""Bans: whom this node refuses by its operator's word, or because it broke the protocol, until when and why (P21).

No I/O; time is handed in.

A ban acts on links and dials. What is kept of gossip and passed on follows one rule of the whole network (P2), or the
tables of two honest nodes would differ for ever: so the card of whom we ban stays known, and others learn it from us.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain

from cards import Card, Facts, Finding, IdentityId, NodeId, Verdict
from p2pnoise.gossip import PeerTable

MAX_BANS = 10_000  # a guess, some 3 MB
MAX_MADE = 1_000  # by the node itself, each for an hour; whoever is the next is still linked less and less. A guess
MAX_REASON = 200  # characters
MAX_TIME = 253_402_300_799  # the last second of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """One key that is refused: an identity, whatever node it has and whomever it hands over to, or a node.

    Times in seconds since 1970.
    `name` is what the peer was called then, `until` when the ban lifts by itself. Raises ValueError for an `until`
    after the year 9999.
    """

    key: IdentityId | NodeId
    since: int
    until: int | None = None
    reason: str = ""
    name: str | None = None

    def __post_init__(self) -> None:
        if self.until is not None and not 0 <= self.until <= MAX_TIME:
            raise ValueError(f"a ban until {self.until}, at most {MAX_TIME}")

    def holds(self, now: int) -> bool:
        """Whether it is in force."""
        return self.until is None or now < self.until

    @property
    def finding(self) -> Finding:
        """What it says of a card whose bearer is refused."""
        end = f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC" if self.until is not None else ""
        why = f": {self.reason}" if self.reason else ""
        return Finding("banned", f"{self.key.short} is banned here{end}{why}")


def of_card(card: Card, bans: Mapping[bytes, Ban], facts: Facts) -> Ban | None:
    """Which of these, by key, keeps the bearer of a card out: by its node, its identity, or one that this succeeds.

    A succession is signed by both, so nobody is kept out by what others did.
    """
    if not bans:
        return None
    keys = chain((card.node_id, card.identity), facts.forerunners(card.identity))
    return next((bans[key] for key in keys if key in bans), None)


def weigh(verdict: Verdict, bans: Mapping[bytes, Ban], facts: Facts) -> Verdict:
    """What the cards say of a peer, and then the operator with these bans, by key."""
    claim = verdict.claim
    ban = of_card(claim, bans, facts) if claim is not None else None
    if claim is None or ban is None:
        return verdict
    finding = ban.finding
    if ban.key not in (claim.node_id, claim.identity):
        finding = replace(finding, message=f"its identity before: {finding.message}")
    return replace(verdict, level="reject", findings=(*verdict.findings, finding))


class Bans:
    """The bans in force. Those that have ended are let go by `lift`, which is wanted at `next_end`."""

    def __init__(self, table: PeerTable) -> None:
        self.next_end: int | None = None  # in seconds since 1970
        self._table = table
        self._given: dict[bytes, Ban] = {}  # by the operator
        self._made: dict[bytes, Ban] = {}  # by the node itself, and not among those
        self._held: dict[bytes, Ban] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def made(self) -> tuple[Ban, ...]:
        """Those that the node made by itself, and that its operator has not got yet."""
        return tuple(self._made.values())

    def make(self, ban: Ban, now: int) -> None:
        """Ban somebody without being told to: until that ends, or the operator has been given it and lifts it."""
        if len(self._made) < MAX_MADE and bytes(ban.key) not in self._given:
            self._made[bytes(ban.key)] = ban
            self._join(now)

    def put(self, bans: Iterable[Ban], now: int) -> None:
        """These are all of the operator, in place of those before."""
        self._given = {bytes(ban.key): ban for ban in bans}
        self._made = {key: ban for key, ban in self._made.items() if key not in self._given}
        self._join(now)

    def _join(self, now: int) -> None:
        self._given, self._made = (
            {key: ban for key, ban in bans.items() if ban.holds(now)} for bans in (self._given, self._made)
        )
        self._held = self._made | self._given
        self.next_end = min((ban.until for ban in self._held.values() if ban.until is not None), default=None)

    def lift(self, now: int) -> bool:
        """Let go what has ended by now; whether anything has."""
        due = self.next_end is not None and now >= self.next_end
        if due:
            self._join(now)
        return due

    def of_card(self, card: Card) -> Ban | None:
        """What keeps the bearer of this card out."""
        return of_card(card, self._held, self._table.facts)

    def of_key(self, key: IdentityId | NodeId) -> Ban | None:
        """What keeps out whoever has this key, known here or not."""
        return self._held.get(key)

    def of_node(self, node_id: NodeId) -> Ban | None:
        """What keeps this node out, as far as its card is known."""
        peer = self._table.by_node(node_id) if self._held else None
        return self.of_card(peer.card) if peer is not None else self._held.get(node_id)

    def weigh(self, verdict: Verdict) -> Verdict:
        """What the cards say of a peer, and then our operator."""
        return weigh(verdict, self._held, self._table.facts)
