"""Budget: how many bytes of comparisons a peer may cost in a minute, whatever it makes different.

What a peer says and what it is told count alike. Beyond `ALLOWANCE` only as much again is spent as came of it, and once
an hour what it takes to tell a peer that lacks all of all.
"""

from collections import OrderedDict
from dataclasses import dataclass

from p2pnoise.instant import SECOND, Instant

ALLOWANCE = 64 * 1024  # bytes a minute; protocol rule P19, as are the minute and the factor
GAIN = 2  # bytes that may be spent for each that was worth it
LEAST = 1_024  # bytes that a message counts at least, so that there are no more than 64 for nothing
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MAX_ACCOUNTS = 1_000  # the one that was not used for longest makes room


@dataclass(slots=True)
class _Account:
    since: int  # the minute
    hour: int
    whole: int  # bytes that are left of the hour's one telling of all
    spent: int = 0
    earned: int = 0

    @property
    def left(self) -> int:
        return max(0, max(ALLOWANCE, GAIN * self.earned) - self.spent)


class Budgets:
    """The accounts of the peers of one node, by Node ID: a new link is no new beginning."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[bytes, _Account] = OrderedDict()

    def room(self, node_id: bytes, whole: int, now: Instant) -> int:
        """How many bytes may be spent now, where it takes `whole` to tell all."""
        account = self._account(node_id, now.monotonic)
        if account.whole < 0:
            account.whole = whole
        return account.left + account.whole

    def spend(self, node_id: bytes, size: int, now: Instant) -> None:
        """A message of this size was said or heard."""
        account = self._account(node_id, now.monotonic)
        size = max(size, LEAST)
        account.whole = max(0, account.whole - max(0, size - account.left)) if account.whole >= 0 else account.whole
        account.spent += size

    def earn(self, node_id: bytes, size: int, now: Instant) -> None:
        """So many bytes of what this peer says were worth it."""
        self._account(node_id, now.monotonic).earned += size

    def _account(self, node_id: bytes, now: int) -> _Account:
        account = self._accounts.get(node_id)
        if account is None or account.hour + HOUR <= now:
            account = self._accounts[node_id] = _Account(since=now, hour=now, whole=-1)  # of what is not known yet
        elif account.since + MINUTE <= now:
            account.since, account.spent, account.earned = now, 0, 0
        self._accounts.move_to_end(node_id)
        if len(self._accounts) > MAX_ACCOUNTS:
            self._accounts.popitem(last=False)
        return account
