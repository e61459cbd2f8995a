"""Presence: our own card and addresses in the table, from which others have them, kept up while the node runs.

Our operator is told where the card does not count, and of lists that are due: once, and again every day.
"""

from cards import Address, AddressRecord, Card, Facts, NodeKey, Verdict, make_record
from cards.codec import MAX_INT
from p2pnoise import events
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Overlay
from p2pnoise.instant import SECOND, Instant, ns

from .admission import waits_for_lists
from .links import Links

DAY = 86400 * SECOND
TRY_AGAIN = 60 * SECOND  # while our card is not in the table: a clock that is set right tells nobody; a guess
RECORD_PAUSE = 60 * SECOND  # before ours goes out again where others hold another; a guess: two copies do so for ever


class Presence:
    """Begins when we listen, with `begin`; before it nothing of ours is in the table."""

    def __init__(self, config: NodeConfig, *, key: NodeKey, overlay: Overlay, links: Links) -> None:
        self._config = config
        self._key = key
        self._overlay = overlay
        self._table = overlay.table
        self._links = links
        self._advertised: tuple[Address, ...] | None = None  # until we listen
        self._installed: tuple[Card, Facts] | None = None  # our own card, and the facts that it was judged by
        self._complaint: tuple[bytes, tuple[str, ...]] | None = None  # of our own card, the last one that was told
        self._try_at: int | None = None  # our own card
        self._refresh_at: int | None = None  # our address record
        self._record: AddressRecord | None = None  # the one that was looked at last
        self._warn_at: int | None = None  # of lists that are due

    @property
    def begun(self) -> bool:
        """Whether others may know of us."""
        return self._advertised is not None

    def begin(self, advertised: tuple[Address, ...], now: Instant) -> None:
        """We listen, and others should dial us at `advertised`."""
        self._advertised = advertised
        self.install(now)

    def configure(self, config: NodeConfig, advertised: tuple[Address, ...] | None, now: Instant) -> None:
        """Other times from now on, and other addresses, unless they are None."""
        before, self._config = self._config, config
        if self._refresh_at is not None:
            self._refresh_at = min(self._refresh_at, now.monotonic + ns(config.record_refresh))
        if self._warn_at is not None and config.list_warning != before.list_warning:
            self._warn_at = now.monotonic
        if advertised is not None and self._advertised not in (None, advertised):
            self._advertised = advertised
            self._refresh_at = None  # where our card does not count now, as soon as it does
            self._publish(now)

    def install(self, now: Instant) -> None:
        """Put our own card and addresses into the table. Others will judge the card as we do here."""
        if self._advertised is None:
            return
        self._warn_at = now.monotonic
        self._try(now)

    def _try(self, now: Instant) -> None:
        card = self._table.own_card
        self._installed = card, self._table.facts
        verdict = self._table.judge(card, now.unix, own=True)
        if verdict.ok:
            self._links.gossip.apply(self._overlay.offer_card(card, now, live=True, own=True), now)
            own = self._table.by_node(self._table.own)
            if self._refresh_at is None or (own is not None and own.record is None):
                self._publish(now)
            self._complaint = None
        elif not waits_for_lists(verdict):
            self._complain(card, verdict)

    def replace(self, card: Card, now: Instant) -> None:
        """Another card of ours, unless it does not count: then the one in use stays in use."""
        verdict = self._table.judge(card, now.unix, own=True)
        if verdict.ok or waits_for_lists(verdict):
            self._table.own_card = card
            self.install(now)
        else:
            self._complain(card, verdict)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `tick` is wanted, or None."""
        dues = (self._refresh_at, self._warn_at, self._try_at)
        return min((due for due in dues if due is not None), default=None)

    def tick(self, now: Instant) -> None:
        """Whatever is due by now, and what is different since."""
        if self._advertised is not None and not self._is_installed:
            self.install(now)  # a fact may be what it waited for, or what takes it back; or others had a newer card
        self._look_at_record(now)
        if self._refresh_at is not None and now.monotonic >= self._refresh_at:
            self._refresh(now)
        if self._warn_at is not None and now.monotonic >= self._warn_at:
            self._warn_of_lists(now)
        self._wait_for_time(now)

    def _complain(self, card: Card, verdict: Verdict) -> None:
        """Tell our operator why a card of ours does not count: once, until something is different, or a day later."""
        complaint = card.raw, tuple(finding.code for finding in verdict.errors)  # what they say counts seconds
        if complaint != self._complaint:
            self._complaint = complaint
            self._links.emit(events.OwnCardRejected(findings=verdict.errors))

    def _wait_for_time(self, now: Instant) -> None:
        """Try our card again as long as it is not in the table: by a clock that is behind it begins later, say."""
        if self._advertised is None or self._table.by_node(self._table.own) is not None:
            self._try_at = None
        elif self._try_at is None or now.monotonic >= self._try_at:
            if self._try_at is not None:
                self._try(now)
            self._try_at = now.monotonic + TRY_AGAIN

    @property
    def _is_installed(self) -> bool:
        card, facts = self._installed or (None, None)
        return card is self._table.own_card and facts is self._table.facts

    def _refresh(self, now: Instant) -> None:
        """Once a day: new addresses, or the complaint again that our card does not count."""
        self._refresh_at = now.monotonic + ns(self._config.record_refresh)
        if self._table.by_node(self._table.own) is not None:
            self._publish(now)
        else:
            self._complaint = None
            self.install(now)

    def _publish(self, now: Instant) -> None:
        """Our addresses, signed anew. The number is never lower than the clock's, so a restored backup heals itself."""
        own = self._table.by_node(self._table.own)
        if own is None or self._advertised is None:
            return
        last = own.record.sequence if own.record is not None else 0
        record = make_record(
            self._key,
            network=self._table.policy.network,
            addresses=[str(address) for address in self._advertised],
            sequence=min(max(last + 1, now.unix_ms), MAX_INT),  # whoever has our key can use up the numbers
            now=self._table.facts.clock(self._table.policy, now.unix),
        )
        self._refresh_at = now.monotonic + ns(self._config.record_refresh)
        self._links.gossip.apply(self._overlay.offer_record(record, now), now)

    def _look_at_record(self, now: Instant) -> None:
        """Where others hold a later one that says other addresses, as after a restore with a clock that is behind."""
        own = self._table.by_node(self._table.own)
        if own is None or own.record is self._record or self._refresh_at is None:
            return
        self._record = own.record
        if own.record is not None and own.record.addresses != self._advertised:
            self._refresh_at = min(self._refresh_at, now.monotonic + RECORD_PAUSE)

    def _warn_of_lists(self, now: Instant) -> None:
        """Tell the operator of lists that are due soon, or overdue; again every day."""
        self._warn_at = now.monotonic + DAY
        accepted = set(self._table.policy.issuers.values())  # lists of an issuer that has left the policy stay
        for issuer, state in self._table.revocations.by_issuer.items():
            left = state.next_due - now.unix
            if issuer in accepted and left < self._config.list_warning:
                name = self._table.policy.issuer_name(issuer)
                self._links.emit(events.ListDue(issuer=name, sequence=state.sequence, seconds_left=left))
